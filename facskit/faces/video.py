"""Videos, one frame at a time: memory use doesn't grow with length, and timestamps come from the file."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from numbers import Integral
from pathlib import Path
from types import TracebackType

import av
import av.container
import av.video.stream
import numpy as np
from jaxtyping import UInt8

from facskit.errors import MediaError
from facskit.faces.animations import animation_frames
from facskit.faces.media_files import is_animation
from facskit.faces.sound import Sound, SoundCopy
from facskit.faces.upright import upright
from facskit.faces.video_decoding import Decoding
from facskit.faces.video_length import declared_seconds, frame_rate, missing_part
from facskit.files import atomic_path

__all__ = ["ALL_FRAMES", "Frame", "FrameChoice", "VideoInfo", "VideoWriter", "frames", "video_info"]

_EXPECTED = "expected a video such as MP4, MOV, AVI, MKV or WebM"
_CLOCK = 90_000
_TICK = 1e-3  # seconds that the clocks of files are rounded to
_TIME_BASE = Fraction(1, _CLOCK)  # fine enough for any frame rate


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video's header says."""

    width: int
    """Width in pixels, as shown (after rotation)."""
    height: int
    """Height in pixels, as shown (after rotation)."""
    fps: float
    """Mean number of frames per second."""
    frames: int | None
    """Number of frames; None when the header doesn't say. An estimate where the header gives only the duration."""
    duration_s: float | None
    """Length in seconds; None when nothing says it."""
    length_declared: bool
    """Whether the header declares the length. Where it doesn't, as in MPEG transport streams, nobody can tell whether
    the file is complete."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video."""

    index: int
    """Number of the frame in the video, from 0; skipped frames count."""
    timestamp: float
    """Seconds from the video's start, from the file's own clock, so a variable frame rate does no harm."""
    image: UInt8[np.ndarray, "height width 3"]
    """The picture, upright, RGB."""


@contextmanager
def _open(path: Path) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """Open a video and its first picture stream."""
    if not path.is_file():
        raise MediaError(f"{path}: found no file there, {_EXPECTED}")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: found an empty file, {_EXPECTED}")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path}: found no readable video in it (damaged or cut short?), {_EXPECTED}") from error
    with container:
        if not container.streams.video:
            raise MediaError(f"{path}: found no picture stream in it, {_EXPECTED}")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def video_info(path: Path) -> VideoInfo:
    """Read a video's header and, for its rotation, its first frame.

    Raises:
        MediaError: The file is missing, no video, or damaged.
    """
    path = Path(path)
    if is_animation(path):
        return _animation_info(path)
    height, width = next(frames(path)).image.shape[:2]
    with _open(path) as (container, stream):
        duration, declared = declared_seconds(container, stream)
        fps = frame_rate(stream)
        count = stream.frames or (round(duration * fps) if duration else None)
        return VideoInfo(
            width=width, height=height, fps=fps, frames=count, duration_s=duration, length_declared=declared
        )


def _animation_info(path: Path) -> VideoInfo:
    """Go through an animation, whose header says nothing of its length."""
    count, seconds, size = 0, 0.0, (0, 0)
    with suppress(MediaError):  # where it is damaged, that is said when its frames are looked at
        for frame in animation_frames(path):
            count, seconds = count + 1, frame.timestamp + frame.lasts
            size = frame.image.shape[1], frame.image.shape[0]
    fps = count / seconds if seconds else 25.0
    return VideoInfo(width=size[0], height=size[1], fps=fps, frames=count, duration_s=seconds, length_declared=True)


@dataclass(frozen=True, kw_only=True)
class FrameChoice:
    """Which frames of a video are wanted; all conditions count."""

    every: int = 1
    """Every n-th frame, starting with the first."""
    per_second: float | None = None
    """At most so many frames in a second of the file's own clock; None for no limit."""
    start: float = 0.0
    """Seconds from the video's start."""
    end: float | None = None
    """Seconds from the video's start before which frames are wanted; None for its end."""

    def __post_init__(self) -> None:
        """Refuse what no frame fulfils."""
        if isinstance(self.every, bool) or not isinstance(self.every, Integral) or self.every < 1:
            raise ValueError(f"every must be a whole number of at least 1, got {self.every!r}")
        if self.per_second is not None and not self.per_second > 0:
            raise ValueError(f"fps must be above 0, got {self.per_second:g}")
        if not self.start >= 0 or (self.end is not None and self.end <= self.start):
            raise ValueError(f"start must be at least 0 and before the end, got {self.start:g} to {self.end}")

    def count(self, info: VideoInfo) -> int | None:
        """Return about how many frames of a video are wanted; None where nothing says how long it is."""
        if info.duration_s is None:
            return None if info.frames is None else -(-info.frames // self.every)
        seconds = max(0.0, min(info.duration_s, self.end or info.duration_s) - self.start)
        return max(1, round(seconds * info.fps * self.share(info.fps)))

    def share(self, fps: float) -> float:
        """Return about which part of the frames between start and end is wanted.

        Args:
            fps: Mean number of frames a second of the video.
        """
        limited = 1.0 if self.per_second is None else min(1.0, self.per_second / fps)
        return min(limited, 1 / self.every)


ALL_FRAMES = FrameChoice()


def frames(path: Path, choice: FrameChoice = ALL_FRAMES) -> Generator[Frame]:
    """Decode a video frame by frame; only one frame is in memory at a time.

    Args:
        choice: Which frames are given; those before are decoded too, so that numbers and times stay true.

    Yields:
        The frames in the order they are shown.

    Raises:
        MediaError: The file is missing, no video, damaged, or cut short; the last two may show only after
            the last good frame, and what comes after the end that is wanted isn't looked at.
    """
    due = choice.start
    pictures = _animation(Path(path)) if is_animation(Path(path)) else _decoded(Path(path))
    for index, shown, pixels in pictures:
        if choice.end is not None and shown >= choice.end:
            return
        if index % choice.every == 0 and shown >= due - _TICK:
            if choice.per_second is not None:
                steps = (shown - choice.start + _TICK) * choice.per_second
                due = choice.start + (math.floor(steps) + 1) / choice.per_second
            yield Frame(index, shown, pixels())


_Pictures = Generator[tuple[int, float, Callable[[], UInt8[np.ndarray, "height width 3"]]]]
"""Number, time in seconds from the start, and what makes the pixels of each frame where they are wanted."""


def _animation(path: Path) -> _Pictures:
    for index, frame in enumerate(animation_frames(path)):
        yield index, frame.timestamp, partial(np.asarray, frame.image)


def _decoded(path: Path) -> _Pictures:
    index = -1
    with _open(path) as (container, stream):
        start: float | None = None
        time, fps = 0.0, frame_rate(stream)
        pixel_aspect = stream.sample_aspect_ratio
        decoding = Decoding(container, stream)
        for index, picture in decoding.pictures():
            time = picture.time if picture.time is not None else index / fps
            start = time if start is None else start
            yield index, time - start, partial(upright, picture, pixel_aspect)
        fault = _fault(decoding, index + 1, max(time, time - (start or 0.0)) + 1 / fps)
        if fault is not None:
            raise MediaError(f"{path}: {fault}")


def _fault(decoding: Decoding, count: int, reached: float) -> str | None:
    """Say what is wrong with a video that was decoded to its end; None for a good one."""
    if count == 0 and not decoding.gaps:
        return f"found no picture in it (damaged or cut short?), {_EXPECTED}"
    missing = missing_part(decoding.container, decoding.stream, count, reached)
    if missing is not None and count:
        return f"found {missing}, the file is damaged or cut short; expected a complete video"
    if decoding.gaps:
        return f"found damaged data, {_gaps(decoding.gaps)}; expected a complete video"
    if decoding.breaks_off:
        return f"found damaged data after {count} good frames; expected a complete video"
    return None


def _gaps(gaps: Sequence[tuple[int, int]]) -> str:
    """Say which frames are missing."""
    missing = sum(end - first for first, end in gaps)
    places = ", ".join(f"{first} to {end - 1}" if end - first > 1 else str(first) for first, end in gaps[:3])
    more = " and more" if len(gaps) > 3 else ""
    return f"{missing} {'frame is' if missing == 1 else 'frames are'} missing (number {places}{more})"


class VideoWriter:
    """Writes frames into an MP4 file that appears complete or not at all; use it as a context manager.

    Args:
        path: The file to write; must end in `.mp4`.
        fps: Clock of the file in frames per second; frames may come at any of its ticks.
        sound: What is heard meanwhile; None for silence.

    Raises:
        MediaError: The ending is not `.mp4`, or writing fails.
    """

    def __init__(self, path: Path, fps: float, sound: Sound | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise MediaError(f"{path}: found the ending {self.path.suffix!r}, expected .mp4 to write a video")
        self._atomic = atomic_path(self.path)
        try:
            self._container = av.open(str(self._atomic.__enter__()), mode="w", options={"movflags": "+faststart"})
        except OSError as error:
            raise MediaError(f"{path}: can't write the video ({(error.strerror or 'failed').lower()})") from error
        self._fps = fps
        self._stream: av.video.stream.VideoStream | None = None
        self._wanted_sound = sound
        self._sound: SoundCopy | None = None
        self._last_tick = -1

    def write(self, image: UInt8[np.ndarray, "height width 3"], timestamp: float) -> None:
        """Append a frame.

        Args:
            image: The picture; all frames share the size of the first. An odd last row or column is cut off.
            timestamp: Seconds from the start; later than the frame before.
        """
        height, width = (side // 2 * 2 for side in image.shape[:2])  # the 4:2:0 pixel format halves the colours
        if self._stream is None:
            self._stream = self._start(width, height)
            self._sound = None if self._wanted_sound is None else SoundCopy(self._wanted_sound, self._container)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        tick = max(self._last_tick + 1, round(timestamp * _CLOCK))
        picture.pts, picture.time_base = tick, _TIME_BASE
        self._last_tick = tick
        self._container.mux(self._stream.encode(picture))
        if self._sound is not None:
            self._sound.write_until(timestamp)

    def _start(self, width: int, height: int) -> av.video.stream.VideoStream:
        rate = Fraction(self._fps).limit_denominator(1001)
        if "libx264" in av.codecs_available:
            stream = self._container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        else:
            stream = self._container.add_stream("mpeg4", rate=rate, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        return stream

    def __enter__(self) -> "VideoWriter":
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file and move it into place, or remove it after an error."""
        try:
            if kind is None and self._stream is not None:
                self._container.mux(self._stream.encode())
                if self._sound is not None:
                    self._sound.write_until(self._last_tick / _CLOCK + 1 / self._fps)
                    self._sound.close()
            self._container.close()
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._atomic.__exit__(kind, error, trace)
