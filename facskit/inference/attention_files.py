"""Attention maps as files: a picture for each face of each photograph or video frame."""

from pathlib import Path

from facskit.faces.alignment import CropRecipe
from facskit.faces.images import write_image
from facskit.files import shortened
from facskit.inference.attention_maps import attended_face, draw_attention
from facskit.inference.overlay_files import check_writable
from facskit.inference.recognition import RecognizedFrame

__all__ = ["AttentionFolder"]


class AttentionFolder:
    """A folder of attention maps; the first face of `portrait.png` is in `portrait_face0_attention.png`.

    A frame's number stands in the names of a video's faces. The next `portrait` gets a number.

    The folder is made with the first file; one that can't be written to is refused at once.
    """

    def __init__(self, folder: Path, recipe: CropRecipe) -> None:
        self.folder = folder
        self.written = 0
        self._recipe = recipe
        self._names: dict[str, str] = {}
        check_writable(folder, "attention maps")

    def write(self, frame: RecognizedFrame) -> None:
        """Draw and write every face of a photograph or video frame that was recognised with attention."""
        name = self._name(frame)
        for recognition in frame.faces:
            face = attended_face(frame.image, recognition, self._recipe)
            write_image(self.folder / f"{name}_face{recognition.face_id}_attention.png", draw_attention(face))
            self.written += 1

    def _name(self, frame: RecognizedFrame) -> str:
        """Return what the pictures of a frame are called, different for files of the same name."""
        if frame.source not in self._names:
            stem, number = shortened(Path(frame.source).stem, 200), 1
            name = stem
            while name in self._names.values():
                number += 1
                name = f"{stem}_{number}"
            self._names[frame.source] = name
        name = self._names[frame.source]
        return name if frame.frame == 0 and frame.timestamp == 0 else f"{name}_frame{frame.frame:06d}"
