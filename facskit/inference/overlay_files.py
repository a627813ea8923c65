"""Overlays as files: a JPEG for each photograph, an MP4 with its sound for each video."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from facskit.action_units import ActionUnitSet
from facskit.errors import RecipeError
from facskit.expressions import ExpressionSet
from facskit.faces.images import write_image
from facskit.faces.sound import Sound
from facskit.faces.video import VideoWriter
from facskit.inference.overlay import OverlayConfig, draw
from facskit.inference.picture_names import distinct_names
from facskit.inference.recognition import RecognizedFrame

__all__ = ["FIGURES", "Overlays", "check_figure", "check_writable"]

FIGURES = (".png", ".svg", ".pdf")
"""The file name endings of figures."""

_VIDEO_SIDE = 1280
"""Least longer side in pixels of a video that is asked for by its name, so that its text can be read in a talk."""


class Overlays:
    """Where pictures and videos with boxes and bars go: a folder, and for the one video a file if wanted.

    `portrait.png` becomes `portrait_overlay.jpg`; files of one name have as much of their folders in it as tells them
    apart. The folder is made with the first file; one that can't be written to is refused at once.

    Args:
        files: What is going to be drawn, which decides about names.
        folder: Where overlays go; None for none.
        video_file: Where the overlay of the one video goes, instead of into the folder.
        panels: How many faces of a video have bars; others have a box.
    """

    def __init__(
        self,
        files: Sequence[Path],
        action_units: ActionUnitSet,
        expressions: ExpressionSet | None = None,
        *,
        folder: Path | None = None,
        video_file: Path | None = None,
        panels: int = 2,
    ) -> None:
        self.folder = folder
        self.video_file = video_file
        self.written = 0
        config = OverlayConfig(panels=panels, action_units=action_units, expressions=expressions)
        self._config = config if video_file is None else replace(config, least_side=_VIDEO_SIDE)
        self._names = distinct_names(files)
        if folder is not None:
            check_writable(folder, "overlays")
        if video_file is not None:
            check_writable(video_file.parent, "the video")

    def write_photo(self, file: Path, frame: RecognizedFrame) -> None:
        """Draw and write the overlay of the photograph in a file, if there is a folder."""
        if self.folder is not None:
            write_image(self.folder / f"{self._names[file]}_overlay.jpg", draw(frame.image, frame.faces))
            self.written += 1

    @contextmanager
    def video(self, file: Path, fps: float, start: float = 0.0) -> Iterator[Callable[[RecognizedFrame], None]]:
        """Open the overlay of a video file and give the function that appends a frame; an error leaves no file.

        Args:
            fps: Frames a second, about.
            start: Seconds from the video's start at which looking begins; its sound begins there too.
        """
        place = self.video_file
        if place is None and self.folder is not None:
            place = self.folder / f"{self._names[file]}_overlay.mp4"
        if place is None:
            yield _nowhere
            return
        with VideoWriter(place, fps, Sound(source=file, start=start)) as writer:

            def append(frame: RecognizedFrame) -> None:
                faces = sorted(frame.faces, key=lambda face: face.face_id)  # so that panels don't swap places
                writer.write(draw(frame.image, faces, self._config), frame.timestamp - start)

            yield append
        self.written += place != self.video_file


def _nowhere(frame: RecognizedFrame) -> None:
    """Draw nothing."""


def check_writable(folder: Path, what: str) -> None:
    """Refuse a folder that nothing can be written to, before any work is done; it needn't exist.

    Args:
        what: What is to be written, for the RecipeError.
    """
    if folder.exists() and not folder.is_dir():
        raise RecipeError(f"{folder}: found a file, expected a folder for the {what}")
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        reason = (error.strerror or "failed").lower()
        raise RecipeError(f"{folder}: can't write {what} there ({reason})") from error


def check_figure(place: Path) -> None:
    """Refuse a place where neither a figure nor a folder of them can be written, before any work is done.

    Raises:
        RecipeError: Nothing can be written there, or its ending is that of another kind of file.
    """
    if place.suffix and place.suffix.lower() not in FIGURES and not place.is_dir():
        raise RecipeError(f"{place}: found the ending {place.suffix!r}, expected {', '.join(FIGURES)} or a folder")
    check_writable(place.parent if place.suffix.lower() in FIGURES else place, "figures")
