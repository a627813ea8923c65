"""Circumstances of a picture: lights, camera, pose, background and the flaws of cameras and files.

Every value is drawn without looking at any action unit. `Scene.nuisance` lists all of them as plain numbers, so that a
test can show that no label depends on how the picture was taken.
"""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

__all__ = ["FLAWLESS", "Background", "BackgroundKind", "Degradation", "Light", "Scene", "sample_scene"]

Triple = tuple[float, float, float]
BackgroundKind = Literal["flat", "gradient", "clutter", "shapes", "room"]
_BACKGROUNDS: tuple[BackgroundKind, ...] = ("flat", "gradient", "clutter", "shapes", "room")


@dataclass(frozen=True, kw_only=True)
class Light:
    """A light at infinity, in the camera's coordinates."""

    direction: Triple
    """Unit vector towards the light: x to the right in the picture, y up, z towards the camera."""
    colour: Triple
    """RGB between 0 and 1."""
    intensity: float
    """1 lights a surface that faces it fully."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """What is behind the head."""

    kind: BackgroundKind
    colours: tuple[Triple, Triple, Triple]
    """RGB between 0 and 1."""
    softness: float
    """0 sharp to 1 far out of focus."""


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """What lens, sensor and file format do to the picture; lengths are fractions of the picture's width."""

    blur: float
    """Standard deviation of the lens blur."""
    motion: float
    """Length of the motion blur."""
    motion_angle: float
    """Direction of the motion in radians."""
    resolution: float
    """1 for none; 0.3 means sampled down to 30 % of the width and up again."""
    auto_exposure: float
    """0 for none to 1 for a camera that brings every picture to the same brightness."""
    gain: float
    """Factor on the light."""
    gamma: float
    """Exponent on the picture after the gain."""
    contrast: float
    """Factor on the distance from middle grey."""
    white_balance: Triple
    """Factor on red, green and blue."""
    saturation: float
    """0 grey, 1 unchanged."""
    noise: float
    """Standard deviation of the sensor noise, 1 being white."""
    noise_grain: float
    """Size of a grain of the noise in pixels."""
    veil: float
    """How much a bright window or lamp behind the head washes out the picture: 0 none to 0.3."""
    beautification: float
    """How much a phone smooths skin: 0 none to 1."""
    sharpening: float
    """How much a camera sharpens edges: 0 none to about 2, with halos."""
    moire: float
    """Strength of a monitor's stripes, where one is filmed: 0 none to 0.1."""
    video_quantiser: int
    """H.264's quantiser where the picture is cut from a video: 24 good to 42 poor; 0 for photographs."""
    jpeg_quality: int
    """30 to 98."""


FLAWLESS = Degradation(
    blur=0.0,
    motion=0.0,
    motion_angle=0.0,
    resolution=1.0,
    auto_exposure=0.0,
    gain=1.0,
    gamma=1.0,
    contrast=1.0,
    white_balance=(1.0, 1.0, 1.0),
    saturation=1.0,
    noise=0.0,
    noise_grain=0.5,
    veil=0.0,
    beautification=0.0,
    sharpening=0.0,
    moire=0.0,
    video_quantiser=0,
    jpeg_quality=98,
)
"""A camera that changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture's circumstances."""

    lights: tuple[Light, ...]
    ambient: float
    """Light from everywhere: 0 none, 1 as much as a full lamp."""
    fov_degrees: float
    """Vertical field of view; small for a tele lens from far away."""
    fill: float
    """Height of the face from chin to brows as a fraction of the picture."""
    offset: tuple[float, float]
    """Shift of the face to the right and down, as fractions of the picture."""
    pose: Triple
    """Pitch (positive looks up), yaw (positive towards the subject's left), roll, in radians."""
    gaze: tuple[float, float]
    """Pitch and yaw of the eyes in the head, in radians."""
    lid_lowering: float
    """How far both lids hang without any action, 0 to 0.3 of closed."""
    background: Background
    degradation: Degradation

    def nuisance(self) -> dict[str, float]:
        """List everything that must have nothing to do with the labels.

        Returns:
            One number per name; the key light stands for the lights.
        """
        key = self.lights[0]
        values = {
            "key_x": key.direction[0],
            "key_y": key.direction[1],
            "key_z": key.direction[2],
            "key_intensity": key.intensity,
            "key_warmth": key.colour[0] - key.colour[2],
            "num_lights": float(len(self.lights)),
            "total_light": sum(light.intensity for light in self.lights),
            "ambient": self.ambient,
            "fov_degrees": self.fov_degrees,
            "fill": self.fill,
            "offset_x": self.offset[0],
            "offset_y": self.offset[1],
            "pitch": self.pose[0],
            "yaw": self.pose[1],
            "roll": self.pose[2],
            "gaze_pitch": self.gaze[0],
            "gaze_yaw": self.gaze[1],
            "lid_lowering": self.lid_lowering,
            "background_kind": float(_BACKGROUNDS.index(self.background.kind)),
            "background_brightness": float(np.mean(self.background.colours)),
            "background_softness": self.background.softness,
            "red_balance": self.degradation.white_balance[0],
            "blue_balance": self.degradation.white_balance[2],
        }
        scalars = (field.name for field in fields(Degradation) if field.name != "white_balance")
        return values | {name: float(getattr(self.degradation, name)) for name in scalars}


def sample_scene(rng: np.random.Generator) -> Scene:
    """Invent the circumstances of one picture.

    Args:
        rng: The only source of chance; the same state gives the same scene.

    Returns:
        A scene: mostly frontal and decently lit, with hard light, turned heads and poor cameras among them.
    """
    lights, ambient = _sample_lights(rng)
    spread = 1.0 if rng.random() < 0.85 else 1.9
    limit = np.radians(40)
    pitch, yaw, roll = np.clip(np.radians(rng.normal(0, (8, 13, 7))) * spread, -limit, limit)
    return Scene(
        lights=lights,
        ambient=ambient,
        fov_degrees=float(rng.uniform(8, 45)),
        fill=float(rng.uniform(0.35, 0.6)),
        offset=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
        pose=(float(pitch), float(yaw), float(roll)),
        gaze=(
            float(np.radians(np.clip(rng.normal(0, 7), -18, 18))),
            float(np.radians(np.clip(rng.normal(0, 10), -25, 25))),
        ),
        lid_lowering=float(rng.beta(1, 3) * 0.3),
        background=_sample_background(rng),
        degradation=_sample_degradation(rng),
    )


def _sample_lights(rng: np.random.Generator) -> tuple[tuple[Light, ...], float]:
    mood = rng.random()
    if mood < 0.55:  # soft light from the front, as indoors
        key, fill, ambient = rng.uniform(0.35, 0.6), rng.uniform(0.2, 0.4), rng.uniform(0.35, 0.55)
        azimuth = rng.normal(0, 25)
    elif mood < 0.75:
        key, fill, ambient = rng.uniform(0.45, 0.8), rng.uniform(0.1, 0.3), rng.uniform(0.22, 0.45)
        azimuth = rng.normal(0, 40)
    elif mood < 0.9:  # one hard light from the side
        key, fill, ambient = rng.uniform(0.7, 1.0), rng.uniform(0.05, 0.2), rng.uniform(0.18, 0.35)
        azimuth = rng.choice([-1, 1]) * rng.uniform(45, 85)
    else:  # against the light: the room lights the face, a lamp its rim
        key, fill, ambient = rng.uniform(0.25, 0.5), rng.uniform(0.1, 0.3), rng.uniform(0.35, 0.6)
        azimuth = rng.normal(0, 40)
    lights = [_light(rng, float(azimuth), float(rng.normal(30, 20)), float(key))]
    lights.append(_light(rng, float(-azimuth + rng.normal(0, 25)), float(rng.normal(5, 20)), float(fill)))
    if mood >= 0.9 or rng.random() < 0.2:
        lights.append(_light(rng, float(rng.choice([-1, 1]) * rng.uniform(110, 160)), float(rng.uniform(0, 50)), 0.8))
    return tuple(lights), float(ambient)


def _light(rng: np.random.Generator, azimuth: float, elevation: float, intensity: float) -> Light:
    around, above = np.radians(azimuth), np.radians(np.clip(elevation, -45, 80))
    direction = (np.sin(around) * np.cos(above), np.sin(above), np.cos(around) * np.cos(above))
    warmth, tint = rng.normal(0, 0.07), rng.normal(0, 0.02)
    colour = np.clip(np.array((1 + warmth, 1 + tint, 1 - warmth)), 0.5, 1.3)
    colour /= colour.max()
    return Light(direction=_triple(direction), colour=_triple(colour), intensity=intensity)


def _sample_background(rng: np.random.Generator) -> Background:
    kind = _BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))]
    first = rng.uniform(0, 1) * np.ones(3) + rng.normal(0, 0.07, 3)
    others = [first + rng.normal(0, 0.25) + rng.normal(0, 0.07, 3) for _ in range(2)]
    colours = [_triple(np.clip(colour, 0, 1)) for colour in (first, *others)]
    return Background(kind=kind, colours=(colours[0], colours[1], colours[2]), softness=float(rng.random()))


def _sample_degradation(rng: np.random.Generator) -> Degradation:
    poor, dark = rng.random() < 0.25, rng.random() < 0.06
    balance = np.exp(rng.normal(0, (0.07, 0.02, 0.09)))
    gain = float(np.exp(rng.normal(0.02, 0.2)))
    noise = float(rng.uniform(0.01, 0.04) if poor else min(rng.exponential(0.006), 0.02))
    return Degradation(
        blur=float(rng.uniform(0.002, 0.008) if poor and rng.random() < 0.5 else rng.uniform(0, 0.0025)),
        motion=float(rng.uniform(0.005, 0.025)) if poor and rng.random() < 0.4 else 0.0,
        motion_angle=float(rng.uniform(0, np.pi)),
        # 0.2 leaves some 40 pixels of a face on a picture of 256.
        resolution=float(rng.uniform(0.2, 0.9)) if poor and rng.random() < 0.7 else 1.0,
        auto_exposure=float(rng.uniform(0.3, 0.95)),
        gain=gain * float(rng.uniform(0.5, 0.8)) if dark else gain,
        gamma=float(np.exp(rng.normal(0, 0.15))),
        contrast=float(rng.uniform(0.75, 1.2)),
        white_balance=_triple(balance / balance.mean()),
        saturation=0.0 if rng.random() < 0.08 else float(rng.uniform(0.5, 1.15)),
        noise=noise + float(rng.uniform(0.01, 0.04)) if dark else noise,
        noise_grain=float(rng.uniform(0.3, 1.2)),
        veil=float(rng.uniform(0.05, 0.3)) if rng.random() < 0.1 else 0.0,
        beautification=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.12 else 0.0,
        sharpening=float(rng.uniform(0.3, 1.8)) if rng.random() < 0.25 else 0.0,
        moire=float(rng.uniform(0.02, 0.1)) if rng.random() < 0.03 else 0.0,
        video_quantiser=int(rng.integers(24, 43)) if rng.random() < 0.2 else 0,
        jpeg_quality=int(rng.integers(30, 75) if poor else rng.integers(70, 99)),
    )


def _triple(values: tuple[float, float, float] | np.ndarray) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third
