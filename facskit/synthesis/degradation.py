"""Flaws: what lens, sensor, phone, screen and file make of a clean rendering, in the order in which they happen."""

import numpy as np
from jaxtyping import Float32, UInt8

from facskit.faces.drawing import blur, convolve, edge_preserving_blur, resize
from facskit.faces.filters import jpeg_artefacts
from facskit.faces.video_artefacts import h264_artefacts
from facskit.synthesis.scene import Degradation, Scene

__all__ = ["degrade"]

_SKIN_DETAIL, _SKIN_CONTRAST = 0.01, 0.12
"""Size, as a fraction of the width, and contrast, white being 1, of what phones smooth away."""
_HALO = 0.006
"""Width of the lines that sharpening adds, as a fraction of the picture's."""
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def degrade(
    image: UInt8[np.ndarray, "height width 3"], scene: Scene, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Take the clean rendering through a camera and a file; nothing moves in the picture.

    Args:
        image: RGB pixels.
        scene: Gives the strengths; see `Degradation`.

    Returns:
        A picture of the same size.
    """
    settings = scene.degradation
    light = image.astype(np.float32) / 255
    light = _expose(light, settings)
    light = _defocus(light, settings)
    light = _develop(light, settings)
    light = light + _grain(light.shape, settings, rng)
    light = _beautify(light, settings)
    light = _sharpen(light, settings)
    light = _film_screen(light, settings, rng)
    picture = _to_bytes(light)
    if settings.video_quantiser:
        picture = h264_artefacts(picture, settings.video_quantiser)
    return jpeg_artefacts(picture, settings.jpeg_quality)


def _expose(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    """Meter the middle of the picture as cameras do, where the face is."""
    height, width = light.shape[:2]
    middle = light[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None]
    wanted = np.float32(0.45) / max(float((middle @ _LUMA).mean()), 0.02)
    return light * np.float32(np.clip(wanted**settings.auto_exposure, 0.6, 4.0))


def _defocus(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    height, width = light.shape[:2]
    light = blur(light, settings.blur * width)
    length = settings.motion * width
    if length > 1:
        light = convolve(light, _motion_kernel(length, settings.motion_angle))
    if settings.resolution < 1:
        small = (round(width * settings.resolution), round(height * settings.resolution))
        light = resize(resize(light, small), (width, height))
    return light


def _motion_kernel(length: float, angle: float) -> Float32[np.ndarray, "side side"]:
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * side):
        row, column = np.round(side // 2 + step * np.array((np.sin(angle), np.cos(angle)))).astype(int)
        kernel[row, column] += 1
    return kernel / kernel.sum()


def _develop(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    light = np.clip(light * np.float32(settings.gain) * np.array(settings.white_balance, np.float32), 0, 1)
    light = light ** np.float32(settings.gamma)
    grey = (light @ _LUMA)[..., None]
    light = grey + np.float32(settings.saturation) * (light - grey)
    light = np.float32(0.5) + np.float32(settings.contrast) * (light - np.float32(0.5))
    # A bright window behind somebody lies as a veil over the whole picture.
    return light + np.float32(settings.veil) * (1 - light)


def _grain(shape: tuple[int, ...], settings: Degradation, rng: np.random.Generator) -> Float32[np.ndarray, "..."]:
    noise = rng.standard_normal(shape, np.float32) * np.float32(0.6)
    noise += rng.standard_normal(shape[:2], np.float32)[..., None] * np.float32(0.8)
    noise = blur(noise, settings.noise_grain)
    return noise * np.float32(settings.noise / max(float(noise.std()), 1e-6))


def _beautify(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    """Smooth skin as phones do: small differences go, edges stay."""
    if settings.beautification == 0:
        return light
    reach = max(light.shape[1] * _SKIN_DETAIL, 1.0)
    smooth = edge_preserving_blur(light, _SKIN_CONTRAST, reach)
    return light + np.float32(settings.beautification) * (smooth - light)


def _sharpen(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    """Sharpen as cameras do, with a dark and a light line along every edge."""
    if settings.sharpening == 0:
        return light
    return light + np.float32(settings.sharpening) * (light - blur(light, _HALO * light.shape[1]))


def _film_screen(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation, rng: np.random.Generator
) -> Float32[np.ndarray, "height width 3"]:
    """Film a monitor: its rows beat with the camera's in wide, faintly coloured stripes, and a band runs through."""
    if settings.moire == 0:
        return light
    height, width = light.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width] / width
    angle, waves = rng.uniform(0, np.pi), rng.uniform(6, 40)
    along = 2 * np.pi * waves * (np.cos(angle) * columns + np.sin(angle) * rows)
    stripes = np.sin(along[..., None] + rng.uniform(0, 0.8, 3))
    band = np.sin(2 * np.pi * rows + rng.uniform(0, 2 * np.pi))[..., None]
    return light * (1 + 0.5 * settings.moire * (stripes + band)).astype(np.float32)


def _to_bytes(light: Float32[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return np.clip(np.rint(light * 255), 0, 255).astype(np.uint8)
