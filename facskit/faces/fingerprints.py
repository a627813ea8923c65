"""Fingerprints of pictures: one that only equal pixels share, and one that pictures that look alike nearly share."""

import hashlib
from math import isqrt

import imagehash
import numpy as np
from jaxtyping import UInt8, UInt64
from PIL import Image

__all__ = ["COARSE_BITS", "FINE_BITS", "perceptual_hashes", "pixel_digest"]

COARSE_BITS = 64
"""Bits of the hash that finds candidates."""
FINE_BITS = 256
"""Bits of the hash that confirms them."""


def pixel_digest(image: UInt8[np.ndarray, "height width 3"]) -> tuple[int, int]:
    """Return 128 bits that two pictures share exactly if they have the same size and the same pixels.

    Pixels and not bytes of the file are looked at, so that a copy with other metadata, or packed without loss in
    another format, is recognised; files with equal bytes have equal pixels anyway.

    Returns:
        The first 16 bytes of SHA-256 over height, width and pixels, as two integers below 2^64. Among 9 million
        different pictures the chance that any two share them is about 1e-25.
    """
    digest = hashlib.sha256(np.array(image.shape[:2], "<u4").tobytes())
    digest.update(np.ascontiguousarray(image).data)
    first, second = np.frombuffer(digest.digest()[:16], "<u8")
    return int(first), int(second)


def perceptual_hashes(image: UInt8[np.ndarray, "height width 3"]) -> UInt64[np.ndarray, "5"]:
    """Return bits that change little when a picture is resized, recompressed or slightly recoloured.

    Faces look much alike: among 1,440 rendered faces, five of their aligned crops lie within 4 of 64 bits of another
    one, which would be thousands of false copies among millions. So 64 bits find candidates and 256 bits confirm them.

    Returns:
        The coarse hash of 64 bits as one word, then the fine one as four. How many bits differ says how different two
        pictures look.

    Paper:
        Zauner, *Implementation and benchmarking of perceptual image hash functions* (2010), as the library imagehash
        computes it: signs of the lowest 8 x 8 (16 x 16) cosine frequencies of the picture in grey, shrunk to 32 x 32
        (64 x 64) pixels, against their median.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    bits = [imagehash.phash(picture, hash_size=isqrt(count)).hash.ravel() for count in (COARSE_BITS, FINE_BITS)]
    return np.packbits(np.concatenate(bits)).view(">u8").astype(np.uint64)
