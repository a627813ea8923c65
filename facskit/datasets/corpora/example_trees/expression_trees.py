"""Small folders in the exact layouts of RAF-DB and AffectNet, made of rendered faces.

They are for tests, for trying things out, and for showing a layout to somebody without a licence. The faces' classes
come from a simple rule on their action units (`expression_of`), so they are no ground truth for emotions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from facskit.columns import IMAGE_BYTES, LANDMARKS_X
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8, RAF_DB, ExpressionName
from facskit.faces.images import encode_jpeg
from facskit.files import is_vacant, write_text

__all__ = ["expression_of", "write_expression_tree"]

_RULES: tuple[tuple[ExpressionName, tuple[str, ...]], ...] = (
    ("fear", ("AU01", "AU04", "AU20")),
    ("surprise", ("AU01", "AU02", "AU26")),
    ("sadness", ("AU04", "AU15")),
    ("fear", ("AU01", "AU04", "AU25")),
    ("surprise", ("AU01", "AU02")),
    ("disgust", ("AU09",)),
    ("happiness", ("AU12",)),
    ("anger", ("AU04",)),
    ("contempt", ("AU14",)),
)
_EVERY = 4
"""One picture in so many is in the test part."""


def expression_of(present: frozenset[str]) -> ExpressionName:
    """Name the expression that a face with codes such as `AU12` is taken for: the first rule that fits, or neutral."""
    return next((name for name, needed in _RULES if present.issuperset(needed)), "neutral")


def write_expression_tree(
    corpus: Literal["raf-db", "affectnet"],
    out: Path,
    faces: Manifest | None = None,
    *,
    images: int = 32,
) -> Path:
    """Write a small complete RAF-DB, or AffectNet of eight classes, quirks included; return its folder.

    Args:
        out: An empty or missing folder.
        faces: Pictures with AU labels; the packaged ones by default.
        images: How many pictures, taken from all classes in turn.

    Raises:
        DatasetError: The folder isn't empty.
    """
    out = Path(out)
    if not is_vacant(out):
        raise DatasetError(f"{out}: found files there, expected an empty or missing folder")
    faces = packaged_faces() if faces is None else faces
    chosen = _chosen(faces, images, contempt=corpus == "affectnet")
    if corpus == "raf-db":
        _raf_db(out / "basic", faces, chosen)
    else:
        _affectnet(out, faces, chosen)
    return out


def _chosen(faces: Manifest, images: int, *, contempt: bool) -> list[tuple[int, ExpressionName]]:
    """Pick rows of all classes in turn."""
    by_class: dict[ExpressionName, list[int]] = {name: [] for name in AFFECTNET_8 if contempt or name != "contempt"}
    codes = np.array(faces.action_units.codes)
    for row, labels in enumerate(faces.labels):
        name = expression_of(frozenset(codes[labels == 1]))
        if name in by_class:
            by_class[name].append(row)
    pools = {name: rows for name, rows in by_class.items() if rows}
    names = list(pools)
    picked = [(pools[name][turn], name) for turn in range(images) for name in names if turn < len(pools[name])]
    return picked[:images]


def _copy(faces: Manifest, row: int, path: Path) -> None:
    data = faces.table[IMAGE_BYTES][row] if faces.is_packed else encode_jpeg(faces.image(row), 92)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _parts(chosen: Sequence[tuple[int, ExpressionName]]) -> list[tuple[bool, int, int, ExpressionName]]:
    """Return for each picture whether it is a test picture, its number in its part, its row and its class."""
    counts = {False: 0, True: 0}
    parts = []
    for place, (row, name) in enumerate(chosen):
        # By rounds of all classes, so that both parts have each of them.
        is_test = (place // len({name for _, name in chosen})) % _EVERY == _EVERY - 1
        counts[is_test] += 1
        parts.append((is_test, counts[is_test], row, name))
    return parts


def _raf_db(base: Path, faces: Manifest, chosen: Sequence[tuple[int, ExpressionName]]) -> None:
    lines = []
    for is_test, number, row, name in _parts(chosen):
        stem = f"test_{number:04d}" if is_test else f"train_{number:05d}"
        lines.append(f"{stem}.jpg {RAF_DB.index(name) + 1}\n")
        _copy(faces, row, base / "Image" / "aligned" / f"{stem}_aligned.jpg")
        _copy(faces, row, base / "Image" / "original" / f"{stem}.jpg")
        points = _points(faces, row)[[36, 45, 30, 48, 54]]
        five = "".join(f"{x:.3f}\t{y:.3f}\n" for x, y in points)
        attributes = f"{five}{row % 3}\n{row % 3}\n{row % 5}\n"
        folder = base / "Annotation" / "manual"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}_manu_attri.txt").write_text(attributes, encoding="utf-8")
    write_text(base / "EmoLabel" / "list_patition_label.txt", "".join(sorted(lines)))


def _points(faces: Manifest, row: int) -> np.ndarray:
    points = faces.landmarks(row)
    return np.zeros((len(LANDMARKS_X), 2), np.float32) if points is None else points


def _affectnet(out: Path, faces: Manifest, chosen: Sequence[tuple[int, ExpressionName]]) -> None:
    for is_test, number, row, name in _parts(chosen):
        folder = out / ("val_set" if is_test else "train_set")
        _copy(faces, row, folder / "images" / f"{number}.jpg")
        (folder / "annotations").mkdir(exist_ok=True)
        code = AFFECTNET_8.index(name)
        values = {
            # The release writes text; copies that people converted write numbers.
            "exp": np.array(str(code)) if number % 2 else np.array(code),
            "val": np.array("-2" if number == 1 else f"{(code - 4) / 5:.6f}"),
            "aro": np.array("-2" if number == 1 else f"{(4 - code) / 5:.6f}"),
            "lnd": _points(faces, row).astype(np.float64).reshape(-1),
        }
        for kind, value in values.items():
            np.save(folder / "annotations" / f"{number}_{kind}.npy", value, allow_pickle=False)
