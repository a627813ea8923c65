"""What a look at a manifest finds: each fault in a sentence, and nothing in a good one."""

import re
from pathlib import Path

import polars as pl
import pytest

from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.doctor.checkup import Checkup
from facskit.doctor.manifests import check_manifest


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
        (folder / "images" / f"{row}.jpg").write_bytes(b"same" if same else b"%d" % row)
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
        ({"split": ["dev"] * 12}, "error .*row 1, column split: found 'dev', expected train, validation, test"),
        ({"AU01": [None] * 12}, "warning .*nobody is coded for AU01"),
        ({"AU01": [1] * 12}, "warning .*AU01 is always present in the 12 rows"),
        ({"AU12_level": [7] + [0] * 11}, "error .*row 1, column AU12_level: found 7, expected 0 to 5"),
        ({"AU12_level": [0] * 12}, "warning .*AU12 is 1 but its level is 0"),
        ({"frame": [0, 0, 1, 2] * 3}, "warning .*3 rows with the frame number of another row: S000/T1 has frame 0"),
        ({"subject": ["S001"] * 6 + ["s1"] * 6, "split": ["train"] * 12}, "warning .*subjects S001 and s1 look like"),
        ({"subject": ["S001"] * 12, "split": ["train"] * 12, "frame": range(12)}, "warning .*everybody is called S001"),
        ({"AU01": [2] + [0] * 11}, r"error .*row 1, column AU01: found 2; expected 1 \(present\)"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path: Path, change: dict[str, list[object]], expected: str) -> None:
    table = _table().with_columns(pl.Series(name, list(values)) for name, values in change.items())
    found = _sentences(_check(tmp_path, table))
    assert re.search(expected, found), found


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
