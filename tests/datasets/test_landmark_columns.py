import numpy as np
import polars as pl

from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.landmark_columns import landmark_columns, read_landmarks


def test_points_come_back_as_they_went() -> None:
    points = np.arange(2 * 68 * 2, dtype=np.float64).reshape(2, 68, 2)
    points[1, 5] = np.nan
    table = pl.DataFrame(landmark_columns(points))
    assert table["x_3"].to_list() == [6, 142]
    assert table["y_3"].to_list() == [7, 143]
    assert table["x_5"].to_list() == [10, None]
    assert set(table.columns) == {*LANDMARKS_X, *LANDMARKS_Y}
    found = read_landmarks(table)
    assert found is not None
    np.testing.assert_array_equal(found, points)
    assert read_landmarks(table.drop(LANDMARKS_X, LANDMARKS_Y)) is None
