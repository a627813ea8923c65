"""The way from a corpus's folder to a `CorpusIndex`: which importer reads what, and what a folder looks like."""

from collections.abc import Callable
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

_READERS: dict[CorpusName, Callable[[Path, Decisions], CorpusIndex]] = {
    "bp4d": read_bp4d,
    "bp4d-plus": read_bp4d_plus,
    "disfa": read_disfa,
    "disfa-plus": read_disfa_plus,
    "raf-db": read_raf_db,
    "affectnet": read_affectnet,
}


def read_corpus(corpus: CorpusName, root: Path, decisions: Decisions) -> CorpusIndex:
    """Read a corpus in the layout it was released in.

    Args:
        root: Its folder; the folder above it and its label folder are understood too.

    Raises:
        DatasetError: The folder doesn't hold that corpus, or something is wrong with it and `decisions.on_error` is
            `stop`.
    """
    return _READERS[corpus](root, decisions)


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
