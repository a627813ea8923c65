import numpy as np
import pytest

from facskit.faces.heat_maps import blend_heat_map, heat_colours


def test_colours_go_from_blue_over_green_to_red_and_the_range_is_fixed() -> None:
    low, middle, high = heat_colours(np.array([[0.0, 0.5, 1.0]]))[0].astype(int)
    assert low[2] > 100 > max(low[0], low[1])
    assert middle[1] > 200
    assert high[0] > 100 > max(high[1], high[2])
    assert (heat_colours(np.array([[-3.0, 7.0, np.nan]]))[0] == [low, high, low]).all()
    faint = heat_colours(np.array([[0.0, 0.1]]))
    assert faint[0, 1, 0] < 50  # no stretching to the values' own range


def test_the_map_lies_over_the_picture_by_its_share() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    values = np.zeros((10, 10), np.float32)
    values[2, 7] = 1
    whole = blend_heat_map(image, values, 1.0).astype(int)
    half = blend_heat_map(image, values, 0.5).astype(int)
    assert np.abs(half - (whole + 200) / 2).max() <= 1
    assert (blend_heat_map(image, values, 0.0) == image).all()
    hot = np.unravel_index(np.argmax(whole[..., 0] - whole[..., 2]), (40, 40))
    assert np.abs(np.array(hot) - [9.5, 29.5]).max() <= 1.5
    with pytest.raises(ValueError, match="alpha must be from 0 to 1, got 2"):
        blend_heat_map(image, values, 2)
