"""Tests of the light of real places."""

import numpy as np
import pytest

from facskit.synthesis.environments import Environment, environments, harmonics_of, irradiance_of

UP, RIGHT, FRONT = np.eye(3, dtype=np.float32)[[1, 0, 2]]


def _directions() -> np.ndarray:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((200, 3))
    return (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


def test_even_light_is_one_from_everywhere() -> None:
    irradiance = irradiance_of(harmonics_of(np.full((32, 64, 3), 7.0)))
    place = Environment(name="even", irradiance=irradiance.astype(np.float32))
    assert np.allclose(place.brightness(_directions()), 1, atol=2e-3)


@pytest.mark.parametrize(("row", "column", "bright", "dark"), [(2, 0, UP, -UP), (32, 95, RIGHT, -RIGHT)])
def test_a_small_lamp_lights_what_faces_it(row: int, column: int, bright: np.ndarray, dark: np.ndarray) -> None:
    panorama = np.zeros((64, 128, 3))
    panorama[row, column] = 1.0
    place = Environment(name="lamp", irradiance=irradiance_of(harmonics_of(panorama)).astype(np.float32))
    lit, unlit = place.brightness(np.stack([bright, dark]))
    # Exact is max(0, cosine) over its mean 1/4; degree 2 alone gives 4.25 in front and 0.25 behind (17/16, 1/16 of 4).
    assert lit == pytest.approx(4.25, abs=0.1)
    assert unlit == pytest.approx(0.25, abs=0.1)


def test_harmonics_match_the_integral_within_a_few_percent() -> None:
    """The claim of the method, against light summed over the whole panorama."""
    rng = np.random.default_rng(1)
    coarse = rng.uniform(0, 1, (4, 8, 3))
    panorama = np.kron(coarse, np.ones((16, 16, 1)))
    rows, columns = panorama.shape[:2]
    polar = (np.arange(rows) + 0.5) / rows * np.pi
    around = ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * np.pi
    place = Environment(name="random", irradiance=irradiance_of(harmonics_of(panorama)).astype(np.float32))
    normals = _directions()[:20]
    expected = np.zeros((20, 3))
    for row in range(rows):
        for column in range(columns):
            towards = np.array(
                [
                    np.sin(polar[row]) * np.sin(around[column]),
                    np.cos(polar[row]),
                    -np.sin(polar[row]) * np.cos(around[column]),
                ]
            )
            cosine = np.maximum(normals @ towards, 0) * np.sin(polar[row])
            expected += cosine[:, None] * panorama[row, column]
    shown = place.brightness(normals)
    ratio = (shown / expected) / (shown / expected).mean()
    assert np.abs(ratio - 1).max() < 0.05


def test_turning_moves_the_light_about_the_vertical_axis() -> None:
    place = environments()[0]
    turned = place.turned(np.pi / 2)
    assert np.allclose(turned.brightness(UP[None]), place.brightness(UP[None]), atol=1e-4)
    assert np.allclose(turned.brightness(RIGHT[None]), place.brightness(FRONT[None]), atol=1e-4)
    assert np.allclose(turned.turned(-np.pi / 2).irradiance, place.irradiance, atol=1e-4)


def test_few_lamps_light_like_the_place() -> None:
    normals = _directions()
    front = normals[:, 2] > 0
    for place in environments():
        lights, ambient = place.lamps(brightness=0.9)
        assert 1 <= len(lights) <= 4
        assert all(light.intensity > 0.005 for light in lights)
        assert [light.intensity for light in lights] == sorted((light.intensity for light in lights), reverse=True)
        shown = np.full(len(normals), ambient)
        for light in lights:
            shown += light.intensity * np.maximum(normals @ np.array(light.direction), 0)
        assert shown[front].mean() == pytest.approx(0.9, abs=0.1)
        wanted = place.brightness(normals).mean(1)
        # Measured: 4 to 18 % of the mean, most where all light comes from one side.
        assert np.abs(shown / shown.mean() - wanted / wanted.mean()).mean() < 0.2


def test_the_packaged_places_light_from_above_on_the_whole() -> None:
    places = environments()
    assert len(places) == 18
    brightness = np.stack([place.brightness(np.stack([UP, -UP])).mean(1) for place in places])
    assert np.mean(brightness[:, 0] > brightness[:, 1]) > 0.8
