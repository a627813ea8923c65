"""The other forms of expression corpora, made of their example trees: AffectNet's full release, and class folders."""

import shutil
from pathlib import Path

import numpy as np

from facskit.datasets.corpora.affectnet_lists import COLUMNS


def affectnet_lists(release: Path, out: Path) -> Path:
    """Write AffectNet's full release; the first three training pictures have the codes 8, 9 and 10, so no class.

    Args:
        release: AffectNet's release of eight classes.
    """
    tables = {}
    for part in ("train", "val"):
        lines = []
        pictures = (release / f"{part}_set" / "images").iterdir()
        for number, picture in sorted((int(path.stem), path) for path in pictures):
            notes = release / f"{part}_set" / "annotations"
            code = int(np.load(notes / f"{number}_exp.npy"))
            if number in {1, 2, 3} and part == "train":
                code = 7 + number
            name = f"{number % 3 + 1}/{part}0a{number}.jpg"
            points = ";".join(f"{value:.2f}" for value in np.load(notes / f"{number}_lnd.npy"))
            affect = "-2,-2" if code > 7 else f"{(code - 4) / 5:.6f},{(4 - code) / 5:.6f}"
            lines.append(f"{name},12,11,100,102,{points},{code},{affect}\n")
            _copy(picture, out / "Manually_Annotated_Images" / name)
        tables[part] = "".join(lines)
    lists = out / "Manually_Annotated_file_lists"
    lists.mkdir()
    (lists / "training.csv").write_text(",".join(COLUMNS) + "\n" + tables["train"])
    (lists / "validation.csv").write_text(tables["val"])  # without a header, as in some copies
    return out


def affectnet_folders(release: Path, out: Path) -> Path:
    """Write a copy of AffectNet with class folders, `train/0` to `test/7`.

    Args:
        release: AffectNet's release of eight classes.
    """
    for part, name in (("train", "train"), ("val", "test")):
        for picture in (release / f"{part}_set" / "images").iterdir():
            code = np.load(release / f"{part}_set" / "annotations" / f"{picture.stem}_exp.npy")
            _copy(picture, out / name / str(code) / f"image{int(picture.stem):07d}.jpg")
    return out


def raf_db_folders(release: Path, out: Path) -> Path:
    """Write a copy of RAF-DB with class folders, `train/1` to `test/7`."""
    for line in (release / "basic/EmoLabel/list_patition_label.txt").read_text().splitlines():
        name, label = line.split()
        aligned = name.replace(".jpg", "_aligned.jpg")
        _copy(release / "basic/Image/aligned" / aligned, out / name.split("_")[0] / label / aligned)
    return out


def _copy(picture: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(picture, path)
