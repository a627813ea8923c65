"""A look at a manifest: what keeps it from being read, and what can be read but looks wrong."""

import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl

from facskit.columns import EXPRESSION, FRAME, IMAGE, IMAGE_BYTES, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.lists.label_lists import people_of
from facskit.datasets.corpora.reading.import_log import some_of
from facskit.datasets.findings import Finding, Severity, counted
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.manifest_checks import find_layout, missing_images
from facskit.datasets.own_columns import suggest_columns
from facskit.datasets.table_files import collect_table, raw_cell, scan_table
from facskit.doctor.checkup import Checkup, finding_of, quoted
from facskit.doctor.pictures import with_pictures
from facskit.errors import DatasetError
from facskit.expressions import EXPRESSION_NAMES

__all__ = ["check_manifest"]

_SPLITS = ("train", "validation", "test")
_SAMPLED = 400
_RARE = 0.001
_NAMED = 5
_LABEL = "1 (present), 0 (absent) or an empty cell (unknown; codes such as 9 or 999 aren't accepted)"


def check_manifest(path: Path, *, every_picture: bool = False) -> Checkup:
    """Read a manifest and look at its columns, its people and its images."""
    try:
        manifest = read_manifest(path, check_images=False)
    except DatasetError as error:
        checkup = Checkup(kind="manifest", what="a table that should be a manifest", place=path)
        wrong = _wrong_cells(path)
        return checkup.adding(findings=wrong or [finding_of(error, path)], steps=[] if wrong else _own_names(path))
    checkup = Checkup(kind="manifest", what="a manifest", place=path, facts=_facts(manifest))
    missing = pl.repeat(False, len(manifest), eager=True)
    if not manifest.is_packed:
        missing = missing_images(manifest.root, manifest.table[IMAGE])
    there = (~missing).arg_true().to_list()
    names = [manifest.image_name(row) for row in there]
    checkup = with_pictures(
        checkup, names, lambda position: manifest.image(there[position]), every_picture=every_picture
    )
    checkup = checkup.adding(
        findings=[
            *_missing(manifest, path, missing),
            *_labels(manifest),
            *_levels(manifest),
            *_people(manifest),
            *_splits(manifest),
            *_frames(manifest),
            *_repeated(manifest),
        ],
        steps=[f"facskit describe {quoted(path)} -o described"],
    )
    croppable = manifest.all_landmarks is not None or (manifest.origin is not None and manifest.origin.crop is not None)
    if croppable and manifest.action_units and not checkup.only("error"):
        return checkup.adding(steps=[f"facskit evaluate packaged {quoted(path)}"])
    return checkup


def _own_names(path: Path) -> list[str]:
    """Say how a table whose columns have other names is read."""
    convert = f"facskit convert {quoted(path)} -o manifest.parquet, if other software wrote this table"
    try:
        columns = suggest_columns(collect_table(scan_table(path).cast(pl.String), path))
    except DatasetError:
        return [convert]
    if columns is None:
        return [convert]
    explained = " (with the action unit that each column is about for AU??)" if "AU??" in columns else ""
    return [f"facskit prepare manifest {quoted(path)} -o prepared --columns {shlex.quote(columns)}{explained}"]


def _wrong_cells(path: Path) -> list[Finding]:
    """Find all cells that keep a table from being a manifest, column by column; none if it is wrong otherwise."""
    try:
        source = scan_table(path)
        layout = find_layout(path, source.collect_schema().to_frame())
        table = collect_table(layout.typed(source), path)
    except DatasetError:
        return []
    checks = {column: (~table[unit.code].is_in([0, 1]), _LABEL) for unit, column in layout.labels.items()}
    if layout.has_expressions:
        names = f"{', '.join(EXPRESSION_NAMES)} or an empty cell (unknown)"
        checks[EXPRESSION] = ~table[EXPRESSION].is_in(EXPRESSION_NAMES), names
    checks |= {column: (~table[column].is_finite(), "a position in pixels") for column in layout.landmarks}
    checks |= {column: (table[column].is_null(), "a name in every row") for column in (IMAGE, SUBJECT)}
    findings = []
    for column, (wrong, expected) in checks.items():
        found = _cells(wrong, partial(raw_cell, source, column=column))
        if found:
            sentence = f"column {column}: found {found}; expected {expected}"
            findings.append(Finding(severity="error", place=str(path), sentence=sentence, kind="wrong cells"))
    again = _cells(~table[IMAGE].is_first_distinct() & table[IMAGE].is_not_null(), table[IMAGE].__getitem__)
    if again:
        sentence = f"column {IMAGE}: found again {again}; expected each image once"
        findings.append(Finding(severity="error", place=str(path), sentence=sentence, kind="wrong cells"))
    return findings


def _cells(wrong: pl.Series, cell: Callable[[int], object]) -> str:
    """Name the first cells that a check marks, and count the rest; empty if it marks none."""
    rows = wrong.fill_null(value=False).arg_true().to_list()
    named = ", ".join(f"{cell(row)!r} in row {row + 1}" for row in rows[:_NAMED])
    return named + (f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else "")


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


def _missing(manifest: Manifest, path: Path, missing: pl.Series) -> Iterator[Finding]:
    absent = manifest.table[IMAGE].filter(missing)
    if absent.is_empty():
        return
    hint = "copy them, or leave their rows out"
    if len(absent) == len(manifest):
        anew = f"facskit convert {quoted(path)} -o NEW{path.suffix} --images FOLDER"
        hint = f"put the images where the paths say, or write the paths anew with {anew}"
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
        severity: Severity = "error" if unlabelled.all() else "note"
        yield Finding(severity=severity, place=manifest.name, sentence=sentence)


def _levels(manifest: Manifest) -> Iterator[Finding]:
    """Find intensities outside their scales, and levels that don't fit the occurrence beside them."""
    table = manifest.table
    for code in manifest.action_units.codes:
        for suffix, top in (("level", 5), ("intensity", 1)):
            name = f"{code}_{suffix}"
            if name not in table.columns or not table.schema[name].is_numeric():
                continue
            found = _cells((table[name] < 0) | (table[name] > top), table[name].__getitem__)
            if found:
                sentence = f"column {name}: found {found}; expected 0 to {top}"
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
        strangers = set(names) - people_of(corpus)
        if strangers:
            sentence = (
                f"{some_of(sorted(strangers), 5)} in none of the published folds of {corpus}, so folds of the kind "
                "published will be refused"
            )
            yield Finding(severity="warning", place=manifest.name, sentence=sentence)


def _splits(manifest: Manifest) -> Iterator[Finding]:
    table = manifest.table
    if SPLIT not in table.columns:
        return
    split = table[SPLIT].cast(pl.String)
    found = _cells(~split.is_in(_SPLITS).fill_null(value=False), split.__getitem__)
    if found:
        sentence = f"column {SPLIT}: found {found}; expected {', '.join(_SPLITS)}"
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
