"""Expressions beside action units, and the landmarks that corpora with fewer points lack."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import NO_ACTION_UNITS
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8, RAF_DB
from tests.datasets.conftest import PAIR, table
from tests.datasets.manifest_files import csv, refusal


def without(data: pl.DataFrame, row: int, *names: str) -> pl.DataFrame:
    data = data.clone()
    for name in names:
        data[row, name] = None
    return data


@pytest.mark.parametrize("missing", [(*range(17), 60, 64), (60, 64), (60,), (3, 4), tuple(range(17))])
def test_corpora_with_fewer_points_lack_jaw_and_inner_mouth_corners(tmp_path: Path, missing: tuple[int, ...]) -> None:
    names = [names[point] for point in missing for names in (LANDMARKS_X, LANDMARKS_Y)]
    without(table(landmarks=True), 1, *names).write_parquet(tmp_path / "faces.parquet")
    points = read_manifest(tmp_path / "faces.parquet", check_images=False).landmarks(1)
    assert points is not None
    assert np.flatnonzero(np.isnan(points[:, 0])).tolist() == sorted(missing)


def test_other_landmarks_come_together(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    data = table(landmarks=True)
    together = (
        "a row needs all landmarks or none of them filled; only the jaw (0 to 16) and the points 60 and 64 may be"
    )
    for point in (17, 30, 61, 67):
        without(data, 1, f"x_{point}", f"y_{point}").write_parquet(path)
        place = 0 if point == 17 else point  # 17 tells whether a row has any
        assert refusal(path).startswith(f": row 2, column x_{place}: {together}")
    stray = without(data, 1, *data.columns[4:]).clone()
    stray[1, "x_5"], stray[1, "y_5"] = 3.0, 4.0
    stray.write_parquet(path)
    assert refusal(path).startswith(f": row 2, column x_5: {together}")


def test_half_a_landmark_is_refused(tmp_path: Path) -> None:
    without(table(landmarks=True), 4, "y_60").write_csv(tmp_path / "faces.csv")
    expected = ": row 5 (line 6), column x_60: a landmark needs both x_60 and y_60 or neither of them filled"
    assert refusal(tmp_path / "faces.csv") == expected


def test_expressions_are_read_by_name(tmp_path: Path) -> None:
    spelled = ["happiness", "Happy", " NEUTRAL ", "", "Angry", "contempt"]
    text = "image,subject,expression\n" + "".join(f"{row}.png,p,{cell}\n" for row, cell in enumerate(spelled))
    manifest = read_manifest(csv(tmp_path, text), check_images=False)
    assert manifest.action_units is NO_ACTION_UNITS
    assert manifest.labels.shape == (6, 0)
    assert manifest.has_expressions
    assert manifest.table["expression"].to_list() == ["happiness", "happiness", "neutral", None, "anger", "contempt"]
    assert manifest.expression_indices(RAF_DB).tolist() == [3, 3, 6, -1, 5, -1]
    assert manifest.expression_indices(AFFECTNET_8).tolist() == [1, 1, 0, -1, 6, 7]
    assert manifest.describe().splitlines() == [
        "6 images of 1 subjects",
        "neutral 16.7%",
        "happiness 33.3%",
        "anger 16.7%",
        "contempt 16.7%",
        "unknown expression 16.7%",
    ]
    for suffix in ("parquet", "csv", "jsonl"):
        again = read_manifest(write_manifest(manifest, tmp_path / f"again.{suffix}"), check_images=False)
        assert again.expression_indices(RAF_DB).tolist() == [3, 3, 6, -1, 5, -1]


def test_action_units_and_expressions_live_together(tmp_path: Path) -> None:
    path = csv(tmp_path, "image,subject,AU12,expression\na,p,1,happiness\nb,p,0,\n")
    manifest = read_manifest(path, check_images=False)
    assert manifest.action_units.codes == ("AU12",)
    assert manifest.expression_indices(RAF_DB).tolist() == [3, -1]
    assert read_manifest(path, NO_ACTION_UNITS, check_images=False).labels.shape == (2, 0)


def test_who_wants_no_labels_needs_none(tmp_path: Path) -> None:
    path = csv(tmp_path, "image,subject\na,p\nb,q\n")
    manifest = read_manifest(path, NO_ACTION_UNITS, check_images=False)
    assert manifest.labels.shape == (2, 0)
    assert manifest.describe() == "2 images of 2 subjects"
    assert refusal(path, action_units=PAIR) == ": the column AU06 is missing; found no action unit"


def test_a_column_of_unknown_expressions_stays_text(tmp_path: Path) -> None:
    manifest = read_manifest(csv(tmp_path, "image,subject,AU06,expression\na,p,1,\nb,p,0,\n"), check_images=False)
    assert manifest.table["expression"].dtype == pl.String
    assert manifest.expression_indices(RAF_DB).tolist() == [-1, -1]


@pytest.mark.parametrize("cell", ["bored", "3", "?"])
def test_another_expression_is_named_with_its_place(tmp_path: Path, cell: str) -> None:
    path = csv(tmp_path, f"image,subject,expression\na,p,fear\nb,p,{cell}\n")
    assert refusal(path) == (
        f": row 2 (line 3), column expression: found '{cell}'; expected neutral, happiness, sadness, surprise, fear, "
        "disgust, anger, contempt or an empty cell (unknown; corpora number expressions differently, so numbers aren't "
        "accepted)"
    )


def test_expressions_that_are_not_there_are_named(manifest: Manifest) -> None:
    with pytest.raises(DatasetError, match=r"faces\.parquet: the column expression is missing; it has labels of AU06"):
        manifest.expression_indices(RAF_DB)


def test_units_that_are_not_there_beside_expressions(tmp_path: Path) -> None:
    path = csv(tmp_path, "image,subject,expression\na,p,fear\n")
    assert refusal(path, action_units=PAIR) == ": the column AU06 is missing; found no action unit"
