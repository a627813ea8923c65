from dataclasses import replace

import numpy as np
import pytest

from facskit.synthesis.casting import sample_looks
from facskit.synthesis.drawn_details import IRISES, drawn_iris
from facskit.synthesis.eyes import EYE_TEXTURE_DEGREES, paint_eyeball
from facskit.synthesis.linear_light import to_linear, toned
from facskit.synthesis.looks import Looks

SIZE = 256
ALL = range(IRISES + 1)


@pytest.fixture(scope="module")
def looks() -> Looks:
    return replace(sample_looks(np.random.default_rng(3)), iris_rgb=(0.45, 0.35, 0.2), sclera_rgb=(0.75, 0.7, 0.68))


def degrees() -> np.ndarray:
    """Return the angle from the eye's axis at each texel."""
    across = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    return np.hypot(across[:, None], across) * EYE_TEXTURE_DEGREES


def ring(picture: np.ndarray, first: float, last: float) -> np.ndarray:
    """Return the colours between two angles from the eye's axis, in linear light."""
    return to_linear(picture[(degrees() > first) & (degrees() < last)].astype(np.float32) / 255)


@pytest.mark.parametrize("number", ALL)
def test_eyes_have_a_black_pupil_and_the_persons_colours(looks: Looks, number: int) -> None:
    picture = paint_eyeball(replace(looks, drawn_iris=number), SIZE)
    assert ring(picture, 0, 6).max() < 0.01
    iris, sclera = (to_linear(np.array(rgb, np.float32)) for rgb in (looks.iris_rgb, looks.sclera_rgb))
    np.testing.assert_allclose(ring(picture, 14, 23).mean(0) / iris, 1, atol=0.45)
    np.testing.assert_allclose(ring(picture, 30, 50).mean(0) / sclera, 1, atol=0.05)


@pytest.mark.parametrize("number", ALL[1:])
def test_drawn_irises_have_fibres_and_a_dark_rim(looks: Looks, number: int) -> None:
    plain, drawn = (paint_eyeball(replace(looks, drawn_iris=each), SIZE) for each in (0, number))
    brightness = ring(drawn, 17, 19).mean(-1)
    assert brightness.std() > 0.08 * brightness.mean()
    assert brightness.std() > 2 * ring(plain, 17, 19).mean(-1).std()
    iris, _ = drawn_iris(number)
    assert iris[-2:].mean() < 0.9 * iris[6:18].mean()
    assert iris.mean() == pytest.approx(1, abs=0.03)


def test_veins_are_faint_and_fade_out(looks: Looks) -> None:
    _, veins = drawn_iris(1)
    np.testing.assert_allclose(veins.mean(1), 1, atol=1e-4)
    np.testing.assert_allclose(veins[-1], 1, atol=1e-6)
    assert 0.005 < veins[:12].std() < 0.1
    drawn, plain = (paint_eyeball(replace(looks, drawn_iris=number), SIZE) for number in (1, 0))
    np.testing.assert_array_equal(drawn[degrees() > 60], plain[degrees() > 60])


def test_fibres_go_around_without_a_seam(looks: Looks) -> None:
    """Where the columns of the factors end and begin again, neighbours differ as much as elsewhere."""
    iris, _ = drawn_iris(1)
    steps = np.abs(iris - np.roll(iris, 1, axis=1)).mean((0, 2))
    assert steps[0] < np.quantile(steps, 0.95)
    first, again = (paint_eyeball(replace(looks, drawn_iris=1), SIZE) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    turned = paint_eyeball(replace(looks, drawn_iris=1, seed=looks.seed + 1), SIZE)
    assert (turned != first).any()


def test_linear_light_and_back() -> None:
    colours = np.linspace(0, 1, 30, dtype=np.float32).reshape(10, 3)
    np.testing.assert_allclose(toned(colours, np.ones_like(colours)), colours, atol=1e-5)
    # sRGB's own values: half of white's light is 0.735, a fifth 0.485.
    halved = toned(np.ones((2, 3), np.float32), np.array([[0.5] * 3, [0.2] * 3], np.float32))
    np.testing.assert_allclose(halved[:, 0], [0.7354, 0.4845], atol=1e-3)
