"""The packaged photographs and where their faces are, measured by eye."""

from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from facskit.faces.images import read_image

FOLDER = Path(str(files("facskit"))) / "assets" / "photographs"
LANDMARKS: dict[str, Float[np.ndarray, "5 2"]] = {
    "eileen_collins": np.array([[202.0, 100], [246, 104], [223, 124], [203, 142], [241, 143]]),
    "grace_hopper": np.array([[226.0, 198], [302, 190], [266, 238], [236, 279], [303, 273]]),
}


def portrait(name: str) -> UInt8[np.ndarray, "height width 3"]:
    return read_image(FOLDER / f"{name}.jpg")
