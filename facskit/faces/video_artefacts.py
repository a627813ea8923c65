"""Compression of video: a picture as it comes out of a short H.264 clip."""

from fractions import Fraction

import av
import numpy as np
from jaxtyping import UInt8

__all__ = ["h264_artefacts"]

_FRAMES = 3
"""Length of the clip; its last frame, which leans on the others, is taken."""
_DRIFT = 2
"""How far the picture moves from frame to frame, pixels."""


def h264_artefacts(image: UInt8[np.ndarray, "height width 3"], quantiser: int) -> UInt8[np.ndarray, "height width 3"]:
    """Send a picture through a video that moves a little.

    Args:
        image: RGB pixels.
        quantiser: H.264's quantisation parameter: 0 without loss to 51; 24 looks good, 42 poor.

    Returns:
        The last frame as it is decoded, of the same size.
    """
    height, width = image.shape[:2]
    # H.264 halves the colours' resolution, so both sides must be even.
    padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = padded.shape[1], padded.shape[0], "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qp": str(quantiser), "preset": "veryfast", "tune": "zerolatency"}
    decoder = av.CodecContext.create("h264", "r")
    # More threads would give other bytes on other machines.
    encoder.thread_count = decoder.thread_count = 1
    packets = []
    for number in range(_FRAMES):
        moved = np.roll(padded, _DRIFT * (_FRAMES - 1 - number), axis=1)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = []
    for packet in packets:
        frames += decoder.decode(packet)
    frames += decoder.decode(None)
    decoded: UInt8[np.ndarray, "height width 3"] = frames[-1].to_ndarray(format="rgb24")[:height, :width]
    return decoded
