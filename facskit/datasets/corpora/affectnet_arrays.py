"""AffectNet's release of eight classes: four tiny NumPy files beside each picture.

```text
train_set/images/12.jpg   train_set/annotations/12_exp.npy, 12_val.npy, 12_aro.npy, 12_lnd.npy
val_set/images/...        val_set/annotations/...
```

More than a million files are read, so a file's header, which is nearly always the same, is parsed once.
"""

import ast
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from rich.console import Console
from rich.progress import track

from facskit.columns import EXPRESSION, FRAME, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.expression_folders import ExpressionRows, leading_number, short_reason, usable_name
from facskit.datasets.corpora.index import MEDIA
from facskit.datasets.findings import Finding
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8

__all__ = ["LANDMARKS", "read_annotation", "read_part"]

LANDMARKS = "landmarks"
"""Key of a row's positions x, y, x, y ... in what `read_part` returns; as one array they need little memory."""
_THREADS = 8
_CHUNK = 256
_MAGIC = b"\x93NUMPY"
_POINTS = 136
_Answer = dict[str, object] | Finding


def read_annotation(path: Path) -> str | float | Float[np.ndarray, "136"]:
    """Read one annotation file without ever unpickling anything.

    Args:
        path: An `.npy` file that holds one number, one text, or 136 landmark positions.

    Returns:
        The number, the text, or the positions x, y, x, y ...

    Raises:
        DatasetError: The file is missing, damaged, or holds Python objects, which could run any code when loaded.
    """
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        raise DatasetError(f"{path}: can't open it ({(error.strerror or 'unreadable').lower()})") from error
    start = 12 if data[6:7] == b"\x02" else 10
    length = int.from_bytes(data[8:start], "little")
    if not data.startswith(_MAGIC) or len(data) < start + length:
        raise DatasetError(f"{path}: found {len(data)} bytes that are no NumPy file, expected one made by numpy.save")
    kind, count = _header(data[start : start + length])
    if kind is None or kind.hasobject:
        raise DatasetError(
            f"{path}: found pickled Python objects, which facskit doesn't load because they can run any code; "
            "expected a number or text: convert it with numpy.save(file, int(...)) where you trust it"
        )
    body = data[start + length :]
    if len(body) != count * kind.itemsize or count not in {1, _POINTS}:
        raise DatasetError(f"{path}: found {count} value(s) in {len(body)} bytes, expected 1 or {_POINTS} values")
    values = np.frombuffer(body, kind)
    if count == _POINTS:
        return _positions(values, path)
    value = values[0]
    if kind.kind == "S":
        return bytes(value).decode("latin1")
    return str(value) if kind.kind == "U" else float(value)


def read_part(root: Path, folder: Path, part: str) -> ExpressionRows:
    """Read one part of the release.

    Args:
        root: The folder that `media` is to be relative to.
        folder: `train_set` or `val_set`.
        part: What to call the part in the column `split`.

    Returns:
        The pictures, sorted by number; a picture without a usable class is an error and dropped.
    """
    notes, pictures = folder / "annotations", folder / "images"
    stems = sorted({name[: -len("_exp.npy")] for name in _names(notes) if name.endswith("_exp.npy")}, key=_order)
    images = {Path(name).stem: name for name in _names(pictures) if usable_name(name)}
    has = {kind: _stems_with(notes, f"_{kind}.npy") for kind in ("val", "aro", "lnd")}

    def read(stem: str, position: int) -> _Answer:
        if stem not in images:
            sentence = f"there is no picture {pictures / stem}.jpg"
            return Finding(severity="error", place=str(notes / f"{stem}_exp.npy"), sentence=sentence)
        try:
            row: dict[str, object] = {
                MEDIA: (pictures / images[stem]).relative_to(root).as_posix(),
                SUBJECT: f"{folder.name}_{stem}",
                RECORDING: folder.name,
                FRAME: leading_number(stem, position),
                SPLIT: part,
                EXPRESSION: _expression(notes / f"{stem}_exp.npy"),
            }
            for kind, column in (("val", "valence"), ("aro", "arousal")):
                if stem in has[kind]:
                    row[column] = _affect(notes / f"{stem}_{kind}.npy")
            if stem in has["lnd"]:
                row[LANDMARKS] = _landmarks(notes / f"{stem}_lnd.npy")
        except DatasetError as error:
            place, _, sentence = str(error).partition(": ")
            return Finding(severity="error", place=place, sentence=sentence)
        return row

    answers = _in_threads(read, stems, f"Reading {folder.name}")
    findings = [answer for answer in answers if isinstance(answer, Finding)]
    dropped = [
        {
            SUBJECT: f"{folder.name}_{stem}",
            RECORDING: folder.name,
            FRAME: leading_number(stem, position),
            "reason": short_reason(answer.sentence),
            "file": answer.place,
        }
        for position, (stem, answer) in enumerate(zip(stems, answers, strict=True))
        if isinstance(answer, Finding)
    ]
    lonely = len(images.keys() - set(stems))
    if lonely:
        sentence = f"{lonely:,} pictures have no _exp.npy file in {notes} and are left out"
        findings.append(Finding(severity="warning", place=str(pictures), sentence=sentence))
    rows = [answer for answer in answers if not isinstance(answer, Finding)]
    return ExpressionRows(rows=rows, dropped=dropped, findings=findings)


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


def _positions(values: np.ndarray, path: Path) -> Float[np.ndarray, "136"]:
    try:
        positions: Float[np.ndarray, "136"] = values.astype(np.float64)
    except ValueError:
        raise DatasetError(f"{path}: found landmarks that aren't numbers, expected {_POINTS} positions") from None
    return positions


def _expression(path: Path) -> str:
    value = read_annotation(path)
    try:
        code = float(value)
        return AFFECTNET_8.names[int(code)] if code in range(len(AFFECTNET_8)) else _no_class(path, value)
    except (TypeError, ValueError):
        return _no_class(path, value)


def _no_class(path: Path, value: object) -> str:
    raise DatasetError(f"{path}: found the class {value!r}, expected 0 (neutral) to 7 (contempt)")


def _affect(path: Path) -> float | None:
    value = read_annotation(path)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DatasetError(f"{path}: found {value!r}, expected a number from -1 to 1, or -2 for none") from None
    if number == -2:
        return None
    if not -1 <= number <= 1:
        raise DatasetError(f"{path}: found {number:g}, expected a number from -1 to 1, or -2 for none")
    return number


def _landmarks(path: Path) -> Float32[np.ndarray, "136"]:
    values = read_annotation(path)
    if not isinstance(values, np.ndarray):
        raise DatasetError(f"{path}: found one value, expected {_POINTS} landmark positions")
    return values.astype(np.float32)


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder; expected images/ and annotations/ in each part")
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _stems_with(folder: Path, ending: str) -> frozenset[str]:
    return frozenset(name[: -len(ending)] for name in _names(folder) if name.endswith(ending))


def _order(stem: str) -> tuple[int, str]:
    return (int(stem) if stem.isdecimal() else 0, stem)
