"""Looking a manifest over: what keeps it from being read, and what can be read but looks wrong."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from facskit.columns import EXPRESSION, FRAME, IMAGE, IMAGE_BYTES, RECORDING, SPLIT, SUBJECT
from facskit.datasets.findings import Finding, counted
from facskit.datasets.folds import published_parts
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.manifest_checks import missing_images
from facskit.doctor.checkup import Checkup, finding_of, quoted, some_names
from facskit.errors import DatasetError

__all__ = ["check_manifest"]

_SPLITS = ("train", "validation", "test")
_SAMPLED = 400
_RARE = 0.001


def check_manifest(path: Path) -> Checkup:
    """Read a manifest and look at its columns, its people and its images.

    Returns:
        Everything that was found.
    """
    try:
        manifest = read_manifest(path, check_images=False)
    except DatasetError as error:
        step = f"facskit convert {quoted(path)} -o manifest.parquet, if other software wrote this table"
        what = "a table that should be a manifest"
        return Checkup(kind="manifest", what=what, place=path, findings=(finding_of(error, path),), steps=(step,))
    findings = [
        *_images(manifest, path),
        *_labels(manifest),
        *_levels(manifest),
        *_people(manifest),
        *_splits(manifest),
        *_frames(manifest),
        *_repeated(manifest),
    ]
    steps = [f"facskit describe {quoted(path)} -o described"]
    croppable = manifest.all_landmarks is not None or (manifest.origin is not None and manifest.origin.crop is not None)
    if croppable and manifest.action_units and not any(finding.severity == "error" for finding in findings):
        steps.append(f"facskit evaluate packaged {quoted(path)}")
    checkup = Checkup(kind="manifest", what="a manifest", place=path, findings=tuple(findings), steps=tuple(steps))
    return replace(checkup, facts=_facts(manifest))


def _facts(manifest: Manifest) -> tuple[str, ...]:
    facts = [f"{len(manifest):,} images of {len(manifest.subject_names):,} subjects"]
    if manifest.action_units:
        facts.append(f"{len(manifest.action_units)} AUs: {', '.join(manifest.action_units.codes)}")
    if manifest.has_expressions:
        found = sorted(str(name) for name in manifest.table[EXPRESSION].unique().drop_nulls())
        facts.append(f"expressions: {', '.join(found) or 'none'}")
    facts.append("the images are inside the file" if manifest.is_packed else f"images below {manifest.root}")
    if manifest.all_landmarks is None:
        facts.append("no landmarks: crops that need them can't be made")
    if manifest.origin is not None:
        facts += [f"made from {manifest.origin.stamp()}", f"licence: {manifest.origin.licence}"]
    return tuple(facts)


def _images(manifest: Manifest, path: Path) -> Iterator[Finding]:
    if manifest.is_packed:
        return
    images = manifest.table[IMAGE]
    absent = images.filter(missing_images(manifest.root, images))
    if len(absent):
        hint = (
            f"put the images where the paths say, or write the paths anew with facskit convert {quoted(path)} "
            f"-o NEW{path.suffix} --images FOLDER"
            if len(absent) == len(manifest)
            else "copy them, or leave their rows out"
        )
        sentence = f"{len(absent):,} of {len(manifest):,} images aren't there; {hint}"
        yield Finding(severity="error", place=str(manifest.root / absent[0]), sentence=sentence)


def _labels(manifest: Manifest) -> Iterator[Finding]:
    labels = manifest.labels
    nothing: list[str] = []
    for column, code in zip(labels.T, manifest.action_units.codes, strict=True):
        known, present = int((column >= 0).sum()), int((column == 1).sum())
        if not known:
            nothing.append(code)
        elif present in (0, known):
            always = "never" if not present else "always"
            sentence = f"{code} is {always} present in the {known:,} rows that code it; nothing can be learnt from it"
            yield Finding(severity="warning", place=manifest.name, sentence=f"column {sentence}")
        elif present < _RARE * known:
            sentence = f"column {code} is present in {present:,} of {known:,} rows only; its scores will be noise"
            yield Finding(severity="note", place=manifest.name, sentence=sentence)
    if nothing:
        sentence = f"nobody is coded for {', '.join(nothing)}: every cell is empty; leave them out of data.action_units"
        yield Finding(severity="warning", place=manifest.name, sentence=sentence)
    unlabelled = (labels < 0).all(axis=1)
    if manifest.has_expressions:
        unlabelled &= manifest.table[EXPRESSION].is_null().to_numpy()
    if unlabelled.any():
        row = int(unlabelled.argmax())
        sentence = f"no label at all in {int(unlabelled.sum()):,} of {len(manifest):,} rows; the first is row {row + 1}"
        severity = "error" if unlabelled.all() else "note"
        yield Finding(severity=severity, place=manifest.name, sentence=sentence)  # type: ignore[arg-type]


def _levels(manifest: Manifest) -> Iterator[Finding]:
    """Find intensities outside their scales, and levels that don't fit the occurrence beside them."""
    table = manifest.table
    for code in manifest.action_units.codes:
        for suffix, top in (("level", 5), ("intensity", 1)):
            name = f"{code}_{suffix}"
            if name not in table.columns or not table.schema[name].is_numeric():
                continue
            wrong = (table[name] < 0) | (table[name] > top)
            if wrong.any():
                row = int(wrong.arg_max() or 0)
                sentence = (
                    f"row {row + 1}, column {name}: found {table[name][row]}, expected 0 to {top}; so in "
                    f"{int(wrong.sum()):,} rows"
                )
                yield Finding(severity="error", place=manifest.name, sentence=sentence)
        name = f"{code}_level"
        if name in table.columns and table.schema[name].is_numeric():
            odd = ((table[code] == 1) & (table[name] == 0)) | ((table[code] == 0) & (table[name] == 5))
            if odd.any():
                row = int(odd.arg_max() or 0)
                sentence = (
                    f"row {row + 1}: {code} is {table[code][row]} but its level is {table[name][row]}; so in "
                    f"{int(odd.sum()):,} rows; make one of them from the other"
                )
                yield Finding(severity="warning", place=manifest.name, sentence=sentence)


def _people(manifest: Manifest) -> Iterator[Finding]:
    names = manifest.subject_names
    if len(names) == 1:
        sentence = f"everybody is called {names[0]}; with one subject nothing can be tested on strangers"
        yield Finding(severity="warning", place=manifest.name, sentence=sentence)
    alike: dict[str, list[str]] = {}
    for name in names:
        letters = "".join(character for character in name.casefold() if character.isalnum())
        head = letters.rstrip("0123456789")
        alike.setdefault(head + letters[len(head) :].lstrip("0"), []).append(name)
    twins = [group for group in alike.values() if len(group) > 1]
    if twins:
        more = f", and so do {len(twins) - 1:,} more" if len(twins) > 1 else ""
        sentence = (
            f"subjects {' and '.join(twins[0])} look like one person under two names{more}; "
            "folds would put them on both sides, so give each person one name"
        )
        yield Finding(severity="warning", place=manifest.name, sentence=sentence)
    corpus = manifest.origin.corpus if manifest.origin else ""
    if corpus in ("bp4d", "bp4d-plus", "disfa"):
        strangers = set(names) - {name for part in published_parts(corpus) for name in part}
        if strangers:
            sentence = (
                f"{some_names(sorted(strangers))} in none of the published folds of {corpus}, so folds of the kind "
                "published will be refused"
            )
            yield Finding(severity="warning", place=manifest.name, sentence=sentence)


def _splits(manifest: Manifest) -> Iterator[Finding]:
    table = manifest.table
    if SPLIT not in table.columns:
        return
    split = table[SPLIT].cast(pl.String)
    wrong = ~split.is_in(_SPLITS).fill_null(value=False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        sentence = f"row {row + 1}, column split: found {split[row]!r}, expected {', '.join(_SPLITS)}"
        yield Finding(severity="error", place=manifest.name, sentence=sentence)
    parts = table.group_by(pl.col(SUBJECT).cast(pl.String)).agg(pl.col(SPLIT).cast(pl.String).unique())
    both = parts.filter(pl.col(SPLIT).list.drop_nulls().list.len() > 1).sort(SUBJECT)
    if both.height:
        places = " and ".join(sorted(name for name in both[SPLIT][0].to_list() if name))
        sentence = (
            f"{counted(both.height, 'subject')} in more than one part of the column split: {both[SUBJECT][0]} is in "
            f"{places}; a model would be tested on people it was trained on, so move each person to one part"
        )
        yield Finding(severity="error", place=manifest.name, sentence=sentence)


def _frames(manifest: Manifest) -> Iterator[Finding]:
    table = manifest.table
    if not {RECORDING, FRAME} <= set(table.columns):
        return
    keys = [SUBJECT, RECORDING, FRAME]
    known = table.select(keys).drop_nulls()
    again = known.height - known.n_unique()
    if again:
        first = known.filter(pl.struct(keys).is_duplicated()).row(0)
        sentence = (
            f"{counted(again, 'row')} with the frame number of another row: {first[0]}/{first[1]} has frame {first[2]} "
            "twice; keep one row of each"
        )
        yield Finding(severity="warning", place=manifest.name, sentence=sentence)


def _repeated(manifest: Manifest) -> Iterator[Finding]:
    """Find rows whose image is byte by byte that of the row before, in a sample."""
    rows = list(range(0, len(manifest) - 1, max(1, len(manifest) // _SAMPLED)))
    same = [row + 1 for row in rows if (one := _content(manifest, row)) and one == _content(manifest, row + 1)]
    if same:
        sentence = (
            f"row {same[0] + 1} has the same image as the row before, byte by byte, and so have {len(same):,} of "
            f"{len(rows):,} rows looked at; keep one of each"
        )
        yield Finding(severity="warning", place=manifest.name, sentence=sentence)


def _content(manifest: Manifest, row: int) -> bytes:
    if manifest.is_packed:
        content: bytes = manifest.table[IMAGE_BYTES][row] or b""
        return content
    try:
        return Path(manifest.image_name(row)).read_bytes()
    except OSError:
        return b""
