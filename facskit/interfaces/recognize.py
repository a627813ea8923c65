"""`facskit recognize`: photographs, folders and videos in; a table, pictures and a short answer out.

A file that can't be read doesn't stop the others: the table is written for the good ones, each bad one gets a sentence
at the end, and the exit code is 1. When no file could be read, nothing is written. A search of folders leaves out the
folders of the overlays and attention maps, so that a second run doesn't read the pictures of the first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from facskit.errors import MediaError, RecipeError
from facskit.faces.media_files import FoundMedia, find_media, is_video
from facskit.files import path_text
from facskit.inference.attention_files import AttentionFolder
from facskit.inference.dialects import DIALECTS
from facskit.inference.finished_table import finish_table
from facskit.inference.overlay_files import Overlays
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer
from facskit.inference.tables import TableWriter, layout
from facskit.interfaces.recognition_summary import Summary
from facskit.interfaces.recognize_config import RecognizeConfig
from facskit.interfaces.recognize_file import open_overlays, open_recognizer, recognize_file
from facskit.interfaces.recognize_jobs import Recognized, recognize_in_processes
from facskit.interfaces.standard_input import STANDARD_INPUT, received
from facskit.processes import counting_bar

__all__ = ["RecognizeConfig", "main", "recognize"]


def main(arguments: Sequence[str]) -> int:
    """Parse the command's words and run it; return the exit code."""
    return recognize(tyro.cli(RecognizeConfig, args=list(arguments), prog="facskit recognize"))


def recognize(config: RecognizeConfig, recognizer: Recognizer | None = None) -> int:
    """Recognise every input, write what was asked for, and print a summary; return the exit code.

    Raises:
        MediaError: A path doesn't exist, a folder is empty, or no input could be read.
        RecipeError: The table or the overlays can't be written there.
    """
    _refuse_mixing(config)
    with received(config.inputs) as sent:
        if sent is None:
            return _recognize_files(config, recognizer)
        # What is sent to another run is something else, even if it is the same.
        inputs = tuple(sent if path == Path("-") else path for path in config.inputs)
        return _recognize_files(replace(config, inputs=inputs, resume=False), recognizer, sent)


def _recognize_files(config: RecognizeConfig, recognizer: Recognizer | None, sent: Path | None = None) -> int:
    """Recognise files and folders.

    Args:
        sent: The file that holds what came to standard input.
    """
    if config.timeline is not None:
        import facskit.inference.timeline  # noqa: F401 (says before any work if matplotlib is missing)
    found = find_media(config.inputs, leave_out=_folders(config))
    _refuse_several(config, found.files)
    recognizer = recognizer or open_recognizer(config)
    overlays = open_overlays(config, found.files, recognizer)
    done = _recognize_all(config, found.files, recognizer, overlays, sent)
    if config.output is not None and config.finishing.is_needed:
        finish_table(config.output, recognizer.info, config.finishing)
    _report(config, done.summary, overlays)
    _complain(done.failures)
    _say_unchecked(done.unchecked)
    _say_skipped(found)
    if done.failures:
        rest = "the others are done" if len(done.failures) < len(found.files) else "what could be read of them is done"
        _complain([f"{len(done.failures)} of {len(found.files)} files could not be read; {rest}"])
    return 1 if done.failures else 0


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of the inputs."""

    summary: Summary = field(default_factory=Summary)
    failures: list[str] = field(default_factory=list)
    """A sentence for each file that can't be read, or not to its end."""
    unchecked: list[Path] = field(default_factory=list)
    """Videos of which nobody can tell whether they are complete."""

    def add(self, one: Recognized, sent: Path | None) -> str | None:
        """Remember what was wrong with a file, and return it in words for the person who named or sent the file."""
        if not one.complete:
            self.unchecked.append(one.file)
        if one.failure is None:
            return None
        failure = one.failure if one.file != sent else one.failure.replace(path_text(sent), STANDARD_INPUT)
        self.failures.append(failure)
        return failure


def _recognize_all(
    config: RecognizeConfig, files: Sequence[Path], recognizer: Recognizer, overlays: Overlays, sent: Path | None
) -> _Done:
    """Send every file through the recogniser and write what was asked for."""
    done = _Done()
    with ExitStack() as stack:
        sinks: list[Callable[[RecognizedFrame], None]] = [done.summary.add]
        table = _open_table(config, recognizer)
        if table is not None:
            sinks.append(stack.enter_context(table).write)
        if config.attention is not None:
            sinks.append(AttentionFolder(config.attention, recognizer.info.crop).write)
        send = partial(_send, sinks, sent)
        progress = stack.enter_context(counting_bar(fleeting=True))
        left = _left_to_do(files, table, done.failures)
        if config.jobs > 1 and len(left) > 1:
            store = Path(stack.enter_context(TemporaryDirectory(prefix="facskit-")))
            seen = recognize_in_processes(config, left, files, store)
        else:
            seen = _one_by_one(config, left, recognizer, send, overlays, progress)
        for one in progress.track(seen, total=len(left), description="files"):
            for frame in one.frames:
                send(frame)
            overlays.written += one.overlays
            failure = done.add(one, sent)
            if table is not None:
                table.unfinished.finish(one.file, failure)
        if not done.summary.frames and len(done.failures) == len(files):  # raised in here, so that no table appears
            raise _nothing_read(done.failures)
    return done


def _send(sinks: Sequence[Callable[[RecognizedFrame], None]], sent: Path | None, frame: RecognizedFrame) -> None:
    """Give a frame to every sink; one of the temporary file that was sent is called `standard_input`."""
    if sent is not None and frame.source == path_text(sent):
        frame = frame.called(STANDARD_INPUT)
    for sink in sinks:
        sink(frame)


def _one_by_one(
    config: RecognizeConfig,
    files: Sequence[Path],
    recognizer: Recognizer,
    send: Callable[[RecognizedFrame], None],
    overlays: Overlays,
    progress: Progress,
) -> Iterator[Recognized]:
    """Recognise files in this process; their frames have been sent when they are yielded."""
    for file in files:
        failure, complete = None, True
        try:
            complete = recognize_file(file, config, recognizer, send, overlays, progress)
        except MediaError as error:
            failure = str(error)
        yield Recognized(file=file, frames=iter(()), failure=failure, complete=complete, overlays=0)


def _refuse_several(config: RecognizeConfig, files: Sequence[Path]) -> None:
    if config.save_video is not None and [is_video(file) for file in files] != [True]:
        raise RecipeError(
            f"--save-video {config.save_video}: one video goes there, found {len(files)} inputs that aren't one video; "
            "--overlay FOLDER takes any number of pictures and videos"
        )
    if config.timeline is not None and not any(map(is_video, files)):
        raise RecipeError(f"--timeline {config.timeline}: expected a video among the inputs, found photographs alone")
    dialect = DIALECTS.get(config.dialect)
    if config.output is not None and len(files) > 1 and dialect is not None and not dialect.names_inputs:
        raise RecipeError(
            f"--dialect {config.dialect}: its tables don't say which file a row is about, so one holds one file; "
            f"found {len(files)} inputs, expected 1"
        )


def _open_table(config: RecognizeConfig, recognizer: Recognizer) -> TableWriter | None:
    """Begin the table, or go on with that of an interrupted run."""
    if config.output is None:
        return None
    names = ("weights", "backend", "faces", "every", "fps", "start", "end", "mirror", "search_side", "dialect")
    settings = {name: getattr(config, name) for name in names}
    info = recognizer.info
    columns = layout(config.dialect, info.action_units, info.expressions, info.answers)
    return TableWriter(config.output, columns, settings=settings, resume=config.resume)


def _left_to_do(files: Sequence[Path], table: TableWriter | None, failures: list[str]) -> list[Path]:
    """Return the files that no earlier run is done with; what was wrong with the others is added to the failures."""
    if table is None:
        return list(files)
    left = []
    for file in files:
        if not table.unfinished.is_finished(file):
            left.append(file)
        elif (failure := table.unfinished.failure(file)) is not None:
            failures.append(failure)
    if len(left) < len(files):
        count = len(files) - len(left)
        before = "1 file was" if count == 1 else f"{count} files were"
        Console(highlight=False, soft_wrap=True).print(
            f"Going on with an interrupted run: {before} finished before (--no-resume begins anew)."
        )
    return left


def _folders(config: RecognizeConfig) -> list[Path]:
    """Return the folders of pictures that are written."""
    return [folder for folder in (config.overlay, config.attention) if folder is not None]


def _refuse_mixing(config: RecognizeConfig) -> None:
    for folder in _folders(config):
        if any(path.is_dir() and path.resolve() == folder.resolve() for path in config.inputs):
            what = "overlays" if folder is config.overlay else "attention maps"
            raise RecipeError(f"{folder}: found an input, expected another folder for the {what}")


def _nothing_read(failures: Sequence[str]) -> MediaError:
    """Return the last word when every input is bad; a single one speaks for itself."""
    if len(failures) == 1:
        return MediaError(failures[0])
    _complain(failures)
    return MediaError(f"none of the {len(failures)} files could be read, so nothing was written")


def _report(config: RecognizeConfig, summary: Summary, overlays: Overlays) -> None:
    out = Console(highlight=False, soft_wrap=True)
    summary.print(out)
    if config.output is not None:
        out.print(f"Table: {escape(str(config.output))}")
        if config.neutral is not None:
            out.print(
                "[dim]What is shown here is as the network says it; rest is taken off in AU01_above_rest and so on[/]"
            )
        if config.summary is not None:
            beside = "_episodes and _bins" if config.bin else "_episodes"
            out.print(f"People: {escape(str(config.summary))}; {beside} beside it")
        if config.timeline is not None:
            out.print(f"Timeline: {escape(str(config.timeline))}")
    else:
        out.print("[dim]Every probability as a table: add --output result.csv[/]")
    if config.save_video is not None:
        out.print(f"Video: {escape(str(config.save_video))}")
    if overlays.written:
        out.print(f"Overlays: {escape(str(overlays.folder))}")
    if config.attention is not None and config.attention.exists():
        out.print(f"Attention maps: {escape(str(config.attention))}")


def _say_unchecked(videos: Sequence[Path]) -> None:
    """Name the videos of which nobody can tell whether they are complete."""
    one, several = "1 video doesn't say how long it is", f"{len(videos)} videos don't say how long they are"
    _mention(videos, f"{one if len(videos) == 1 else several}, so that a missing end would not be noticed")


def _say_skipped(found: FoundMedia) -> None:
    """Name what lies in the folders and is neither photograph nor video."""
    one, several = "1 file is no photograph or video", f"{len(found.skipped)} files are no photographs or videos"
    _mention(found.skipped, f"passed over: {one if len(found.skipped) == 1 else several}")
    one, several = "1 link leads to a folder or nowhere", f"{len(found.links)} links lead to folders or nowhere"
    _mention(found.links, f"not followed: {one if len(found.links) == 1 else several}")


def _mention(files: Sequence[Path], what: str) -> None:
    if files:
        names = ", ".join(escape(file.name) for file in files[:3]) + (" ..." if len(files) > 3 else "")
        Console(highlight=False, soft_wrap=True).print(f"[dim]{what} ({names})[/]")


def _complain(failures: Sequence[str]) -> None:
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for failure in failures:
        errors.print(f"[bold red]facskit:[/] {escape(failure)}")
