"""From a corpus's folder to a `CorpusIndex`: which importer reads what, and which corpus a folder looks like."""

from pathlib import Path

from facskit.datasets.corpora.affectnet import looks_like_affectnet, read_affectnet
from facskit.datasets.corpora.binghamton import guess_release
from facskit.datasets.corpora.binghamton_files import find_corpus_folders
from facskit.datasets.corpora.bp4d import read_bp4d
from facskit.datasets.corpora.bp4d_plus import read_bp4d_plus
from facskit.datasets.corpora.decisions import CorpusName, Decisions
from facskit.datasets.corpora.disfa import find_disfa_folders, read_disfa
from facskit.datasets.corpora.disfa_plus import find_disfa_plus_folders, read_disfa_plus
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.raf_db import looks_like_raf_db, read_raf_db

__all__ = ["guess_corpus", "read_corpus"]


def read_corpus(corpus: CorpusName, root: Path, decisions: Decisions) -> CorpusIndex:
    """Read a corpus in the layout it was released in.

    Args:
        root: Its folder; the folder above it and its label folder are understood too.

    Raises:
        DatasetError: The folder doesn't hold that corpus, or something is wrong with it and `decisions.on_error` is
            `stop`.
    """
    match corpus:
        case "bp4d":
            return read_bp4d(root, decisions)
        case "bp4d-plus":
            return read_bp4d_plus(root, decisions)
        case "disfa":
            return read_disfa(root, decisions)
        case "disfa-plus":
            return read_disfa_plus(root, decisions)
        case "raf-db":
            return read_raf_db(root, decisions)
        case "affectnet":
            return read_affectnet(root, decisions)


def guess_corpus(path: Path) -> CorpusName | None:
    """Tell which corpus a folder is, holds or belongs to; None if it looks like none of them, or like several.

    At most a few folders are listed.
    """
    path = Path(path).resolve()
    if not path.is_dir():
        return None
    guesses: set[CorpusName] = {name for base in find_corpus_folders(path) if (name := guess_release(base)) is not None}
    if find_disfa_folders(path):
        guesses.add("disfa")
    if find_disfa_plus_folders(path):
        guesses.add("disfa-plus")
    if looks_like_raf_db(path):
        guesses.add("raf-db")
    if looks_like_affectnet(path):
        guesses.add("affectnet")
    return guesses.pop() if len(guesses) == 1 else None
