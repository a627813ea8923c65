"""FMAE-IAT's label files: one JSON object per line, `{"img_path": "2F15_T8/frame_1.jpg", "AUs": [999, 999, 4, ...]}`.

An AU's slot holds its number if it is present and 999 otherwise. The authors' writer puts 999 for each code that isn't
1, so 999 stands for "absent" and for "can't be coded" (9) alike, and nothing in the file tells them apart. Reading it
as unknown would leave no negative at all; so 999 is a negative, and the finding says what was lost. In an older form of
the files only present AUs are listed, and frames without any were left out.
"""

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.columns import IMAGE, SUBJECT
from facskit.datasets.corpora.lists.label_lists import LabelList, guess_list_corpus, labelled_table
from facskit.datasets.corpora.lists.list_files import read_lines, refuse_repeated, write_exactly
from facskit.datasets.findings import Finding
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError

__all__ = ["NOT_PRESENT", "is_fmae_list", "read_fmae_list", "write_fmae_list"]

NOT_PRESENT = 999
"""What a slot holds for an AU that isn't present: absent, or not codable."""
_EXPECTED = 'expected an object such as {"img_path": "2F15_T8/frame_1.jpg", "AUs": [999, 4, 999]}'


def is_fmae_list(path: Path) -> bool:
    """Tell by its first line whether a file is such a list."""
    if path.suffix.lower() not in {".json", ".jsonl"} or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return '"img_path"' in file.readline(4096)


def read_fmae_list(
    path: Path, action_units: ActionUnitSet | None = None, *, missing: Literal["negative", "unknown"] = "negative"
) -> LabelList:
    """Read a label file of FMAE-IAT, in its present or its older form.

    Args:
        action_units: Which AUs the slots are; by default BP4D's 12 or DISFA's 8, whichever has the AUs found.
        missing: What 999 means: `negative` as the authors' reader takes it, or `unknown`, which leaves only positives.

    Returns:
        The list; its image paths are relative to what FMAE-IAT calls the root path.

    Raises:
        DatasetError: A line is no such object or names an AU that isn't among `action_units`.
    """
    path = Path(path)
    images, slots = _parse(path)
    refuse_repeated(images, path)
    is_old = not any(NOT_PRESENT in row for row in slots)
    found = sorted(set(chain.from_iterable(slots)) - {NOT_PRESENT})
    units = _units(found, max(map(len, slots), default=0), is_old, action_units, path)
    for line, row in enumerate(slots, start=1):
        strangers = set(row) - {NOT_PRESENT, *units.numbers}
        if strangers:
            raise DatasetError(
                f"{path}: line {line}: found AU {min(strangers)}, expected {NOT_PRESENT} or one of {units}"
            )
    labels = np.full((len(images), len(units)), 0 if missing == "negative" else -1, np.int8)
    for image, numbers in enumerate(slots):
        labels[image, [number in numbers for number in units.numbers]] = 1
    table, notes = labelled_table(images, labels, units, str(path))
    return LabelList(
        table=table,
        action_units=units,
        corpus=guess_list_corpus(table[IMAGE], table[SUBJECT]),
        findings=(*notes, *_what_is_lost(path, is_old, missing)),
        decisions={"list": "fmae-iat, older form" if is_old else "fmae-iat", "missing (999)": missing},
    )


def write_fmae_list(manifest: Manifest, path: Path) -> tuple[Finding, ...]:
    """Write a manifest as FMAE-IAT's label file; paths stay as they are, relative to the manifest's folder.

    Return what the format can't hold: unknown labels become 999, which its reader takes for absent.
    """
    labels = manifest.labels
    numbers = manifest.action_units.numbers
    lines = []
    for image, row in zip(manifest.table[IMAGE].to_list(), labels, strict=True):
        slots = [number if state == 1 else NOT_PRESENT for number, state in zip(numbers, row, strict=True)]
        lines.append(json.dumps({"img_path": image, "AUs": slots}) + "\n")
    write_exactly(Path(path), "".join(lines))
    unknown = int((labels < 0).sum())
    if not unknown:
        return ()
    sentence = (
        f"{unknown:,} unknown labels are written as {NOT_PRESENT}, which FMAE-IAT's reader takes for absent; "
        "the file can't tell them from negatives any more"
    )
    return (Finding(severity="warning", place=str(path), sentence=sentence),)


def _parse(path: Path) -> tuple[list[str], list[list[int]]]:
    images: list[str] = []
    slots: list[list[int]] = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{path}: line {number} is no JSON ({error}); {_EXPECTED}") from error
        if not isinstance(entry, Mapping) or not isinstance(entry.get("img_path"), str):
            raise DatasetError(f"{path}: line {number}: found {line[:60]!r}; {_EXPECTED}")
        units = entry.get("AUs")
        if not isinstance(units, list) or not all(type(unit) is int for unit in units):
            raise DatasetError(f"{path}: line {number}: found the AUs {units!r}, expected a list of whole numbers")
        images.append(entry["img_path"])
        slots.append(units)
    return images, slots


def _units(found: list[int], slots: int, is_old: bool, chosen: ActionUnitSet | None, path: Path) -> ActionUnitSet:
    """Say which AUs the slots are: the one never present in a file isn't named in it."""
    if chosen is not None:
        return chosen
    for units in (BP4D, DISFA_8):
        if set(found) <= set(units.numbers) and (is_old or slots == len(units)):
            return units
    try:
        named = ActionUnitSet.parse(found or "none")
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    if is_old or len(named) == slots:
        return named
    raise DatasetError(
        f"{path}: found {slots} slots, but only AU {', '.join(str(unit.number) for unit in named) or 'none'} is ever "
        "present; say with action_units which AUs the slots are"
    )


def _what_is_lost(path: Path, is_old: bool, missing: str) -> list[Finding]:
    findings = []
    if is_old:
        sentence = (
            "only present AUs are listed: this is the older form, whose writer left out all frames without any of the "
            "AUs (9% of BP4D), so rates and scores aren't comparable with the full corpus"
        )
        findings.append(Finding(severity="warning", place=str(path), sentence=sentence))
    sentence = (
        "999 is read as absent; the authors' writer also put it where the corpus has 9 (can't be coded), and the file "
        "can't tell the two apart: prepare from the corpus itself to keep unknown labels"
        if missing == "negative"
        else "999 is read as unknown, so no label is negative; to train, read it as negative or prepare from the corpus"
    )
    return [*findings, Finding(severity="note", place=str(path), sentence=sentence)]
