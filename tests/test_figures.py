"""What figures of reports have in common."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from facskit.faces.images import read_image
from facskit.figures import bar_offsets, quiet_axes, save_figure, write_heading


def test_bars_stand_side_by_side_around_their_place() -> None:
    shifts, width = bar_offsets(2)
    np.testing.assert_allclose(shifts, [-0.2, 0.2])
    assert 0.3 < width < 0.4


def test_a_figure_is_saved_in_the_format_of_its_ending(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1))
    axes = figure.add_subplot()
    write_heading(axes, "Title", "and what is below", gap=17.0)
    quiet_axes(axes)
    assert not axes.spines["top"].get_visible()
    save_figure(figure, tmp_path / "deep" / "a.png", dpi=100)
    assert read_image(tmp_path / "deep" / "a.png").shape == (100, 200, 3)
    save_figure(figure, tmp_path / "a.svg", dpi=100)
    assert "<svg" in (tmp_path / "a.svg").read_text()
