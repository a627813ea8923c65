"""Landmarks in tables: one column for each coordinate of the 68 iBUG points, empty where a point isn't known."""

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.columns import LANDMARKS_X, LANDMARKS_Y

__all__ = ["landmark_columns", "read_landmarks"]


def read_landmarks(table: pl.DataFrame) -> Float[np.ndarray, "rows 68 2"] | None:
    """Return the points (x, y) of every row in pixels, NaN where unknown; None if the table has no such columns."""
    if LANDMARKS_X[0] not in table.columns:
        return None
    across, down = table.select(LANDMARKS_X).to_numpy(), table.select(LANDMARKS_Y).to_numpy()
    return np.stack([across, down], axis=2)


def landmark_columns(points: Float[np.ndarray, "rows 68 2"]) -> dict[str, pl.Series]:
    """Return the columns of some points in pixels by name; NaN becomes an empty cell."""
    names = np.stack([LANDMARKS_X, LANDMARKS_Y], axis=1).reshape(-1)
    values = points.reshape(len(points), -1).T
    columns = {}
    for name, cells in zip(names.tolist(), values, strict=True):
        columns[name] = pl.Series(cells, dtype=pl.Float32).fill_nan(None)
    return columns
