"""Photographs with every quirk, generated here."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import UInt8
from PIL import Image

from facskit.errors import MediaError
from facskit.faces.images import decode_image, encode_jpeg, read_image, warp, write_image

Picture = UInt8[np.ndarray, "height width 3"]


def corners(height: int = 40, width: int = 60) -> Picture:
    """Grey with a red block in the top left corner and a blue one in the bottom right corner."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[:16, :16] = (230, 20, 20)
    image[-16:, -16:] = (20, 20, 230)
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def assert_upright(image: Picture, tolerance: int = 12) -> None:
    assert image.dtype == np.uint8
    assert image.shape == (40, 60, 3)
    assert np.abs(image[4:12, 4:12].astype(int) - (230, 20, 20)).max() <= tolerance
    assert np.abs(image[-12:-4, -12:-4].astype(int) - (20, 20, 230)).max() <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_common_formats_decode_to_rgb(kind: str) -> None:
    assert_upright(decode_image(encoded(Image.fromarray(corners()), kind), "photo"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation: int) -> None:
    upright = Image.fromarray(corners())
    stored_as = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if stored_as is None else upright.transpose(stored_as)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_upright(decode_image(encoded(stored, "JPEG", quality=95, exif=exif), "phone.jpg"))


def test_nonsense_exif_does_not_spoil_the_picture() -> None:
    data = encoded(Image.fromarray(corners()), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    assert_upright(decode_image(data, "photo.jpg"))


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_becomes_three_equal_colours(mode: str) -> None:
    image = decode_image(encoded(Image.fromarray(corners()).convert(mode), "PNG"), "grey.png")
    assert image.shape == (40, 60, 3)
    assert (image == image[..., :1]).all()


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    levels = np.linspace(0, 65535, 60).astype(np.uint16)[None].repeat(40, axis=0)
    image = decode_image(encoded(Image.fromarray(levels), "PNG"), "deep.png")
    np.testing.assert_array_equal(image[0, :, 0], np.rint(levels[0] / 257))


def test_float_tiff_from_zero_to_one() -> None:
    levels = np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(40, axis=0)
    image = decode_image(encoded(Image.fromarray(levels), "TIFF"), "float.tiff")
    np.testing.assert_array_equal(image[0, :, 1], np.rint(levels[0] * 255))


def test_palette_with_transparency_is_put_on_white() -> None:
    palette = Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE)
    clear = palette.getpixel((30, 20))
    image = decode_image(encoded(palette, "PNG", transparency=clear), "palette.png")
    assert_upright(image)
    assert image[20, 30].tolist() == [255, 255, 255]


def test_alpha_is_composited_on_white() -> None:
    pixels = np.dstack([corners(), np.full((40, 60), 255, np.uint8)])
    pixels[20:, :30, 3] = 0
    pixels[:20, 30:, 3] = 128
    image = decode_image(encoded(Image.fromarray(pixels), "PNG"), "alpha.png")
    assert image[30, 10].tolist() == [255, 255, 255]
    assert np.abs(image[10, 40].astype(int) - 191).max() <= 1


def test_cmyk_jpeg_keeps_its_colours() -> None:
    image = decode_image(encoded(Image.fromarray(corners()).convert("CMYK"), "JPEG", quality=95), "print.jpg")
    assert_upright(image, tolerance=25)


def test_first_frame_of_an_animated_gif() -> None:
    first, second = Image.fromarray(corners()), Image.new("RGB", (60, 40), "green")
    image = decode_image(encoded(first, "GIF", save_all=True, append_images=[second]), "moving.gif")
    assert_upright(image, tolerance=30)


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it is 60000 x 60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_thirteen_thousand_pixels_squared_is_too_large() -> None:
    data = encoded(Image.new("1", (13000, 13000)), "PNG")
    with pytest.raises(
        MediaError, match=r"^huge\.png: found a picture of 13000 x 13000 pixels, expected at most 150 me"
    ):
        decode_image(data, "huge.png")


BROKEN = {
    "empty.jpg": (b"", "found an empty file, expected a JPEG"),
    "text.jpg": (b"this is no photograph\n" * 9, "found text, expected a JPEG"),
    "noise.jpg": (bytes(range(256)) * 4, "found data in an unknown format, expected a JPEG"),
    "clip.jpg": (b"\0\0\0\x18ftypisom" + bytes(64), "found a video, expected a JPEG"),
    "phone.heic": (
        b"\0\0\0\x18ftypheic" + bytes(64),
        "found a HEIC photograph (pip install 'facskit[heic]' reads those), expected a JPEG",
    ),
    "bomb.png": (bomb(), "found a picture of far more pixels than expected, at most 150 megapixels"),
    "start.jpg": (b"\xff\xd8\xff", "found a photograph that is damaged or cut short, expected a JPEG"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_photograph_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    data, sentence = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError) as caught:
        read_image(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ")
    assert sentence in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_cut_short_files_are_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(MediaError, match=r"^photo: found .*(damaged|cut short).*, expected"):
        decode_image(data[: int(len(data) * share)], "photo")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_random_damage_never_raises_anything_but_a_media_error(kind: str) -> None:
    rng = np.random.default_rng(1)
    data = encoded(Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)), kind)
    for _ in range(60):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), 6):
            damaged[position] = int(rng.integers(0, 256))
        try:
            image = decode_image(bytes(damaged), "photo")
        except MediaError:
            continue
        assert image.ndim == 3


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.jpg: can't open it \(no such file or directory\)"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(MediaError, match="can't open it \\(is a folder\\)"):
        read_image(tmp_path)


def test_write_and_read_back(tmp_path: Path) -> None:
    write_image(tmp_path / "new" / "a.png", corners())
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), corners())
    write_image(tmp_path / "a.jpg", corners())
    assert_upright(read_image(tmp_path / "a.jpg"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.jpg", "a.png", "new"]
    with pytest.raises(MediaError, match=r"a\.txt: found the ending '\.txt', expected \.jpg, \.png or \.webp"):
        write_image(tmp_path / "a.txt", corners())


def test_jpeg_quality_changes_the_size() -> None:
    assert len(encode_jpeg(corners(), 30)) < len(encode_jpeg(corners(), 95))
    assert_upright(decode_image(encode_jpeg(corners()), "jpeg"))


def test_warp_by_whole_pixels_is_exact() -> None:
    image = np.random.default_rng(2).integers(0, 255, (20, 30, 3), np.uint8)
    moved = warp(image, np.array([[1.0, 0, 3], [0, 1, -2]]), (30, 20), fill=9)
    np.testing.assert_array_equal(moved[:18, 3:], image[2:, :27])
    assert (moved[:, :3] == 9).all()
    assert (moved[18:] == 9).all()


def test_warp_equals_loops_when_it_enlarges() -> None:
    image = np.random.default_rng(3).integers(0, 255, (12, 12, 3), np.uint8)
    angle, zoom = 0.3, 1.7
    rotation = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([rotation, [4.0, -1.0]])
    warped = warp(image, matrix, 16, fill=0)
    for y in range(16):
        for x in range(16):
            u, v = np.linalg.solve(rotation, np.array([x, y]) - matrix[:, 2])
            if not (1 <= u <= 10 and 1 <= v <= 10):
                continue
            left, top = int(u), int(v)
            a, b = u - left, v - top
            patch = image[top : top + 2, left : left + 2].astype(float)
            wanted = (1 - b) * ((1 - a) * patch[0, 0] + a * patch[0, 1]) + b * ((1 - a) * patch[1, 0] + a * patch[1, 1])
            assert np.abs(warped[y, x] - wanted).max() <= 12  # cv2 rounds positions to 1/32 pixel


def test_warp_averages_when_it_shrinks() -> None:
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 255  # bilinear sampling alone would hit one colour only
    small = warp(stripes, np.array([[0.1, 0, -0.45], [0, 0.1, -0.45]]), 20)
    assert np.abs(small[1:-1, 1:-1].astype(int) - 127).max() <= 6


def test_warp_keeps_positions_when_it_shrinks() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    image[140:161, 90:111] = 255  # centred on (100, 150)
    small = warp(image, np.array([[0.2, 0, 5.0], [0, 0.2, -4.0]]), 60, fill=0).astype(float)[..., 0]
    ys, xs = np.mgrid[:60, :60]
    centre = (small * xs).sum() / small.sum(), (small * ys).sum() / small.sum()
    np.testing.assert_allclose(centre, (25.0, 26.0), atol=0.1)


def test_warp_looking_past_the_picture_gives_the_fill() -> None:
    assert (warp(corners(), np.array([[1.0, 0, 500], [0, 1, 0]]), 8) == 127).all()
    with pytest.raises(ValueError, match="matrix must map the plane one to one, its zoom is 0"):
        warp(corners(), np.zeros((2, 3)), 8)
