"""RAF-DB's basic part: 15,339 pictures of strangers' faces from the web, in seven expression classes.

```text
basic/EmoLabel/list_patition_label.txt              train_00001.jpg 5      (misspelt so in the release)
basic/Image/aligned/train_00001_aligned.jpg         100 px, or Image/original/train_00001.jpg
basic/Annotation/manual/train_00001_manu_attri.txt  five landmarks, then gender, race and age
```

Copies with class folders (`train/1` to `train/7`, `test/...`) are read too. Nobody is named, so each picture is its own
subject: the corpus's own parts can't promise that nobody is in both.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facskit.action_units import NO_ACTION_UNITS
from facskit.columns import EXPRESSION, FRAME, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.expression_folders import (
    DAMAGED,
    NO_PICTURE,
    find_parts,
    read_class_folders,
    rows_to_table,
    usable_name,
)
from facskit.datasets.corpora.index import DROPPED_SCHEMA, MEDIA, CorpusIndex
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.errors import DatasetError
from facskit.expressions import RAF_DB

__all__ = ["EXPECTED", "looks_like_raf_db", "read_raf_db"]

EXPECTED = {"training images": 12_271, "test images": 3_068}
"""Published numbers of pictures."""
_LICENCE = "RAF-DB: non-commercial research under a signed agreement; pictures and crops may not be passed on"
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_INNER = ("EmoLabel", "Image", "Annotation")
_NAME = re.compile(r"(train|test)_(\d+)(?:_aligned)?\.(?:jpg|jpeg|png)", re.IGNORECASE)
_CLASSES = {str(number): name for number, name in enumerate(RAF_DB, start=1)}
_GENDERS = ("male", "female", "unsure")
_RACES = ("caucasian", "african-american", "asian")
_AGES = ("0-3", "4-19", "20-39", "40-69", "70+")
_LANDMARK_LINES = 5
_COLUMNS = ("gender", "race", "age")


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where things are in a release."""

    base: Path
    labels: Path
    images: Path
    suffix: str
    choice: str


def looks_like_raf_db(root: Path) -> bool:
    """Tell cheaply whether a folder holds RAF-DB's release (not a copy with class folders, which could be anything)."""
    return _find_labels(Path(root)) is not None


def read_raf_db(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read RAF-DB's basic part.

    Aligned pictures are taken where they exist, as in published recipes; give `basic/Image/original` as the folder to
    take the original ones.

    Args:
        root: The folder `basic`, the one above it, one inside it, or a copy with class folders.
        decisions: Only `on_error` matters.

    Returns:
        The pictures with columns `expression`, `split`, and where the release has them `gender`, `race` and `age`.
    """
    root = Path(root)
    notes = ImportLog(root, decisions.on_error)
    labels = _find_labels(root)
    if labels is None:
        parts = find_parts(root)
        if not parts:
            raise DatasetError(
                f"{root}: this doesn't look like RAF-DB; expected EmoLabel/{_LISTS[0]} beside Image/, "
                "or a copy with the folders train/1 ... train/7 and test/1 ... test/7"
            )
        base, choice, rows = root, "class folders", read_class_folders(root, parts, _CLASSES, notes)
    else:
        layout = _find_images(root, labels)
        base, choice, rows = layout.base, layout.choice, _read_labels(layout, notes)
        _add_attributes(layout, rows, notes)
    table = rows_to_table(rows, texts=_COLUMNS)
    _check_count(root if labels is None else labels, table, notes)
    return CorpusIndex(
        corpus="raf-db",
        root=base,
        action_units=NO_ACTION_UNITS,
        table=table,
        dropped=notes.dropped,
        findings=notes.findings,
        decisions={"images": choice},
        licence=_LICENCE,
        expected=EXPECTED,
    )


def _find_labels(root: Path) -> Path | None:
    inside = [root, root / "basic"]
    if root.name in _INNER:
        inside.append(root.parent)
    if root.parent.name in _INNER:
        inside.append(root.parent.parent)
    for base in inside:
        for name in _LISTS:
            path = base / "EmoLabel" / name
            if path.is_file():
                return path
    return None


def _find_images(root: Path, labels: Path) -> _Layout:
    base = labels.parent.parent
    kinds = {"aligned": "_aligned", "original": ""}
    if root.name in kinds and root.parent.name == "Image":
        kinds = {root.name: kinds[root.name]}
    for kind, suffix in kinds.items():
        folder = base / "Image" / kind
        if folder.is_dir() and any(folder.iterdir()):
            return _Layout(base=base, labels=labels, images=folder, suffix=suffix, choice=kind)
    raise DatasetError(f"{base / 'Image'}: there are no pictures; expected the folder aligned or original in it")


def _read_labels(layout: _Layout, notes: ImportLog) -> list[dict[str, object]]:
    """Read the list of labels; each bad line becomes an error and a dropped picture."""
    present = {path.stem: path.name for path in layout.images.iterdir() if usable_name(path.name)}
    rows: list[dict[str, object]] = []
    dropped: list[dict[str, object]] = []
    seen: dict[str, int] = {}
    lines = layout.labels.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row, fault = _read_line(line)
        stem, reason = str(row.get(SUBJECT)), DAMAGED
        if fault is None and stem + layout.suffix not in present:
            fault, reason = f"there is no picture {layout.images / (stem + layout.suffix)}.jpg", NO_PICTURE
        if fault is None and stem in seen:
            fault = f"found {stem} again, first in line {seen[stem]}; expected each picture once"
        if fault is None:
            seen[stem] = number
            picture = layout.images / present[stem + layout.suffix]
            rows.append({**row, MEDIA: picture.relative_to(layout.base).as_posix()})
            continue
        notes.error(f"{layout.labels}: line {number}", fault, reason)
        dropped.append({**row, "reason": reason})
    notes.drop(pl.DataFrame(dropped, schema=DROPPED_SCHEMA), file=str(layout.labels))
    return rows


def _read_line(line: str) -> tuple[dict[str, object], str | None]:
    """Return what a line says, as far as it can be understood, and what is wrong with it."""
    cells = [cell for cell in re.split(r"[\s,;]+", line.strip()) if cell]
    if len(cells) != 2:
        return {}, f"found {line.strip()[:60]!r}, expected a file name and a label such as 'train_00001.jpg 5'"
    name, label = cells
    match = _NAME.fullmatch(name)
    if match is None:
        return {}, f"found the name {name!r}, expected one such as train_00001.jpg or test_0001.jpg"
    part = match[1].lower()
    row: dict[str, object] = {SUBJECT: f"{part}_{match[2]}", RECORDING: part, FRAME: int(match[2]), SPLIT: part}
    if label not in _CLASSES:
        compound = "; the compound part isn't read" if label.isdecimal() and 7 < int(label) <= 11 else ""
        return row, f"found the label {label!r}, expected 1 to 7 (surprise, fear, ... neutral){compound}"
    return {**row, EXPRESSION: _CLASSES[label]}, None


def _add_attributes(layout: _Layout, rows: list[dict[str, object]], notes: ImportLog) -> None:
    folder = layout.base / "Annotation" / "manual"
    if not folder.is_dir():
        notes.note(folder, "there are no manual attributes, so gender, race and age stay empty")
        return
    files = [folder / f"{row[SUBJECT]}_manu_attri.txt" for row in rows]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(_read_attributes, files))
    notes.note(
        folder,
        "gender, race and age are written as codes, and what each code means is known from other people's readers, not "
        "from the corpus's own text: compare with its readme before you report by group",
    )
    bad: list[tuple[Path, str]] = []
    for row, file, answer in zip(rows, files, answers, strict=True):
        if isinstance(answer, str):
            bad.append((file, answer))
        else:
            row.update(answer)
    if bad:
        more = f" ({len(bad):,} such files; their cells stay empty)" if len(bad) > 1 else "; the cells stay empty"
        notes.warning(bad[0][0], bad[0][1] + more)


def _read_attributes(path: Path) -> dict[str, object] | str:
    """Return the attributes, or what is wrong with the file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "there is no such file, expected the picture's attributes"
    codes = [line.strip() for line in lines[_LANDMARK_LINES:] if line.strip()]
    if len(codes) != len(_COLUMNS):
        return f"found {len(codes)} line(s) after the five landmarks, expected gender, race and age"
    words: dict[str, object] = {}
    for (name, meanings), code in zip({"gender": _GENDERS, "race": _RACES, "age": _AGES}.items(), codes, strict=True):
        if not (code.isdecimal() and int(code) < len(meanings)):
            return f"found {name} {code!r}, expected 0 to {len(meanings) - 1}"
        words[name] = meanings[int(code)]
    return words


def _check_count(place: Path, table: pl.DataFrame, notes: ImportLog) -> None:
    train, test = (int((table[SPLIT] == part).sum()) for part in ("train", "test"))
    usual_train, usual_test = EXPECTED["training images"], EXPECTED["test images"]
    if (train, test) != (usual_train, usual_test):
        sentence = f"found {train:,} training and {test:,} test pictures; RAF-DB has {usual_train:,} and {usual_test:,}"
        notes.note(place, sentence)
