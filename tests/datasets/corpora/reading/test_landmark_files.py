"""MATLAB landmarks: both kinds of file, lost frames, and which frame a file belongs to."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from facskit.datasets.corpora.example_trees.tree_files import write_fit_file, write_point_file
from facskit.datasets.corpora.reading.landmark_files import (
    landmark_columns,
    point_file_position,
    read_fit_file,
    read_point_file,
)
from facskit.faces.landmarks import POINTS_49, POINTS_66

FACE = np.random.default_rng(3).uniform(10, 90, (68, 2))
LOST = np.full((68, 2), np.nan)


@pytest.mark.parametrize("old", [False, True], ids=["HDF5", "older"])
def test_both_kinds_of_file_give_pixels_counted_from_0(tmp_path: Path, *, old: bool) -> None:
    path = tmp_path / "F001_T1.mat"
    write_fit_file(path, [FACE, FACE + 5, LOST, None], old=old)
    points = read_fit_file(path, [1, 0, 2, 3, 4])
    np.testing.assert_allclose(points[0], FACE[list(POINTS_49)] + 5)
    np.testing.assert_allclose(points[1], FACE[list(POINTS_49)])
    assert np.isnan(points[2:]).all()


def test_the_hdf5_file_holds_2_x_49_tables_counted_from_1(tmp_path: Path) -> None:
    path = tmp_path / "F001_T1.mat"
    write_fit_file(path, [FACE])
    with h5py.File(path) as file:
        stored = file[file["fit/pred"][0, 0]][()]
    assert stored.shape == (2, 49)
    np.testing.assert_allclose(stored.T - 1, FACE[list(POINTS_49)])


def test_one_structure_with_a_cell_per_frame_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "F001_T1.mat"
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = FACE[list(POINTS_49)] + 1, np.zeros((0, 0))
    scipy.io.savemat(path, {"fit": {"pred": cells}})
    points = read_fit_file(path, [0, 1])
    np.testing.assert_allclose(points[0], FACE[list(POINTS_49)])
    assert np.isnan(points[1]).all()


def test_a_row_of_x_above_a_row_of_y_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "F001_T1.mat"
    cells = np.empty((1, 1), dtype=object)
    cells[0, 0] = (FACE[list(POINTS_49)] + 1).T
    scipy.io.savemat(path, {"fit": {"pred": cells}})
    np.testing.assert_allclose(read_fit_file(path, [0])[0], FACE[list(POINTS_49)])


@pytest.mark.parametrize("content", [b"", b"no landmarks", b"\x89HDF\r\n\x1a\n cut short"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "F001_T1.mat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="found no landmarks as fit/pred in it"):
        read_fit_file(path, [0])


def test_another_number_of_points_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "SN001_0000_lm.mat"
    scipy.io.savemat(path, {"pts": np.zeros((68, 2))})
    with pytest.raises(ValueError, match="136 numbers, expected 66 points"):
        read_point_file(path)


def test_point_files_of_disfa(tmp_path: Path) -> None:
    path = tmp_path / "SN001_0000_lm.mat"
    write_point_file(path, FACE)
    np.testing.assert_allclose(read_point_file(path), FACE[list(POINTS_66)])
    scipy.io.savemat(path, {"pts": np.zeros((66, 2))})
    assert np.isnan(read_point_file(path)).all()


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("SN001_0000_lm.mat", 0),
        ("SN001_4844_lm.mat", 4844),
        ("l00001_lm.mat", 0),
        ("l03630_lm.mat", 3629),
        ("notes.mat", None),
    ],
)
def test_names_with_l_count_from_1_and_others_from_0(name: str, position: int | None) -> None:
    assert point_file_position(name) == position


def test_columns_leave_unknown_points_empty() -> None:
    table = landmark_columns(np.stack([FACE[list(POINTS_49)], LOST[list(POINTS_49)]]))
    assert table["x_0"].to_list() == [None, None]
    assert table["x_60"].null_count() == 2
    assert table["y_30"][0] == pytest.approx(FACE[30, 1])
    assert table["y_30"][1] is None
    assert len(table.columns) == 136
