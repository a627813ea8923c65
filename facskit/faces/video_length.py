"""Whether a video is all there: what its header declares against the time that was reached."""

from pathlib import Path

import av.container
import av.video.stream

__all__ = ["declared_seconds", "frame_rate", "missing_part"]

_WHOLE = 0.9
"""Share of the frames and of the time without which a video counts as cut short."""
_SLACK = 0.5
"""Seconds that may be missing where only the time is declared: sound is often a little longer than the picture."""
_UNDECLARED = frozenset({"mpeg", "mpegts", "ogg", "h264", "hevc", "m4v", "mpegvideo", "mjpeg"})
"""Kinds of file without a length in their header: FFmpeg then finds one by what is there."""
_ASF_HEADER = 1 << 16
_ASF_FILE_PROPERTIES = bytes.fromhex("A1DCAB8C47A9CF118EE400C00C205365")
"""What the object with the file's size begins with: the size is 40 bytes further on."""


def declared_seconds(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> tuple[float | None, bool]:
    """Return a video's length in seconds, None where nothing says it, and whether a header declares it.

    What no header declares is measured on what is there, so a cut file looks complete.
    """
    kinds = set(container.format.name.split(","))
    seconds = None if container.duration is None else container.duration / av.time_base
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    if "avi" in kinds and stream.frames:
        # FFmpeg shortens the length of an AVI to what its file can hold; the number of frames stays as it was.
        seconds = stream.frames / frame_rate(stream)
    fragmented = "mp4" in kinds and not stream.frames
    declared = seconds is not None or "asf" in kinds
    return seconds, declared and not kinds & _UNDECLARED and not fragmented


def frame_rate(stream: av.video.stream.VideoStream) -> float:
    """Return the mean number of frames a second; 25 where nothing says it."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else 25.0


def missing_part(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, frames: int, reached: float
) -> str | None:
    """Say what a decoded video lacks, such as `72 of 150 frames`; None for one that is complete or can't be checked.

    Args:
        frames: Number of frames that were decoded.
        reached: Seconds to the end of the last frame, by the file's clock, which need not start at 0.
    """
    seconds, _ = declared_seconds(container, stream)
    if container.format.name == "asf":
        return _missing_bytes(Path(container.name))
    if seconds is None or reached >= _WHOLE * seconds or (not stream.frames and reached >= seconds - _SLACK):
        return None
    # A trimmed MP4 declares frames that it doesn't show, so its time must be short too; others know only the time.
    if not stream.frames:
        return f"{reached:.1f} of {seconds:.1f} seconds"
    return f"{frames} of {stream.frames} frames" if frames < _WHOLE * stream.frames else None


def _missing_bytes(path: Path) -> str | None:
    """Compare an ASF file (WMV) with the size in its header: FFmpeg forgets the length of those that are cut."""
    with path.open("rb") as file:
        head = file.read(_ASF_HEADER)
    place = head.find(_ASF_FILE_PROPERTIES)
    if place < 0:
        return None
    declared = int.from_bytes(head[place + 40 : place + 48], "little")
    found = path.stat().st_size
    return f"{found} of {declared} bytes" if found < _WHOLE * declared else None
