from pathlib import Path

import polars as pl

from facskit.datasets.manifest_checks import missing_images


def test_missing_images_are_told_apart_folder_by_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/1.jpg", "2.jpg"):
        (tmp_path / name).touch()
    images = pl.Series(["a/1.jpg", "a/2.jpg", "2.jpg", "nowhere/1.jpg", str(tmp_path / "2.jpg"), "a/../2.jpg"])
    assert missing_images(tmp_path, images).to_list() == [False, True, False, True, False, False]
