"""A look at manifests: each fault in a sentence, and nothing in a good one."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.doctor.checkup import Checkup
from facskit.doctor.manifests import check_manifest
from facskit.faces.images import write_image


def _table(rows: int = 12) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "image": [f"images/{row}.jpg" for row in range(rows)],
            "subject": [f"S{row // 4:03d}" for row in range(rows)],
            "recording": ["T1"] * rows,
            "frame": [row % 4 for row in range(rows)],
            "split": ["train"] * 8 + ["test"] * 4,
            "AU01": [row % 2 for row in range(rows)],
            "AU12": [row % 3 == 0 for row in range(rows)],
        }
    )


def _check(folder: Path, table: pl.DataFrame, same: bool = False) -> Checkup:
    (folder / "images").mkdir(exist_ok=True)
    for row in range(table.height):
        write_image(folder / "images" / f"{row}.jpg", np.full((8, 8, 3), 0 if same else 9 * row, np.uint8))
    table.write_parquet(folder / "manifest.parquet")
    return check_manifest(folder / "manifest.parquet")


def _sentences(checkup: Checkup) -> str:
    return "\n".join(f"{finding.severity} {finding}" for finding in checkup.findings)


def test_a_good_manifest_has_nothing_wrong(tmp_path: Path) -> None:
    checkup = _check(tmp_path, _table())
    assert checkup.findings == ()
    assert "12 images of 3 subjects" in checkup.facts
    assert checkup.steps[0].startswith("facskit describe ")
    assert not any("evaluate" in step for step in checkup.steps)  # it has no landmarks to crop by


def test_a_manifest_with_landmarks_can_be_evaluated(tmp_path: Path) -> None:
    marks = [pl.lit(float(place)).alias(name) for place, name in enumerate((*LANDMARKS_X, *LANDMARKS_Y))]
    checkup = _check(tmp_path, _table().with_columns(marks))
    assert any("evaluate packaged" in step for step in checkup.steps)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"split": ["train", "test"] + ["train"] * 10}, "error .*1 subject in more than one part of the column split"),
        ({"split": ["dev"] * 12}, "error .*column split: found 'dev' in row 1, .*'dev' in row 5 and 7 more; "),
        ({"AU01": [None] * 12}, "warning .*nobody is coded for AU01"),
        ({"AU01": [1] * 12}, "warning .*AU01 is always present in the 12 rows"),
        ({"AU12_level": [7] + [0] * 11}, "error .*column AU12_level: found 7 in row 1; expected 0 to 5"),
        ({"AU12_level": [0] * 12}, "warning .*AU12 is 1 but its level is 0"),
        ({"frame": [0, 0, 1, 2] * 3}, "warning .*3 rows with the frame number of another row: S000/T1 has frame 0"),
        ({"subject": ["S001"] * 6 + ["s1"] * 6, "split": ["train"] * 12}, "warning .*subjects S001 and s1 look like"),
        ({"subject": ["S001"] * 12, "split": ["train"] * 12, "frame": range(12)}, "warning .*everybody is called S001"),
        ({"AU01": [2] + [0] * 11}, r"error .*column AU01: found 2 in row 1; expected 1 \(present\)"),
        ({"AU12": [9] * 8 + [0] * 4}, "error .*AU12: found 9 in row 1, .*, 9 in row 5 and 3 more; expected 1"),
        ({"image": ["images/0.jpg"] * 12}, "error .*image: found again 'images/0.jpg' in row 2, .* and 6 more"),
        ({"subject": [None] * 2 + ["S001"] * 10}, "error .*subject: found None in row 1, None in row 2; expected"),
        ({"expression": ["joy"] * 12}, "error .*expression: found 'joy' in row 1, .* and 7 more; expected"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path: Path, change: dict[str, list[object]], expected: str) -> None:
    table = _table().with_columns(pl.Series(name, list(values)) for name, values in change.items())
    found = _sentences(_check(tmp_path, table))
    assert re.search(expected, found), found


def test_all_wrong_cells_of_all_columns_are_counted(tmp_path: Path) -> None:
    table = _table().with_columns(AU01=pl.lit(9), AU12=pl.Series([0, 1, 3] * 4))
    found = _check(tmp_path, table).only("error")
    assert [re.sub(r"; .*", "", finding.sentence) for finding in found] == [
        "column AU01: found 9 in row 1, 9 in row 2, 9 in row 3, 9 in row 4, 9 in row 5 and 7 more",
        "column AU12: found 3 in row 3, 3 in row 6, 3 in row 9, 3 in row 12",
    ]


def test_damaged_pictures_are_found(tmp_path: Path) -> None:
    assert "decoded 12 of 12 pictures" in _check(tmp_path, _table()).facts
    cut = tmp_path / "images" / "7.jpg"
    cut.write_bytes(cut.read_bytes()[:-20])
    (tmp_path / "images" / "3.jpg").write_bytes(b"")
    errors = check_manifest(tmp_path / "manifest.parquet").only("error")
    assert [finding.place for finding in errors] == [str(tmp_path / "images" / name) for name in ("3.jpg", "7.jpg")]
    assert "cut short" in errors[1].sentence


def test_a_sample_says_how_many_and_every_picture_finds_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facskit.doctor.pictures.SAMPLE", 4)
    _check(tmp_path, _table())
    (tmp_path / "images" / "7.jpg").write_bytes(b"damaged")
    sampled = check_manifest(tmp_path / "manifest.parquet")
    assert "decoded 4 of 12 pictures; --every-picture decodes all" in sampled.facts
    assert sampled.only("error") == ()
    every = check_manifest(tmp_path / "manifest.parquet", every_picture=True)
    assert "decoded 12 of 12 pictures" in every.facts
    assert [finding.place for finding in every.only("error")] == [str(tmp_path / "images" / "7.jpg")]


def test_rows_without_any_label_are_counted(tmp_path: Path) -> None:
    empty = pl.Series([None] * 3 + [0, 1] * 4 + [1], dtype=pl.Int8)
    found = _sentences(_check(tmp_path, _table().with_columns(AU01=empty, AU12=empty)))
    assert "note" in found
    assert "no label at all in 3 of 12 rows; the first is row 1" in found


def test_missing_images_are_counted(tmp_path: Path) -> None:
    checkup = _check(tmp_path, _table())
    (tmp_path / "images" / "3.jpg").unlink()
    checkup = check_manifest(tmp_path / "manifest.parquet")
    assert "1 of 12 images aren't there; copy them" in _sentences(checkup)
    assert "images/3.jpg" in _sentences(checkup)


def test_equal_images_one_after_the_other_are_noticed(tmp_path: Path) -> None:
    assert "row 2 has the same image as the row before" in _sentences(_check(tmp_path, _table(), same=True))
