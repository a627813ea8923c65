"""Environments: the light of real places, as spherical harmonics of what reaches a matt surface, and as a few lamps.

Nine numbers per colour say within a few percent how bright a matt surface is, whatever direction it faces (Ramamoorthi
and Hanrahan, 2001: "An efficient representation for irradiance environment maps"). The renderer knows lamps, so that a
place is lit by the few that come closest. The packaged places are eighteen Poly Haven photographs (CC0);
`tools/package_environments.py` makes them.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.optimize
from jaxtyping import Float, Float32

from facskit.synthesis.scene import Light

__all__ = ["PACKAGED_ENVIRONMENTS", "Environment", "environments", "harmonics_of", "irradiance_of"]

PACKAGED_ENVIRONMENTS = Path(__file__).parent.parent / "assets" / "environments" / "environments.npz"

_LAMP_DIRECTIONS = 60
"""Places that a lamp may have, evenly around the head."""
_MOST_LAMPS = 4
"""Lamps that replace a place: each costs time and is mirrored in the eyes."""

_WEAKEST_LAMP = 0.02
"""Least strength of a lamp, as a part of the mean brightness."""

_LAMBERT = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5, dtype=np.float32)
"""How much of each band of the light a matt surface shows, the surface of reflectance 1 under even light being 1."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The light of one place."""

    name: str
    irradiance: Float32[np.ndarray, "9 3"]
    """Brightness of a white matt surface by its normal, in real spherical harmonics up to degree 2, RGB. The axes are
    the camera's: x to the right in the picture, y up, z towards the camera. 1 is the mean over all directions."""

    def turned(self, radians: float) -> "Environment":
        """Return the same place with the camera turned about the vertical axis.

        Args:
            radians: Turn of the place, from the z axis towards the x axis.
        """
        cosine, sine = np.cos(radians), np.sin(radians)
        turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        # Harmonics up to degree 2 are fixed by their values in enough directions, so a turn is a small least squares.
        directions = _even_directions(64)
        values = _basis(directions @ turn) @ self.irradiance
        turned, *_ = np.linalg.lstsq(_basis(directions), values, rcond=None)
        return Environment(name=self.name, irradiance=turned.astype(np.float32))

    def lamps(self, brightness: float) -> tuple[tuple[Light, ...], float]:
        """Return lamps, strongest first, and even light that together light a matt surface most like this place.

        Args:
            brightness: How bright the mean surface should be that faces the camera; 1 is white.
        """
        normals = _even_directions(200)
        wanted = self.brightness(normals.astype(np.float32)).mean(1)
        towards = _even_directions(_LAMP_DIRECTIONS)
        shown = np.column_stack([np.ones(len(normals)), np.maximum(normals @ towards.T, 0)])
        strengths, _ = scipy.optimize.nnls(shown, wanted)
        chosen = 1 + np.argsort(strengths[1:])[::-1][:_MOST_LAMPS]
        kept = np.concatenate([[0], chosen[strengths[chosen] > _WEAKEST_LAMP * wanted.mean()]])
        strengths, _ = scipy.optimize.nnls(shown[:, kept], wanted)
        strengths *= brightness / (shown[normals[:, 2] > 0][:, kept] @ strengths).mean()
        lights = []
        for row, strength in zip(kept[1:], strengths[1:], strict=True):
            if strength <= _WEAKEST_LAMP * brightness:
                continue
            direction = towards[row - 1]
            colour = self.brightness(direction[None].astype(np.float32))[0]
            red, green, blue = (float(value) for value in colour / colour.max())
            x, y, z = (float(value) for value in direction)
            lights.append(Light(direction=(x, y, z), colour=(red, green, blue), intensity=float(strength)))
        return tuple(sorted(lights, key=lambda light: -light.intensity)), float(strengths[0])

    def brightness(self, normals: Float32[np.ndarray, "points 3"]) -> Float32[np.ndarray, "points 3"]:
        """Return the light that a white matt surface sends back, RGB, never below 0.

        Args:
            normals: Unit normals in the camera's axes.
        """
        return np.maximum(_basis(normals) @ self.irradiance, 0).astype(np.float32)


@cache
def environments() -> tuple[Environment, ...]:
    """Return the packaged environments, in the order of their names."""
    with np.load(PACKAGED_ENVIRONMENTS, allow_pickle=False) as archive:
        names, irradiance = archive["names"], archive["irradiance"]
    return tuple(
        Environment(name=str(name), irradiance=each.astype(np.float32))
        for name, each in zip(names, irradiance, strict=True)
    )


def harmonics_of(radiance: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "9 3"]:
    """Project a panorama on real spherical harmonics up to degree 2.

    Args:
        radiance: Linear light of an equirectangular panorama: the top row looks up, the middle column along -z of the
            camera's axes, away from it, and columns to the right look to the right.
    """
    rows, columns = radiance.shape[:2]
    polar = (np.arange(rows) + 0.5) / rows * np.pi
    around = ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * np.pi
    directions = np.stack(
        [
            np.sin(polar)[:, None] * np.sin(around)[None],
            np.broadcast_to(np.cos(polar)[:, None], (rows, columns)),
            -np.sin(polar)[:, None] * np.cos(around)[None],
        ],
        axis=-1,
    )
    solid_angle = np.sin(polar) * (np.pi / rows) * (2 * np.pi / columns)
    weighted = radiance * solid_angle[:, None, None]
    return np.einsum("rcb,rcn->bn", _basis(directions), weighted)


def irradiance_of(harmonics: Float[np.ndarray, "9 3"]) -> Float[np.ndarray, "9 3"]:
    """Turn the light of a place into the brightness of a white matt surface there, 1 on the mean over all directions.

    Args:
        harmonics: The light, as `harmonics_of` gives it.
    """
    shown = harmonics * _LAMBERT[:, None]
    mean = float((shown[0] * _basis(np.array([[0.0, 0.0, 1.0]]))[0, 0]).mean())
    return shown / mean


def _basis(directions: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 9"]:
    """Return the nine real spherical harmonics of degree 0, 1 and 2 in unit directions."""
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    return np.stack(
        [
            np.full_like(x, 0.28209479),
            0.48860251 * y,
            0.48860251 * z,
            0.48860251 * x,
            1.09254843 * x * y,
            1.09254843 * y * z,
            0.31539157 * (3 * z**2 - 1),
            1.09254843 * x * z,
            0.54627422 * (x**2 - y**2),
        ],
        axis=-1,
    )


def _even_directions(count: int) -> Float[np.ndarray, "count 3"]:
    """Return directions spread evenly over the sphere: a spiral with the golden angle."""
    height = 1 - (2 * np.arange(count) + 1) / count
    around = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(around), height, radius * np.sin(around)], axis=1)
