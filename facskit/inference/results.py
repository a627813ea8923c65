"""`facskit.recognize`: anything that holds faces in; results that are lists, tables and pictures out."""

import base64
import html
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars
from jaxtyping import UInt8

from facskit.faces.images import encode_jpeg
from facskit.faces.media_files import is_video
from facskit.faces.pictures import Picture, array_of_tensor, name_of, pixels_of
from facskit.faces.video import FrameChoice
from facskit.inference.overlay import draw
from facskit.inference.recognition import Recognition, RecognizedFrame
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.inference.tables import layout
from facskit.models.recognition_info import RecognitionInfo

if TYPE_CHECKING:
    import pandas

__all__ = ["Result", "VideoResult", "recognize"]

_SHOWN = 6
"""Pictures that a notebook shows of a result."""
_SHOWN_SIDE = 900
"""Longer side of a picture in a notebook, in pixels."""


class _Tables:
    """Frames as tables, in the columns that `facskit recognize` writes."""

    _info: RecognitionInfo

    def __iter__(self) -> Iterator[RecognizedFrame]:
        raise NotImplementedError

    @property
    def faces(self) -> list[Recognition]:
        """All faces, picture after picture, the largest of each first."""
        faces: list[Recognition] = []
        for frame in self:
            faces += frame.faces
        return faces

    def to_polars(self) -> polars.DataFrame:
        """Return a table with a row per face, and one with `success` 0 for a picture without any."""
        info = self._info
        columns = layout("facskit", info.action_units, info.expressions, info.answers)
        rows = []
        for frame in self:
            rows += columns.rows(frame)
        return polars.DataFrame(rows, schema=dict(columns.schema))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the table of `to_polars` for pandas.

        Raises:
            ImportError: pandas isn't installed.
        """
        try:
            import pandas  # noqa: PLC0415 - not everybody has it
        except ImportError as error:
            raise ImportError("to_pandas needs pandas, which isn't installed: pip install pandas") from error
        return pandas.DataFrame(self.to_polars().to_dict(as_series=False))


@dataclass(frozen=True, eq=False)
class Result(_Tables):
    """What was recognised in photographs, in their order; a sequence of `RecognizedFrame`."""

    frames: tuple[RecognizedFrame, ...]
    """One per photograph, those without a face too."""
    _info: RecognitionInfo

    def __iter__(self) -> Iterator[RecognizedFrame]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: int) -> RecognizedFrame:
        return self.frames[place]

    def draw(self, place: int = 0) -> UInt8[np.ndarray, "height width 3"]:
        """Return one of the photographs with its faces framed and a bar for each action unit beside it, in RGB."""
        frame = self.frames[place]
        return draw(frame.image, frame.faces)

    def __repr__(self) -> str:
        lines = [] if self.frames else ["no picture"]
        for place, frame in enumerate(self.frames):
            lines.append(self._found(place))
            lines += [f"  {face}" for face in frame.faces]
        return "\n".join(lines)

    def _found(self, place: int) -> str:
        """Say in a few words what was found in a picture."""
        frame = self.frames[place]
        count = len(frame.faces)
        found = "no face" if not count else "1 face" if count == 1 else f"{count} faces"
        return f"{frame.source or f'picture {place}'}: {found}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the pictures with their faces, and the same in words."""
        parts = []
        for place in range(min(len(self), _SHOWN)):
            data = base64.b64encode(encode_jpeg(self.draw(place), 85)).decode()
            style = f"max-width: 100%; max-height: {_SHOWN_SIDE}px"
            alt = html.escape(f"{self._found(place)}, framed, with bars for the action units")
            parts.append(f'<img src="data:image/jpeg;base64,{data}" style="{style}" alt="{alt}">')
        if len(self) > _SHOWN:
            parts.append(f"<p>and {len(self) - _SHOWN} more</p>")
        return "".join(parts) + f"<pre>{html.escape(repr(self))}</pre>"


@dataclass(frozen=True, eq=False)
class VideoResult(_Tables):
    """A video whose frames are looked at while they are asked for: going through it is the work.

    Each of `for frame in result`, `result.faces` and `result.to_polars()` goes through the whole video anew, in memory
    that pictures don't fill; keep what it returns.
    """

    path: Path
    """The video."""
    _recognizer: Recognizer
    _info: RecognitionInfo
    every: int = 1
    """Which frames: every n-th."""

    def __iter__(self) -> Iterator[RecognizedFrame]:
        return self._recognizer.recognize_file(self.path, self.every)

    def __repr__(self) -> str:
        return f"{self.path}: a video; its frames are looked at when they are asked for"


def recognize(
    source: Picture | Iterable[Picture],
    *,
    weights: str | Path = "packaged",
    every: int = 1,
    device: str = "auto",
    config: RecognizerConfig | None = None,
) -> Result | VideoResult:
    """Recognise the faces of a photograph, of several, or of a video.

    A network is loaded at the first call and kept; threads may share it.

    Args:
        source: A path, an array of whole numbers (height, width, 3) in RGB order, a PyTorch tensor of them, a Pillow
            image, the bytes of a photograph, an open file; a list, tuple or iterator of these, or an array (pictures,
            height, width, 3); or the path of a video or animated picture.
        weights: `packaged`, the name of other weights, or the path of a weight file or of a finished run's folder.
        every: Of a video, look at every n-th frame.
        device: `auto`, `cpu`, `cuda`, `mps`, or one of several such as `cuda:1`.
        config: How to look.

    Returns:
        A result with `.faces`, `.to_pandas()`, `.to_polars()` and `.draw()` that notebooks show; of a video one to go
        through frame by frame.

    Raises:
        MediaError: A file can't be read.
        CheckpointError: The weights don't exist, or the device isn't there.
        TypeError: Something in `source` is no picture.
        ValueError: An array has another type or shape, or `every` isn't a whole number of at least 1.

    Example:
        ```python
        result = facskit.recognize("portrait.jpg")
        print(result.faces[0].probability("AU12"))
        ```
    """
    FrameChoice(every=every)
    recognizer = _recognizer(str(weights), device, config or RecognizerConfig())
    if isinstance(source, str | Path) and Path(source).is_file() and is_video(Path(source)):
        return VideoResult(Path(source), recognizer, recognizer.info, every)
    return Result(tuple(_look(recognizer, picture) for picture in _pictures(source)), recognizer.info)


def _pictures(source: Picture | Iterable[Picture]) -> Iterable[Picture]:
    array = array_of_tensor(source)
    source = source if array is None else array
    several = isinstance(source, list | tuple) or (isinstance(source, np.ndarray) and source.ndim == 4)
    # An open file is an iterator too, of its lines.
    several = several or (isinstance(source, Iterator) and not hasattr(source, "read"))
    return cast("Iterable[Picture]", source) if several else [source]


def _look(recognizer: Recognizer, picture: Picture) -> RecognizedFrame:
    if isinstance(picture, str | Path) and Path(picture).is_file() and is_video(Path(picture)):
        raise TypeError(f"{picture}: found a video among photographs; give it to recognize alone")
    return recognizer.recognize_picture(pixels_of(picture), name_of(picture))


_loading = threading.Lock()


def _recognizer(weights: str, device: str, config: RecognizerConfig) -> Recognizer:
    with _loading:
        return _load(weights, device, config)


@cache
def _load(weights: str, device: str, config: RecognizerConfig) -> Any:  # noqa: ANN401 - cache hides the type
    return Recognizer.from_checkpoint(weights, device, config)
