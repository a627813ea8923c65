"""Photographs: decode, encode, warp. The only module that knows EXIF rotation and colour orders.

Everywhere else an image is `uint8` RGB with shape (height, width, 3). Pixel positions have their origin at the centre
of the top-left pixel, x to the right and y downwards, so that a picture spans -0.5 to width - 0.5.
"""

import importlib.util
import io
import struct
import warnings
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facskit.errors import MediaError
from facskit.faces.media_files import content_kind
from facskit.files import atomic_path

__all__ = [
    "MAX_PIXELS",
    "check_size",
    "decode_image",
    "encode_jpeg",
    "pixels_of_pillow",
    "read_image",
    "readable_formats",
    "warp",
    "write_image",
]

MAX_PIXELS = 150_000_000
"""Larger pictures are refused before they are unpacked: a few kilobytes can claim to be gigapixels."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000")
_EXPECTED = "expected a JPEG, PNG, WebP, AVIF, BMP, TIFF or GIF photograph"
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow's readers raise all of these for broken files: SyntaxError for PNG chunks, LookupError for TIFF tags, and more
_FORMAT_FAULTS = (SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error, zlib.error)
_DECODER_FAULTS = (OSError, OverflowError, MemoryError, Image.DecompressionBombError, *_FORMAT_FAULTS)


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a photograph as it should be seen: upright, RGB, 8 bits, transparency on white.

    Raises:
        MediaError: The file is missing, empty, no photograph, cut short, damaged or absurdly large.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "is a folder" if path.is_dir() else (error.strerror or "unreadable").lower()
        raise MediaError(f"{path}: can't open it ({reason}); {_EXPECTED}") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a photograph from memory; see `read_image`.

    Args:
        name: What to call it in errors.
        max_pixels: A picture that claims to have more is refused before it is unpacked.

    Raises:
        MediaError: The data is empty, no photograph, cut short, damaged or absurdly large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about size and odd metadata; size is checked below
            picture = Image.open(io.BytesIO(data), formats=readable_formats())
    except Image.DecompressionBombError as error:
        limit = max_pixels / 1_000_000
        raise MediaError(
            f"{name}: found a picture of far more pixels than expected, at most {limit:g} megapixels"
        ) from error
    except _DECODER_FAULTS as error:
        raise MediaError(f"{name}: found {_describe(data)}, {_EXPECTED}") from error
    check_size(picture.size, name, max_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.load()
            return _to_rgb(_turn_upright(picture))
    except _DECODER_FAULTS as error:
        kind = picture.format or "picture"
        raise MediaError(f"{name}: found a damaged or cut-short {kind} file, expected a complete one") from error


def check_size(size: tuple[int, int], name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a picture that has too many pixels for being unpacked.

    Args:
        size: Width and height in pixels, as its header says.
        name: What to call it in errors.

    Raises:
        MediaError: It has more pixels than may be.
    """
    width, height = size
    if width * height > max_pixels:
        limit = max_pixels / 1_000_000
        raise MediaError(f"{name}: found a picture of {width} x {height} pixels, expected at most {limit:g} megapixels")


def pixels_of_pillow(picture: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """Return a Pillow image's pixels, turned as its camera says.

    Raises:
        MediaError: It is damaged.
    """
    try:
        return _to_rgb(_turn_upright(picture))
    except _DECODER_FAULTS as error:
        raise MediaError(f"found a damaged or cut-short {picture.format or 'Pillow image'}") from error


@cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are read; HEIC where its reader is installed."""
    if importlib.util.find_spec("pillow_heif") is None:
        return _FORMATS
    importlib.import_module("pillow_heif").register_heif_opener()
    return (*_FORMATS, "HEIF")


def _describe(data: bytes) -> str:
    if not data:
        return "an empty file"
    kind = content_kind(data)
    if kind == "video":
        return "a video"
    if kind == "photograph":
        heic = data[8:11] in {b"hei", b"hev", b"mif", b"msf"}
        readable = "a photograph that is damaged or cut short"
        return "a HEIC photograph (pip install 'facskit[heic]' reads those)" if heic else readable
    head = data[:512]
    is_text = b"\0" not in head and sum(byte >= 32 or byte in b"\t\r\n" for byte in head) > 0.95 * len(head)
    return "text" if is_text else "data in an unknown format"


def _turn_upright(picture: Image.Image) -> Image.Image:
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG)
    except _DECODER_FAULTS:  # damaged metadata doesn't spoil the pixels
        return picture
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if method is None else picture.transpose(method)


def _to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    if picture.mode.startswith(("I", "F")):
        # 16-bit integers are scaled by 1/257, 32-bit integers by their largest value, floats from 0..1 or 0..255
        values = np.asarray(picture)
        levels = np.nan_to_num(values.astype(np.float64))
        peak = float(levels.max(initial=0.0))
        full = (1.0 if peak <= 1 else 255.0) if values.dtype.kind == "f" else max(65535.0, peak)
        grey = np.clip(np.rint(levels * (255 / full)), 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def encode_jpeg(image: UInt8[np.ndarray, "height width 3"], quality: int = 92) -> bytes:
    """Encode an image as JPEG of a quality from 1 to 100."""
    return _encode(image, "JPEG", quality)


def _encode(image: UInt8[np.ndarray, "height width 3"], kind: str, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format=kind, quality=quality)
    return buffer.getvalue()


def write_image(path: Path, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write an image; the format follows the file's ending. The file appears complete or not at all.

    Args:
        path: Where to write; its folder is made when missing.

    Raises:
        MediaError: The ending is no writable image format, or the file can't be written.
    """
    path = Path(path)
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}.get(path.suffix.lower())
    if kind is None:
        raise MediaError(f"{path}: found the ending {path.suffix!r}, expected .jpg, .png or .webp to write an image")
    data = _encode(image, kind, 92)
    try:
        with atomic_path(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise MediaError(f"{path}: can't write the image ({(error.strerror or 'failed').lower()})") from error


def warp(
    image: UInt8[np.ndarray, "height width 3"],
    matrix: Float[np.ndarray, "2 3"],
    size: int | tuple[int, int],
    fill: int = 127,
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """Resample an image through an affine map, averaging over source pixels when it shrinks.

    Args:
        matrix: Maps source pixel positions (x, y, 1) to output pixel positions.
        size: Output side, or (width, height), in pixels.
        fill: Grey level of output pixels outside the source.

    Raises:
        ValueError: The map flattens the plane.
    """
    width, height = (size, size) if isinstance(size, int) else size
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if not np.isfinite(zoom) or zoom < 1e-9:
        raise ValueError(f"matrix must map the plane one to one, its zoom is {zoom}")
    # The part of the source that the output looks at, with a margin.
    corners = np.array([[-1, -1], [width, -1], [-1, height], [width, height]], np.float64)
    source = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    margin = 2 + 2 / zoom
    left, top = (int(max(0, low)) for low in np.floor(source.min(axis=0) - margin))
    highest = np.ceil(source.max(axis=0) + margin)
    right, bottom = int(min(image.shape[1], highest[0])), int(min(image.shape[0], highest[1]))
    if right <= left or bottom <= top:
        return np.full((height, width, 3), fill, np.uint8)
    window = np.ascontiguousarray(image[top:bottom, left:right])
    offset = np.array([left, top], np.float64)
    shrink = np.ones(2)
    if zoom < 0.8:  # bilinear sampling looks at four pixels only: average first, so that detail doesn't alias
        wanted = tuple(max(1, round(side * zoom * 1.25)) for side in (right - left, bottom - top))
        shrink = np.array(wanted) / (right - left, bottom - top)
        window = cv2.resize(window, wanted, interpolation=cv2.INTER_AREA)
    # window pixel p comes from source pixel (p + 0.5) / shrink - 0.5 + offset
    to_output = np.column_stack([matrix[:, :2] / shrink, matrix[:, :2] @ (0.5 / shrink - 0.5 + offset) + matrix[:, 2]])
    warped = cv2.warpAffine(
        window,
        to_output,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill, fill, fill),
    )
    return np.asarray(warped, dtype=np.uint8)
