from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from facskit.synthesis.backgrounds import background
from facskit.synthesis.degradation import degrade
from facskit.synthesis.scene import FLAWLESS, Background, BackgroundKind, Scene, sample_scene


@pytest.fixture
def scene() -> Scene:
    return replace(sample_scene(np.random.default_rng(0)), degradation=FLAWLESS)


@pytest.fixture
def picture() -> np.ndarray:
    rows, columns = np.mgrid[0:96, 0:96]
    return np.stack((rows * 2, columns * 2, rows + columns), -1).astype(np.uint8)


def _degraded(picture: np.ndarray, scene: Scene, **settings: object) -> np.ndarray:
    changed = replace(scene, degradation=replace(FLAWLESS, **settings))  # type: ignore[arg-type]
    return degrade(picture, changed, np.random.default_rng(0)).astype(int)


def test_clean_camera_hardly_changes_the_picture(picture: np.ndarray, scene: Scene) -> None:
    assert np.abs(_degraded(picture, scene) - picture).mean() < 2


def test_gain_brightens_and_contrast_flattens(picture: np.ndarray, scene: Scene) -> None:
    assert _degraded(picture, scene, gain=1.3).mean() > picture.mean() + 5
    assert _degraded(picture, scene, contrast=0.5).std() < 0.6 * picture.std()


def test_zero_saturation_is_grey(picture: np.ndarray, scene: Scene) -> None:
    grey = _degraded(picture, scene, saturation=0.0)
    assert np.ptp(grey, axis=-1).max() <= 3


def test_white_balance_tints(picture: np.ndarray, scene: Scene) -> None:
    tinted = _degraded(picture, scene, white_balance=(1.2, 1.0, 0.8))
    assert tinted[..., 0].mean() > picture[..., 0].mean()
    assert tinted[..., 2].mean() < picture[..., 2].mean()


@pytest.mark.parametrize("settings", [{"blur": 0.02}, {"motion": 0.08}, {"resolution": 0.3}])
def test_blurs_smooth_without_shifting(scene: Scene, settings: dict[str, float]) -> None:
    dot = np.zeros((97, 97, 3), np.uint8)
    dot[47:50, 47:50] = 255
    smooth = _degraded(dot, scene, **settings).mean(-1)
    smooth[smooth < 12] = 0  # ringing of the codec
    assert smooth.max() < 220
    rows, columns = np.mgrid[0:97, 0:97]
    assert abs((rows * smooth).sum() / smooth.sum() - 48) < 0.7
    assert abs((columns * smooth).sum() / smooth.sum() - 48) < 0.7


def test_noise_has_the_strength_asked_for(scene: Scene) -> None:
    flat = np.full((96, 96, 3), 128, np.uint8)
    noisy = _degraded(flat, scene, noise=0.04)
    assert 0.6 * 0.04 * 255 < noisy.std() < 1.2 * 0.04 * 255


def test_auto_exposure_lifts_dark_pictures(scene: Scene) -> None:
    dark = np.full((96, 96, 3), 25, np.uint8)
    assert _degraded(dark, scene, auto_exposure=0.8).mean() > 50


def test_degrading_is_deterministic(picture: np.ndarray) -> None:
    scene = sample_scene(np.random.default_rng(9))
    first, second = (degrade(picture, scene, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", get_args(BackgroundKind))
def test_backgrounds_have_the_size_and_repeat(scene: Scene, kind: BackgroundKind) -> None:
    colours = ((0.2, 0.3, 0.4), (0.6, 0.6, 0.5), (0.9, 0.2, 0.1))
    behind = replace(scene, background=Background(kind=kind, colours=colours, softness=0.3))
    first, second = (background(behind, 64, np.random.default_rng(4)) for _ in range(2))
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert (background(behind, 64, np.random.default_rng(5)) != first).any()


def test_a_veil_lifts_the_blacks(picture: np.ndarray, scene: Scene) -> None:
    assert _degraded(picture, scene, veil=0.25)[:8, :8].mean() > 50


def test_beautification_smooths_skin_and_keeps_edges(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    picture = np.full((96, 96, 3), 120, np.float64) + rng.normal(0, 4, (96, 96, 1))
    picture[:, 48:] += 100
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    smooth = _degraded(picture, scene, beautification=1.0)
    assert smooth[10:80, 5:40].std() < 0.6 * picture[10:80, 5:40].std()
    assert smooth[:, 52:].mean() - smooth[:, :44].mean() > 95


def test_sharpening_draws_halos_along_edges(scene: Scene) -> None:
    picture = np.full((256, 256, 3), 100, np.uint8)
    picture[:, 128:] = 150
    sharp = _degraded(picture, scene, sharpening=1.5)
    assert sharp[100, 127].mean() < 95
    assert sharp[100, 128].mean() > 155
    assert abs(sharp[100, 60].mean() - 100) < 3


def test_filmed_monitors_have_stripes(scene: Scene) -> None:
    flat = np.full((128, 128, 3), 128, np.uint8)
    assert _degraded(flat, scene, moire=0.1).std() > 3
    assert _degraded(flat, scene).std() < 1


def test_video_frames_lose_detail_and_stay_in_place(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    picture = np.clip(rng.normal(128, 20, (97, 95, 3)), 0, 255).astype(np.uint8)
    picture[20:40, 30:60] = (250, 40, 40)
    worst = _degraded(picture, scene, video_quantiser=42)
    assert worst.shape == picture.shape
    assert worst[60:, :].std() < 0.6 * picture[60:, :].astype(float).std()
    red = worst[..., 0] - worst[..., 1] > 100
    rows, columns = np.nonzero(red)
    assert abs(rows.mean() - 29.5) < 1
    assert abs(columns.mean() - 44.5) < 1
    np.testing.assert_array_equal(worst, _degraded(picture, scene, video_quantiser=42))
