"""The sound of a video, carried over into another one: decoded, cut to a stretch of time, encoded as AAC."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.audio.stream
import av.container

__all__ = ["Sound", "SoundCopy"]

_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Samples a second that AAC is played with everywhere."""
_BITS = 160_000
"""Bits a second."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Which sound belongs to a video."""

    source: Path
    """The video or sound file it's from; one without sound gives silence."""
    start: float = 0.0
    """Seconds from the source's first picture at which the sound begins."""


class SoundCopy:
    """Writes the sound of one file into a video that is being written, as far as its pictures have come.

    Args:
        container: What is written, before anything else is in it.
    """

    def __init__(self, sound: Sound, container: av.container.OutputContainer) -> None:
        self._sound = sound
        self._container = container
        self._input: av.container.InputContainer | None = None
        self._frames: Iterator[tuple[float, av.AudioFrame]] = iter(())
        self._next: tuple[float, av.AudioFrame] | None = None
        # Damaged sound ends early; pictures are what the video is about.
        with suppress(av.FFmpegError, OSError, ValueError):
            self._input = av.open(str(sound.source))
        if self._input is None or not self._input.streams.audio:
            return
        source = self._input.streams.audio[0]
        rate = source.rate if source.rate in _RATES else 48000
        layout = "mono" if source.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=rate)
        self._stream.bit_rate = _BITS
        self._stream.layout = layout
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        self._rate = rate
        self._frames = self._decoded(self._input, source)
        self._next = next(self._frames, None)

    def write_until(self, seconds: float) -> None:
        """Write what is heard before a time, in seconds from the first picture that is written."""
        while self._next is not None and self._next[0] < seconds:
            time, frame = self._next
            frame.pts, frame.time_base = round(time * self._rate), Fraction(1, self._rate)
            for ready in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(ready))
            self._next = next(self._frames, None)

    def close(self) -> None:
        """Write what the encoder still holds, and close the source."""
        if self._input is None:
            return
        if self._input.streams.audio:
            for ready in self._resampler.resample(None):
                self._container.mux(self._stream.encode(ready))
            self._container.mux(self._stream.encode(None))
        self._input.close()

    def _decoded(
        self, container: av.container.InputContainer, source: av.audio.stream.AudioStream
    ) -> Iterator[tuple[float, av.AudioFrame]]:
        """Yield pieces of sound and when they begin, in seconds from the first picture written."""
        pictures = container.streams.video
        first = pictures[0].start_time if pictures else 0
        zero = float((first or 0) * (pictures[0].time_base or 0)) if pictures else 0.0
        if self._sound.start > 0:
            container.seek(max(0, int((zero + self._sound.start - 1) * av.time_base)))
        with suppress(av.FFmpegError, OSError):
            for frame in container.decode(source):
                if frame.pts is None or frame.time_base is None:
                    continue
                time = float(frame.pts * frame.time_base) - zero - self._sound.start
                if time >= 0:
                    yield time, frame
