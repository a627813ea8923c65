"""ME-GraphAU's lists, one set per fold.

```text
list/BP4D_train_img_path_fold1.txt     F001/T1/2440.jpg
list/BP4D_train_label_fold1.txt        0 0 0 0 0 1 1 0 0 0 0 0
list/BP4D_train_AU_relation_fold1.txt  for each pair of AUs 2 a + b, so 0 to 3
list/BP4D_weight_fold1.txt             loss weight of each AU
list/BP4D_test_img_path_fold1.txt, BP4D_test_label_fold1.txt
```

Its fold 1 tests on the third published part, fold 3 on the first: k here is fold 4 - k of JAA-Net, FMAE-IAT, CIU and of
facskit. Findings name both.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.columns import IMAGE, SPLIT, SUBJECT
from facskit.datasets.corpora.lists.label_lists import (
    AUTHORS_PARTS,
    LabelList,
    class_weights,
    columns_for,
    guess_list_corpus,
    labelled_table,
    merged,
    rows_by_part,
    weights_line,
)
from facskit.datasets.corpora.lists.list_files import (
    label_codes,
    read_lines,
    read_numbers,
    refuse_repeated,
    write_exactly,
    write_rows,
)
from facskit.datasets.corpora.reading.label_files import MISSING_CODE
from facskit.datasets.findings import Finding
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError

__all__ = ["FOLDS", "is_me_graphau", "other_number", "read_me_graphau", "write_me_graphau_folds"]

FOLDS = 3
"""Number of published folds."""
_EXCERPT = 5
_LIST = re.compile(r"(?P<name>.+)_(?P<part>train|test)_(?:img_path|label|AU_relation)_fold(?P<fold>\d)\.txt")


def other_number(fold: int) -> int:
    """Return the number that ME-GraphAU gives facskit's fold, or the reverse: 4 - k."""
    return FOLDS + 1 - fold


def is_me_graphau(path: Path) -> bool:
    """Tell whether a path is one of the lists, their folder, or the folder above it."""
    names = [path.name] if path.is_file() else [*_entries(path), *_entries(path / "list")]
    return any(map(_LIST.fullmatch, names))


def read_me_graphau(path: Path, action_units: ActionUnitSet | None = None) -> LabelList:
    """Read ME-GraphAU's lists.

    Args:
        path: The folder of the lists, the folder above it, or one of the lists. From a folder with all three test lists
            comes the whole corpus, from one with a single fold its training and test rows with a column `split`, and
            from a file that list alone.

    Returns:
        The list, with a column `part`: the published part, which is facskit's fold, that tests on the row.
    """
    path = Path(path)
    if path.is_file():
        match = _LIST.fullmatch(path.name)
        if match is None:
            raise DatasetError(f"{path}: expected a name such as BP4D_test_img_path_fold1.txt")
        part, fold = match["part"], int(match["fold"])
        return _read_one(path.parent, match["name"], part, fold, action_units)
    folder, name = _find_lists(path)
    folds = [fold for fold in range(1, FOLDS + 1) if _file(folder, name, "test", "img_path", fold).is_file()]
    if len(folds) == 1:
        both = [_read_one(folder, name, part, folds[0], action_units) for part in ("train", "test")]
    else:
        both = [_read_one(folder, name, "test", fold, action_units) for fold in sorted(folds, reverse=True)]
    whole = merged(both, folder)
    if len(folds) > 1:  # all test lists: the corpus, not a part of it
        whole = replace(whole, table=whole.table.drop(SPLIT))
    if len(folds) in {1, FOLDS}:
        return whole
    sentence = f"found the test lists of {len(folds)} folds, expected one or all {FOLDS}; the others' rows are missing"
    warning = Finding(severity="warning", place=str(folder), sentence=sentence)
    return replace(whole, findings=(*whole.findings, warning))


def write_me_graphau_folds(manifest: Manifest, folder: Path, corpus: str) -> tuple[Finding, ...]:
    """Write the lists of all three published folds, with people in the order of the authors' lists.

    Return what the format can't hold.
    """
    parts = rows_by_part(manifest, corpus)
    for number, tested in enumerate(parts, start=1):
        others = [rows for other, rows in enumerate(parts, start=1) if other != number]
        rows = {"train": np.concatenate(others), "test": np.array(tested)}
        _write(manifest, Path(folder), corpus.upper(), other_number(number), rows)
    sentence = f"fold k of the files is fold {FOLDS + 1} - k of facskit, JAA-Net, FMAE-IAT and CIU"
    note = Finding(severity="note", place=str(folder), sentence=sentence)
    unknown = int((manifest.labels < 0).sum())
    if not unknown:
        return (note,)
    sentence = (
        f"{unknown:,} unknown labels are written as 9, as in the authors' lists; ME-GraphAU's code can't leave "
        "them out: it stops at them, or takes 9 for a label"
    )
    return Finding(severity="warning", place=str(folder), sentence=sentence), note


def _write(manifest: Manifest, folder: Path, name: str, number: int, rows: dict[str, np.ndarray]) -> None:
    for part, chosen in rows.items():
        labels = manifest.labels[chosen]
        images = manifest.table[IMAGE].gather(chosen).to_list()
        codes = np.where(labels < 0, MISSING_CODE, labels)
        write_exactly(_file(folder, name, part, "img_path", number), "".join(f"{image}\n" for image in images))
        write_rows(_file(folder, name, part, "label", number), codes)
        if part == "train":
            relation = (2 * codes[:, :, None] + codes[:, None, :]).reshape(len(codes), -1)
            write_rows(_file(folder, name, part, "AU_relation", number), relation)
            write_exactly(folder / f"{name}_weight_fold{number}.txt", weights_line(class_weights(labels)))


def _file(folder: Path, name: str, part: str, what: str, fold: int) -> Path:
    return folder / f"{name}_{part}_{what}_fold{fold}.txt"


def _find_lists(path: Path) -> tuple[Path, str]:
    for folder in (path, path / "list"):
        names = sorted({match["name"] for entry in _entries(folder) if (match := _LIST.fullmatch(entry))})
        if len(names) > 1:
            raise DatasetError(f"{folder}: found lists of {' and '.join(names)}; give one of the files, or divide them")
        if names:
            return folder, names[0]
    raise DatasetError(f"{path}: there are no lists of ME-GraphAU, such as list/BP4D_test_img_path_fold1.txt")


def _entries(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def _read_one(folder: Path, name: str, part: str, fold: int, action_units: ActionUnitSet | None) -> LabelList:
    path, labels_path = (_file(folder, name, part, what, fold) for what in ("img_path", "label"))
    images = read_lines(path)
    refuse_repeated(images, path)
    if len(images) > len(read_lines(labels_path)) == _EXCERPT:
        raise DatasetError(
            f"{labels_path}: found labels of {_EXCERPT} of {len(images):,} images; ME-GraphAU's authors publish the "
            "lists of paths without labels, with excerpts of five lines in their place: prepare the corpus itself with "
            "facskit prepare and --as me-graphau, which takes the same frames"
        )
    labels = label_codes(read_numbers(labels_path, len(images)), labels_path)
    units = columns_for(labels.shape[1], str(labels_path), action_units)
    table, findings = labelled_table(images, labels, units, str(path))
    table = table.with_columns(pl.lit(part).alias(SPLIT), _part_of(table[SUBJECT]))
    corpus = guess_list_corpus(table[IMAGE], table[SUBJECT])
    sentence = f"fold {fold} of ME-GraphAU is fold {other_number(fold)} of facskit, JAA-Net, FMAE-IAT and CIU"
    findings.append(Finding(severity="note", place=str(path), sentence=sentence))
    strangers = table.filter(pl.col("part") != other_number(fold))[SUBJECT].unique().sort().to_list()
    if part == "test" and strangers:
        sentence = f"subject {strangers[0]} isn't in published part {other_number(fold)}, which this fold tests on"
        findings.append(Finding(severity="warning", place=str(path), sentence=sentence))
    decisions = {"list": "me-graphau", "missing (9)": "unknown"}
    return LabelList(table=table, action_units=units, corpus=corpus, findings=tuple(findings), decisions=decisions)


def _part_of(subjects: pl.Series) -> pl.Series:
    """Return the published part of each subject, null for strangers."""
    parts: dict[str, int] = {}
    for texts in AUTHORS_PARTS.values():
        for number, text in enumerate(texts, start=1):
            parts |= dict.fromkeys(text.split(), number)
    return subjects.replace_strict(parts, default=None, return_dtype=pl.Int64).alias("part")
