"""Overlays as files: a JPEG for each photograph, an MP4 for each video."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facskit.action_units import ActionUnitSet
from facskit.errors import RecipeError
from facskit.expressions import ExpressionSet
from facskit.faces.images import write_image
from facskit.faces.video import VideoWriter
from facskit.inference.overlay import OverlayConfig, draw
from facskit.inference.recognition import RecognizedFrame

__all__ = ["OverlayFolder", "check_writable"]

_VIDEO_PANELS = 2


class OverlayFolder:
    """A folder of overlays; `portrait.png` becomes `portrait_overlay.jpg`, the next `portrait` gets a number.

    The folder is made with the first file; one that can't be written to is refused at once.
    """

    def __init__(self, folder: Path, action_units: ActionUnitSet, expressions: ExpressionSet | None = None) -> None:
        self.folder = folder
        self.written = 0
        self._config = OverlayConfig(panels=_VIDEO_PANELS, action_units=action_units, expressions=expressions)
        self._taken: set[str] = set()
        check_writable(folder, "overlays")

    def write_photo(self, file: Path, frame: RecognizedFrame) -> None:
        """Draw and write the overlay of the photograph in a file."""
        write_image(self._place(file, ".jpg"), draw(frame.image, frame.faces))
        self.written += 1

    @contextmanager
    def video(self, file: Path, fps: float) -> Iterator[Callable[[RecognizedFrame], None]]:
        """Open the overlay of a video file and give the function that appends a frame; an error leaves no file."""
        with VideoWriter(self._place(file, ".mp4"), fps) as writer:

            def append(frame: RecognizedFrame) -> None:
                faces = sorted(frame.faces, key=lambda face: face.face_id)  # so that panels don't swap places
                writer.write(draw(frame.image, faces, self._config), frame.timestamp)

            yield append
        self.written += 1

    def _place(self, file: Path, suffix: str) -> Path:
        name, number = f"{file.stem}_overlay", 1
        while name in self._taken:
            number += 1
            name = f"{file.stem}_overlay_{number}"
        self._taken.add(name)
        return self.folder / f"{name}{suffix}"


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
