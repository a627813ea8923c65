"""Pictures in any shape a program has them in: paths, arrays, Pillow images, bytes, open files."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from facskit.errors import MediaError
from facskit.faces.images import decode_image, pixels_of_pillow, read_image
from facskit.files import path_text

__all__ = ["Picture", "array_of_tensor", "name_of", "pixels_of"]

Picture = object
"""A path, pixels, a Pillow image, the bytes of a file, or an open file; `pixels_of` refuses others."""

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
        case Image.Image():
            return pixels_of_pillow(picture)
    if callable(read := getattr(picture, "read", None)):
        data = read()
        if not isinstance(data, bytes):
            raise TypeError(f"found a file opened as text, {_EXPECTED}: open it with mode 'rb'")
        return decode_image(data, name_of(picture) or "the open file")
    if (array := array_of_tensor(picture)) is not None:
        return _pixels_of_array(array)
    raise TypeError(f"found {_called(picture)}, {_EXPECTED}")


def array_of_tensor(picture: object) -> Shaped[np.ndarray, "..."] | None:
    """Return a PyTorch tensor as an array with the colours last; None for anything else."""
    if not type(picture).__module__.startswith("torch") or not hasattr(picture, "detach"):
        return None
    array: Shaped[np.ndarray, "..."] = picture.detach().cpu().numpy()
    colours_first = array.ndim in {3, 4} and array.shape[-3] in {1, 3, 4} and array.shape[-1] not in {1, 3, 4}
    return np.moveaxis(array, -3, -1) if colours_first else array


def name_of(picture: Picture) -> str:
    """Return what tables call a picture: the path of its file, or nothing."""
    if isinstance(picture, str | Path):
        return path_text(Path(picture))
    name = getattr(picture, "name", None) or getattr(picture, "filename", None)
    return name if isinstance(name, str) else ""


def _called(picture: object) -> str:
    kind = f"{type(picture).__module__}.{type(picture).__name__}".removeprefix("builtins.")
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind}" if picture is not None else "None"


def _pixels_of_array(array: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "height width 3"]:
    """Return an array's pixels: whole numbers from 0 to 255 of any type; grey, RGB, or RGB with transparency."""
    found = f"found an array of {array.dtype} with shape {array.shape}"
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in {1, 3, 4}:
        hint = ": array.transpose(1, 2, 0) puts the colours last" if array.ndim == 3 and array.shape[0] == 3 else ""
        raise ValueError(f"{found}, {_EXPECTED}{hint}")
    if 0 in array.shape:
        raise ValueError(f"{found}, expected at least one pixel")
    if array.dtype != np.uint8:
        array = _whole_numbers(array, found)
    if array.shape[2] == 4:
        return pixels_of_pillow(Image.fromarray(np.ascontiguousarray(array), "RGBA"))
    return np.ascontiguousarray(np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array)


def _whole_numbers(array: Shaped[np.ndarray, "height width colours"], found: str) -> UInt8[np.ndarray, "..."]:
    """Return whole numbers as bytes; what floats stand for is for their owner to say."""
    if array.dtype.kind == "f":
        raise ValueError(
            f"{found}, {_EXPECTED}: (array * 255).round().astype(np.uint8) if it is 0 to 1, "
            "array.round().astype(np.uint8) if it is 0 to 255"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"{found}, {_EXPECTED}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 255:
        hint = ": (array // 257).astype(np.uint8) if it is 0 to 65535" if array.dtype == np.uint16 else ""
        raise ValueError(f"{found} and values from {low} to {high}, expected values from 0 to 255{hint}")
    return array.astype(np.uint8)
