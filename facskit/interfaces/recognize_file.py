"""One file of `facskit recognize`: its recogniser, its overlays, and the way of its frames."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.markup import escape
from rich.progress import Progress

from facskit.faces.detectors import FOR_PHOTOGRAPHS
from facskit.faces.media_files import is_video
from facskit.faces.video import FrameChoice, video_info
from facskit.inference.overlay_files import Overlays
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.interfaces.recognize_config import RecognizeConfig

__all__ = ["open_overlays", "open_recognizer", "recognize_file"]


def open_recognizer(config: RecognizeConfig) -> Recognizer:
    """Open the weights as the options say."""
    wanted = RecognizerConfig(
        faces=config.faces,
        attention=config.attention is not None,
        mirror=config.mirror,
        photo_detection=replace(FOR_PHOTOGRAPHS, max_side=config.search_side),
    )
    return Recognizer.from_checkpoint(config.weights, config.device, wanted, config.backend)


def open_overlays(config: RecognizeConfig, files: Sequence[Path], recognizer: Recognizer) -> Overlays:
    """Say where overlays go.

    Args:
        files: All files of the run, which decide about names.
    """
    labels = recognizer.info.action_units, recognizer.info.expressions
    panels = 1 if config.faces == "largest" else 2
    return Overlays(files, *labels, folder=config.overlay, video_file=config.save_video, panels=panels)


def recognize_file(
    file: Path,
    config: RecognizeConfig,
    recognizer: Recognizer,
    send: Callable[[RecognizedFrame], None],
    overlays: Overlays,
    progress: Progress,
) -> bool:
    """Send each frame of one file on, and draw it into its overlay; return whether it's known to be complete."""
    if not is_video(file):
        for frame in recognizer.recognize_file(file):
            send(frame)
            overlays.write_photo(file, frame)
        return True
    info = video_info(file)
    choice = FrameChoice(every=config.every, per_second=config.fps, start=config.start, end=config.end)
    task = progress.add_task(escape(file.name), total=choice.count(info))
    with overlays.video(file, info.fps * choice.share(info.fps), config.start) as video:
        for frame in recognizer.recognize_file(file, config.every, fps=config.fps, start=config.start, end=config.end):
            send(frame)
            video(frame)
            progress.advance(task)
    progress.remove_task(task)
    return info.length_declared
