"""Pictures in any shape a program has them in: paths, arrays, Pillow images, bytes, open files."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from facskit.errors import MediaError
from facskit.faces.images import decode_image, pixels_of_pillow, read_image
from facskit.files import path_text

__all__ = ["Picture", "name_of", "pixels_of"]

Picture = object
"""A path, uint8 pixels, a Pillow image, the bytes of a file, or an open file; `pixels_of` refuses others."""

_EXPECTED = "expected a path, a uint8 array (height, width, 3) in RGB order, a Pillow image, bytes or an open file"


def pixels_of(picture: Picture) -> UInt8[np.ndarray, "height width 3"]:
    """Return a picture's pixels as they should be seen: upright, RGB, transparency on white.

    Raises:
        MediaError: It can't be read as a photograph.
        TypeError: It is nothing that holds a picture.
        ValueError: It is an array of another kind.
    """
    match picture:
        case np.ndarray():
            return _pixels_of_array(picture)
        case "":
            raise MediaError(f"found an empty path, {_EXPECTED}")
        case str() if "://" in picture:
            raise MediaError(f"{picture}: addresses aren't opened, {_EXPECTED}; download it first")
        case str() | Path():
            return read_image(Path(picture))
        case bytes() | bytearray() | memoryview():
            return decode_image(bytes(picture), "the bytes")
    if (pixels := pixels_of_pillow(picture)) is not None:
        return pixels
    if callable(read := getattr(picture, "read", None)):
        data = read()
        if not isinstance(data, bytes):
            raise TypeError(f"found a file opened as text, {_EXPECTED}: open it with mode 'rb'")
        return decode_image(data, name_of(picture) or "the open file")
    kind = f"{type(picture).__module__}.{type(picture).__name__}".removeprefix("builtins.")
    if kind.startswith("torch."):
        raise TypeError(f"found a {kind}, {_EXPECTED}: (tensor.permute(1, 2, 0) * 255).byte().numpy() if it is 0 to 1")
    raise TypeError(f"found a {kind}, {_EXPECTED}")


def name_of(picture: Picture) -> str:
    """Return what tables call a picture: the path of its file, or nothing."""
    if isinstance(picture, str | Path):
        return path_text(Path(picture))
    name = getattr(picture, "name", None) or getattr(picture, "filename", None)
    return name if isinstance(name, str) else ""


def _pixels_of_array(array: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "height width 3"]:
    found = f"found an array of {array.dtype} with shape {array.shape}"
    if array.dtype != np.uint8:
        hint = ": (array * 255).astype(np.uint8) if it is 0 to 1" if array.dtype.kind == "f" else ""
        raise ValueError(f"{found}, {_EXPECTED}{hint}")
    if array.ndim == 2:
        return np.repeat(array[:, :, np.newaxis], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3:
        hint = ": array.transpose(1, 2, 0) puts the colours last" if array.ndim == 3 and array.shape[0] == 3 else ""
        raise ValueError(f"{found}, {_EXPECTED}{hint}")
    return array
