"""AffectNet's release of eight classes: four tiny NumPy files beside each picture.

```text
train_set/images/12.jpg   train_set/annotations/12_exp.npy, 12_val.npy, 12_aro.npy, 12_lnd.npy
val_set/images/...        val_set/annotations/...
```

More than a million files are read, so a file's header, which is nearly always the same, is parsed once.
"""

import ast
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, Float32
from rich.console import Console
from rich.progress import track

from facskit.columns import EXPRESSION, FRAME, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.expression_folders import DAMAGED, LANDMARKS, NO_PICTURE, leading_number, usable_name
from facskit.datasets.corpora.index import DROPPED_SCHEMA, MEDIA
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8

__all__ = ["read_annotation", "read_part"]

_THREADS = 8
_CHUNK = 256
_MAGIC = b"\x93NUMPY"
_POINTS = 136


class _AnnotationError(DatasetError):
    """What is wrong with one annotation, and the reason for which its picture is counted as dropped."""

    def __init__(self, path: Path, sentence: str, reason: str = DAMAGED) -> None:
        super().__init__(f"{path}: {sentence}")
        self.path, self.sentence, self.reason = path, sentence, reason


_Answer = tuple[dict[str, object], _AnnotationError | None]


def read_annotation(path: Path) -> str | float | Float[np.ndarray, "136"]:
    """Read one annotation, a number, a text or 136 positions x, y, x, y ..., without ever unpickling anything.

    Raises:
        DatasetError: The file is missing, damaged, or holds Python objects, which could run any code when loaded.
    """
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        raise _AnnotationError(path, f"can't open it ({(error.strerror or 'unreadable').lower()})") from error
    start = 12 if data[6:7] == b"\x02" else 10
    length = int.from_bytes(data[8:start], "little")
    if not data.startswith(_MAGIC) or len(data) < start + length:
        raise _AnnotationError(path, f"found {len(data)} bytes that are no NumPy file, expected one made by numpy.save")
    kind, count = _header(data[start : start + length])
    if kind is None or kind.hasobject:
        raise _AnnotationError(
            path,
            "found pickled Python objects, which facskit doesn't load because they can run any code; "
            "expected a number or text: convert it with numpy.save(file, int(...)) where you trust it",
        )
    body = data[start + length :]
    if len(body) != count * kind.itemsize or count not in {1, _POINTS}:
        raise _AnnotationError(path, f"found {count} value(s) in {len(body)} bytes, expected 1 or {_POINTS} values")
    values = np.frombuffer(body, kind)
    if count == _POINTS:
        try:
            positions: Float[np.ndarray, "136"] = values.astype(np.float64)
        except ValueError:
            raise _AnnotationError(path, f"found landmarks that aren't numbers, expected {_POINTS} positions") from None
        return positions
    value = values[0]
    if kind.kind == "S":
        return bytes(value).decode("latin1")
    return str(value) if kind.kind == "U" else float(value)


def read_part(root: Path, folder: Path, part: str, notes: ImportLog) -> list[Mapping[str, object]]:
    """Return the pictures of one part by column name, sorted by number; those without a usable class are dropped."""
    annotations, pictures = folder / "annotations", folder / "images"
    stems = sorted(_stems_with(annotations, "_exp.npy"), key=lambda stem: (int(stem) if stem.isdecimal() else 0, stem))
    images = {Path(name).stem: name for name in _names(pictures) if usable_name(name)}
    has = {kind: _stems_with(annotations, f"_{kind}.npy") for kind in ("val", "aro", "lnd")}

    def read(stem: str, position: int) -> _Answer:
        code = annotations / f"{stem}_exp.npy"
        row: dict[str, object] = {
            SUBJECT: f"{folder.name}_{stem}",
            RECORDING: folder.name,
            FRAME: leading_number(stem, position),
            SPLIT: part,
        }
        try:
            if stem not in images:
                return row, _AnnotationError(code, f"there is no picture {pictures / stem}.jpg", NO_PICTURE)
            row[MEDIA] = (pictures / images[stem]).relative_to(root).as_posix()
            row[EXPRESSION] = _expression(code)
            for kind, column in (("val", "valence"), ("aro", "arousal")):
                if stem in has[kind]:
                    row[column] = _affect(annotations / f"{stem}_{kind}.npy")
            if stem in has["lnd"]:
                row[LANDMARKS] = _landmarks(annotations / f"{stem}_lnd.npy")
        except _AnnotationError as fault:
            return row, fault
        return row, None

    rows: list[Mapping[str, object]] = []
    dropped: list[Mapping[str, object]] = []
    for row, fault in _in_threads(read, stems, f"Reading {folder.name}"):
        if fault is None:
            rows.append(row)
        else:
            notes.error(fault.path, fault.sentence, fault.reason)
            dropped.append({**row, "reason": fault.reason, "file": str(fault.path)})
    notes.drop(pl.DataFrame(dropped, schema=DROPPED_SCHEMA))
    lonely = len(images.keys() - set(stems))
    if lonely:
        notes.warning(pictures, f"{lonely:,} pictures have no _exp.npy file in {annotations} and are left out")
    return rows


def _in_threads(read: Callable[[str, int], _Answer], stems: Sequence[str], title: str) -> list[_Answer]:
    chunks = [range(start, min(start + _CHUNK, len(stems))) for start in range(0, len(stems), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = pool.map(lambda chunk: [read(stems[row], row) for row in chunk], chunks)
        console = Console(stderr=True)
        shown = track(answers, title, total=len(chunks), console=console, disable=len(stems) < 2000)
        return list(chain.from_iterable(shown))


@lru_cache(maxsize=256)
def _header(text: bytes) -> tuple[np.dtype | None, int]:
    """Return type and number of values that a NumPy header promises."""
    try:
        header = ast.literal_eval(text.decode("latin1"))
        kind = np.dtype(header["descr"])
        return kind, int(np.prod(header["shape"], dtype=np.int64))
    except (SyntaxError, ValueError, TypeError, KeyError):
        return None, 0


def _expression(path: Path) -> str:
    value = read_annotation(path)
    try:
        code = float(value)
    except (TypeError, ValueError):
        code = -1.0
    if code not in range(len(AFFECTNET_8)):
        raise _AnnotationError(path, f"found the class {value!r}, expected 0 (neutral) to 7 (contempt)")
    return AFFECTNET_8.names[int(code)]


def _affect(path: Path) -> float | None:
    value = read_annotation(path)
    expected = "expected a number from -1 to 1, or -2 for none"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _AnnotationError(path, f"found {value!r}, {expected}") from None
    if number == -2:
        return None
    if not -1 <= number <= 1:
        raise _AnnotationError(path, f"found {number:g}, {expected}")
    return number


def _landmarks(path: Path) -> Float32[np.ndarray, "68 2"]:
    values = read_annotation(path)
    if not isinstance(values, np.ndarray):
        raise _AnnotationError(path, f"found one value, expected {_POINTS} landmark positions")
    return values.astype(np.float32).reshape(-1, 2)


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder; expected images/ and annotations/ in each part")
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _stems_with(folder: Path, ending: str) -> frozenset[str]:
    return frozenset(name[: -len(ending)] for name in _names(folder) if name.endswith(ending))
