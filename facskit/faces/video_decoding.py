"""Decoding that survives damage: where data can't be decoded, it goes on at the next key frame."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import av
import av.container
import av.video.stream

__all__ = ["Decoding"]


@dataclass(slots=True)
class Decoding:
    """The pictures of a video, in the order they are shown, and the gaps between them."""

    container: av.container.InputContainer
    stream: av.video.stream.VideoStream
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """Number of the first frame that can't be decoded and of the next one that can, of each gap so far."""
    breaks_off: bool = False
    """Whether the file ended where it should go on."""

    def pictures(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield each picture with its number; frames that can't be decoded count."""
        sent, index, lost = 0, 0, False
        for packet in self._packets():
            if lost and packet.is_keyframe:
                self.gaps.append((index, sent))
                index, lost = sent, False
            if not lost:
                try:
                    for picture in packet.decode():
                        yield index, picture
                        index += 1
                except (av.FFmpegError, OSError):
                    for picture in self._held_back():
                        yield index, picture
                        index += 1
                    lost = True
            sent += packet.size > 0
        if lost:
            self.gaps.append((index, max(sent, index + 1)))

    def _packets(self) -> Iterator["av.Packet[av.video.stream.VideoStream]"]:
        """Yield what can be read; a file that breaks off ends it."""
        try:
            yield from self.container.demux(self.stream)
        except (av.FFmpegError, OSError):
            self.breaks_off = True

    def _held_back(self) -> list[av.VideoFrame]:
        """Return good pictures that the decoder still held when it met damage, and make it ready for a key frame."""
        held: list[av.VideoFrame] = []
        with suppress(av.FFmpegError, OSError):
            held += self.stream.codec_context.decode(None)
        self.stream.codec_context.flush_buffers()
        return held
