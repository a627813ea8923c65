"""Fingerprints: equal pixels share the digest, copies nearly share the hash, different faces don't."""

import io
from functools import cache

import numpy as np
import pytest
from jaxtyping import UInt8
from PIL import Image

from facskit.datasets.packed import packaged_faces
from facskit.faces.fingerprints import perceptual_hashes, pixel_digest
from facskit.faces.images import decode_image, encode_jpeg, warp

Picture = UInt8[np.ndarray, "height width 3"]


faces = cache(packaged_faces)


def big(row: int) -> Picture:
    return warp(faces().image(row), np.array([[1.75, 0, 0.375], [0, 1.75, 0.375]]), 224)


def differing(one: Picture, other: Picture) -> tuple[int, int]:
    bits = np.bitwise_count(perceptual_hashes(one) ^ perceptual_hashes(other))
    return int(bits[0]), int(bits[1:].sum())


def test_the_digest_looks_at_pixels_and_shape_alone() -> None:
    image = big(0)
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG")
    assert pixel_digest(decode_image(packed.getvalue(), "png")) == pixel_digest(image)
    other = image.copy()
    other[100, 100, 1] ^= 1
    assert pixel_digest(other) != pixel_digest(image)
    assert pixel_digest(np.ascontiguousarray(image.reshape(112, 448, 3))) != pixel_digest(image)
    assert pixel_digest(np.asfortranarray(image)) == pixel_digest(image)


def half(image: Picture) -> Picture:
    small = warp(image, np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]]), 112)
    return warp(small, np.array([[2.0, 0, 0.5], [0, 2.0, 0.5]]), 224)


@pytest.mark.parametrize("copy", [lambda image: decode_image(encode_jpeg(image, 50), "copy"), half])
def test_copies_are_near(copy: "object") -> None:
    assert callable(copy)
    for row in range(0, 600, 60):
        image = big(row)
        coarse, fine = differing(image, copy(image))
        assert coarse <= 4
        assert fine <= 16


def test_faces_are_apart() -> None:
    hashes = np.stack([perceptual_hashes(big(row)) for row in range(0, 1440, 12)])
    fine = np.bitwise_count(hashes[:, None, 1:] ^ hashes[None, :, 1:]).sum(axis=-1)
    assert fine[~np.eye(len(hashes), dtype=bool)].min() > 32


def test_hashes_are_those_of_imagehash() -> None:
    import imagehash

    image = big(7)
    expected = int(str(imagehash.phash(Image.fromarray(image))), 16)
    assert int(perceptual_hashes(image)[0]) == expected
    fine = "".join(f"{int(word):016x}" for word in perceptual_hashes(image)[1:])
    assert fine == str(imagehash.phash(Image.fromarray(image), hash_size=16))
