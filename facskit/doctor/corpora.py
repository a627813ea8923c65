"""A look at a corpus's folder: what its importer finds, and what no importer has a reason to look for."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.corpora.binghamton_files import label_folder
from facskit.datasets.corpora.decisions import SPELLED, CorpusName, Decisions
from facskit.datasets.corpora.importers import guess_corpus, read_corpus
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.corpora.reading.media import read_media_bytes
from facskit.datasets.corpora.reading.media_files import entries
from facskit.datasets.findings import Finding, counted
from facskit.datasets.preparation.report import count_rows
from facskit.doctor.checkup import Checkup, finding_of, quoted
from facskit.doctor.pictures import with_pictures
from facskit.errors import DatasetError, MediaError
from facskit.faces.images import decode_image

__all__ = ["check_corpus", "find_corpora", "repeated_pictures"]

_CLIMB = 4
_CHILDREN = 200
_SAMPLED_RECORDINGS = 40
_SAMPLED_FRAMES = 6
_INSIDE = {"emolabel", "image", "annotation", "train_set", "val_set", "basic", "manually_annotated_file_lists"}


def find_corpora(path: Path) -> list[tuple[CorpusName, Path]]:
    """Find the corpora that a folder is, belongs to, or holds.

    Args:
        path: The folder: a corpus's own, one inside it, the one above it, or one that holds several.
    """
    path = Path(path).resolve()
    here = guess_corpus(path)
    if here is not None:
        return [(here, path)]
    for parent in list(path.parents)[:_CLIMB]:
        if _is_corpus_folder(parent, path) and (above := guess_corpus(parent)) is not None:
            return [(above, parent)]
    children = [child for child in list(entries(path))[:_CHILDREN] if child.is_dir()]
    return [(name, child) for child in children if (name := guess_corpus(child)) is not None]


def _is_corpus_folder(parent: Path, inside: Path) -> bool:
    """Tell whether a folder is itself a corpus's, not one that only holds a corpus beside the path asked about."""
    first = inside.relative_to(parent).parts[0].lower()
    labelled = label_folder(parent) is not None or (parent / "ActionUnit_Labels").is_dir()
    return labelled or first in _INSIDE or ((parent / "Labels").is_dir() and first in {"images", "labels", "aligned"})


def check_corpus(corpus: CorpusName, path: Path, *, every_picture: bool = False) -> Checkup:
    """Read a corpus, go on after errors, and look for more.

    Args:
        every_picture: Whether to decode all image files instead of a sample; videos aren't decoded.
    """
    checkup = Checkup(kind="corpus", what=f"{SPELLED[corpus]} as it is released", place=path)
    tree = f"facskit example-tree {corpus} example/{corpus}"
    try:
        index = read_corpus(corpus, path, Decisions(on_error="report"))
    except DatasetError as error:
        return checkup.adding(findings=[finding_of(error, path)], steps=[tree])
    checkup = checkup.adding(
        facts=_facts(index), findings=[*index.findings, *_labels(index), *repeated_pictures(index)]
    )
    media = index.table.filter(pl.col(MEDIA_FRAME).is_null())[MEDIA].to_list()
    checkup = with_pictures(
        checkup,
        [str(index.root / name) for name in media],
        lambda position: decode_image(read_media_bytes(index.root, media[position]), str(index.root / media[position])),
        every_picture=every_picture,
    )
    here = count_rows(index) if len(index) else {}
    checkup = replace(checkup, complete=all(count >= index.expected[name] for name, count in here.items()))
    if not len(index):
        return checkup.adding(steps=[tree])
    go_on = " --on-error report" if checkup.only("error") else ""
    out = f"data/{corpus.replace('-', '_')}"
    return checkup.adding(steps=[f"facskit prepare {corpus} {quoted(index.root)} -o {out}{go_on}"])


def _facts(index: CorpusIndex) -> tuple[str, ...]:
    people = f" of {index.table[SUBJECT].n_unique():,} subjects" if index.action_units else ""
    facts = [f"{len(index):,} labelled pictures{people}"]
    if index.action_units:
        facts.append(f"{len(index.action_units)} AUs: {', '.join(index.action_units.codes)}")
    here = count_rows(index) if len(index) else {}
    facts += [f"{name}: {count:,} here, {index.expected[name]:,} published" for name, count in here.items()]
    reasons = index.dropped["reason"].value_counts(sort=True).iter_rows()
    facts += [f"left out, {reason}: {count:,}" for reason, count in reasons]
    return (*facts, f"licence: {index.licence}")


def _labels(index: CorpusIndex) -> Iterator[Finding]:
    """Find AUs that no picture is coded for or shows, and frames that stand twice."""
    table = index.table
    if not len(index):
        return
    for code in index.action_units.codes:
        column = table[code]
        if column.null_count() == len(column):
            sentence = f"{code} is unknown in all {len(column):,} pictures; copy its label files, or leave the AU out"
            yield Finding(severity="warning", place="labels", sentence=sentence)
        elif (column.drop_nulls() == 0).all() and len(column) > 1000:
            sentence = f"{code} is never present in {len(column):,} pictures; look whether its label files are whole"
            yield Finding(severity="warning", place="labels", sentence=sentence)
    if index.action_units:
        again = table.filter(pl.struct(SUBJECT, RECORDING, FRAME).is_duplicated())
        if again.height:
            first = again.row(0, named=True)
            sentence = (
                f"frame {first[FRAME]} of {first[SUBJECT]}/{first[RECORDING]} stands there twice; "
                f"{counted(again.height, 'row')} share a number with another; keep one picture of each"
            )
            yield Finding(severity="error", place=str(first[MEDIA]), sentence=sentence)


def repeated_pictures(index: CorpusIndex) -> Iterator[Finding]:
    """Find frames whose file is byte by byte that of the frame before, in a sample of recordings that aren't videos."""
    files = index.table.filter(pl.col(MEDIA_FRAME).is_null())
    if not index.action_units or files.is_empty():
        return
    groups = files.select(SUBJECT, RECORDING).unique(maintain_order=True)
    step = max(1, groups.height // _SAMPLED_RECORDINGS)
    pairs, same = 0, []
    for subject, recording in groups[::step].iter_rows():
        own = files.filter((pl.col(SUBJECT) == subject) & (pl.col(RECORDING) == recording))
        start = max(0, own.height // 2 - _SAMPLED_FRAMES // 2)
        names = own[MEDIA][start : start + _SAMPLED_FRAMES].to_list()
        pairs += max(0, len(names) - 1)
        before: tuple[int, int] | None = None
        for name in names:
            checksum = _checksum(index.root, name)
            if checksum is not None and checksum == before:
                same.append(name)
            before = checksum
    if same:
        sentence = (
            f"this picture is byte by byte the frame before it; so are {len(same)} of {pairs:,} frames looked at; "
            "the pictures may have been copied or extracted wrongly, so compare with the release"
        )
        yield Finding(severity="warning", place=same[0], sentence=sentence)


def _checksum(root: Path, media: str) -> tuple[int, int] | None:
    try:
        content = read_media_bytes(root, media)
    except MediaError:
        return None
    return len(content), zlib.crc32(content)
