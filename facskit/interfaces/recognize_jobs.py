"""`facskit recognize --jobs N`: files recognised by processes of their own, brought back in the order they were given.

A process writes what it sees in a file to a private folder, frame by frame and without the pictures, so that the memory
of neither process grows with a video's length; overlays it draws itself. The parent alone writes the table.
"""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import Progress

from facskit.errors import DatasetError, FacskitError, MediaError
from facskit.files import atomic_path
from facskit.inference.overlay_files import Overlays
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer
from facskit.interfaces.recognize_config import RecognizeConfig
from facskit.interfaces.recognize_file import open_overlays, open_recognizer, recognize_file
from facskit.processes import run_in_processes

__all__ = ["Recognized", "recognize_in_processes"]


@dataclass(frozen=True, kw_only=True)
class Recognized:
    """A file that a process is done with."""

    file: Path
    """The file."""
    frames: Iterator[RecognizedFrame]
    """What was seen in it; the pictures are blank, but have their size."""
    failure: str | None
    """Why there aren't more frames, if it can't be read or not to its end."""
    complete: bool
    """Whether it's known that nothing is missing at its end."""
    overlays: int
    """Overlays that were drawn."""


def recognize_in_processes(
    config: RecognizeConfig, files: Sequence[Path], named: Sequence[Path], store: Path
) -> Iterator[Recognized]:
    """Recognise files on `config.jobs` processes; yield them in the order given, each as soon as those before are done.

    Args:
        named: All files of the run, which decide about the names of overlays.
        store: A private folder for what is on its way.

    Raises:
        FacskitError: A process died; every file that was done before comes first.
    """
    work, prepare = partial(_recognize, config, store), partial(_open, config, tuple(named))
    counts = run_in_processes(work, list(enumerate(files)), config.jobs, what="recognising", prepare=prepare)
    told = 0
    try:
        for _ in counts:
            for one in _next_done(store, files, told):
                told += 1
                yield one
    except DatasetError as died:
        for one in _next_done(store, files, told):
            told += 1
            yield one
        raise FacskitError(f"{died}; the first file that isn't done is {files[told]}") from died


_recognizer: Recognizer | None = None
_overlays: Overlays | None = None


def _open(config: RecognizeConfig, named: Sequence[Path]) -> None:
    """Prepare a process: open the weights once for all its files."""
    global _recognizer, _overlays  # noqa: PLW0603 (a process works for one parent all its life)
    _recognizer = open_recognizer(config)
    _overlays = open_overlays(config, named, _recognizer)


def _recognize(config: RecognizeConfig, store: Path, unit: tuple[int, Path]) -> int:
    """Recognise one file in a process."""
    assert _recognizer is not None  # `_open` came first
    assert _overlays is not None
    number, file = unit
    failure, complete, before = None, True, _overlays.written
    with _frames(store, number).open("wb") as stream:

        def keep(frame: RecognizedFrame) -> None:
            blank = replace(frame, image=frame.image[:1, :1])
            pickle.dump((blank, frame.image.shape), stream)

        try:
            complete = recognize_file(file, config, _recognizer, keep, _overlays, Progress(disable=True))
        except MediaError as error:
            failure = str(error)
    with atomic_path(_done(store, number)) as part:
        part.write_bytes(pickle.dumps((failure, complete, _overlays.written - before)))
    return 1


def _next_done(store: Path, files: Sequence[Path], first: int) -> Iterator[Recognized]:
    """Yield the files that are done, up to the next one that isn't."""
    for number in range(first, len(files)):
        if not _done(store, number).is_file():
            return
        yield _recognized(store, number, files[number])


def _recognized(store: Path, number: int, file: Path) -> Recognized:
    failure, complete, overlays = pickle.loads(_done(store, number).read_bytes())
    frames = _read(_frames(store, number))
    return Recognized(file=file, frames=frames, failure=failure, complete=complete, overlays=overlays)


def _read(path: Path) -> Iterator[RecognizedFrame]:
    """Yield a file's frames, with blank pictures of their size, and delete it."""
    with path.open("rb") as stream:
        while True:
            try:
                frame, shape = pickle.load(stream)
            except EOFError:
                break
            yield replace(frame, image=np.broadcast_to(frame.image, shape))
    path.unlink()


def _frames(store: Path, number: int) -> Path:
    return store / f"{number:06d}.frames"


def _done(store: Path, number: int) -> Path:
    return store / f"{number:06d}.done"
