"""Uploads on their way: they wait, are looked at one after the other, and leave tables to be fetched for a while."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Literal, get_args

from facskit.errors import FacskitError, MediaError
from facskit.faces.declared_size import declared_size
from facskit.faces.images import encode_jpeg
from facskit.faces.media_files import kind_by_content
from facskit.faces.video import ALL_FRAMES, video_info
from facskit.files import path_text
from facskit.inference.attention_maps import attended_face, draw_attention
from facskit.inference.dialects import DialectName
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer
from facskit.inference.tables import TableWriter, layout
from facskit.page.answers import Looked, looked_at
from facskit.page.limits import Limits
from facskit.page.workplace import Workplace

__all__ = ["FullError", "Job", "Jobs"]

_MOST_MOMENTS = 6000
"""Frames of a video that the page shows; the table has all."""
_MOST_REMEMBERED = 1000
"""Uploads of which is known why their results are gone."""

State = Literal["waiting", "running", "done", "failed"]


class FullError(Exception):
    """No more uploads are taken at the moment."""


@dataclass(eq=False)
class Job:
    """One upload, and what came of it."""

    name: str
    """What the user called it: shown and written into tables, never a name on the disk."""
    folder: Path
    """Where its files are."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """What its owner alone knows."""
    kind: Literal["photograph", "video"] | None = None
    state: State = "waiting"
    message: str = ""
    """What went wrong, in a sentence; also when only the rest of a video is missing."""
    done: int = 0
    """Frames looked at."""
    total: int | None = None
    """Frames there are to look at, as far as the file says."""
    moments: list[bytes] = field(default_factory=list)
    """What was seen, each a `Looked` as JSON, which is small; of a long video every n-th frame."""
    maps: list[bytes] = field(default_factory=list)
    """Where the network looked on each face of a photograph, as JPEG, for weights that show it."""
    cancelled: bool = False
    finished_at: float | None = None
    """When it ended, by the monotonic clock."""

    @property
    def upload(self) -> Path:
        """The file itself, until it has been looked at."""
        return self.folder / "upload"

    def table(self, dialect: str) -> Path:
        """Return the table of a dialect."""
        return self.folder / f"{dialect}.csv"

    def megabytes(self) -> float:
        """Return how much its results take, in memory and on the disk."""
        files = sum(file.stat().st_size for file in self.folder.iterdir()) if self.folder.is_dir() else 0
        return (sum(map(len, self.moments)) + sum(map(len, self.maps)) + files) / 1e6


class Jobs:
    """The uploads of a server, and the one thread that works on them."""

    def __init__(self, recognizer: Recognizer, workplace: Workplace, limits: Limits) -> None:
        self._recognizer, self._workplace, self._limits = recognizer, workplace, limits
        self._jobs: dict[str, Job] = {}
        self._gone: dict[str, str] = {}
        self._queue: Queue[Job | None] = Queue()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def open(self, name: str) -> Job:
        """Take an upload's name in, before its bytes come.

        Raises:
            FullError: As many wait as are taken.
        """
        self._forget_old()
        with self._lock:
            unfinished = sum(job.finished_at is None for job in self._jobs.values())
            if unfinished > self._limits.queue:
                raise FullError(
                    f"{unfinished} uploads are waiting or being looked at, which is as many as this server takes"
                )
            job = Job(name=name, folder=self._workplace.new_folder(secrets.token_hex(8)))
            self._jobs[job.id] = job
        return job

    def submit(self, job: Job) -> None:
        """Have an upload that is there looked at.

        Raises:
            MediaError: It is neither a photograph nor a video.
        """
        # By content alone: a list of other files, which a decoder would follow, is nothing of these.
        job.kind = kind_by_content(job.upload)
        if job.kind is None:
            raise MediaError(f"{job.name}: found neither a photograph nor a video")
        self._queue.put(job)

    def find(self, identity: str) -> Job | None:
        """Return a job by the name that its owner got."""
        with self._lock:
            return self._jobs.get(identity)

    def why_gone(self, identity: str) -> str | None:
        """Return why the results of a job were let go; None for one that its owner deleted, or that never was."""
        return self._gone.get(identity)

    def ahead_of(self, job: Job) -> int:
        """Return how many uploads will be finished before one that waits."""
        with self._lock:
            order = [other for other in self._jobs.values() if other.finished_at is None]
        return order.index(job) if job in order else 0

    def remove(self, job: Job) -> None:
        """Forget a job and delete its files, at once or as soon as its work can stop."""
        job.cancelled = True
        with self._lock:
            self._jobs.pop(job.id, None)
        if job.state != "running":
            _delete(job.folder)

    def close(self) -> None:
        """Stop working."""
        for job in list(self._jobs.values()):
            job.cancelled = True
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _forget_old(self) -> None:
        oldest = time.monotonic() - 60 * self._limits.keep_minutes
        for job in list(self._jobs.values()):
            if job.finished_at is not None and job.finished_at < oldest:
                self._let_go(job, f"results are kept for {self._limits.keep_minutes:g} minutes")

    def _make_room(self) -> None:
        """Let the oldest results go until the others, or the latest alone, are within the limit."""
        finished = sorted((job for job in list(self._jobs.values()) if job.finished_at is not None), key=_end)
        kept = sum(job.megabytes() for job in finished)
        for job in finished[:-1]:
            if kept > self._limits.max_kept_megabytes:
                kept -= job.megabytes()
                self._let_go(job, "they made room for later ones")

    def _let_go(self, job: Job, why: str) -> None:
        self._gone[job.id] = f"The results of {job.name} are gone: {why}. Choose the file again."
        while len(self._gone) > _MOST_REMEMBERED:
            del self._gone[next(iter(self._gone))]
        self.remove(job)

    def _work(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=60)
            except Empty:
                self._forget_old()
                continue
            if job is None:
                return
            if not job.cancelled:
                self._look_at(job)

    def _look_at(self, job: Job) -> None:
        job.state = "running"
        try:
            if (size := declared_size(job.upload)) is not None:
                self._check_pixels(job, *size)
            if job.kind == "video":
                self._check_length(job)
            self._recognize(job)
            job.state = "done"
        except FacskitError as error:
            job.message = str(error).replace(path_text(job.upload), job.name)
            # What could be read of a video that breaks off is worth seeing.
            job.state = "done" if job.done else "failed"
        except Exception as error:
            job.message, job.state = f"{job.name}: something unforeseen went wrong ({type(error).__name__})", "failed"
        finally:
            job.upload.unlink(missing_ok=True)
            job.finished_at = time.monotonic()
            if job.cancelled:
                _delete(job.folder)
            self._make_room()

    def _check_pixels(self, job: Job, width: int, height: int) -> None:
        if width * height > 1e6 * self._limits.max_megapixels:
            what = "frames" if job.kind == "video" else "a picture"
            raise MediaError(
                f"{job.name}: found {what} of {width} x {height} pixels, expected at most "
                f"{self._limits.max_megapixels:g} megapixels"
            )

    def _check_length(self, job: Job) -> None:
        info = video_info(job.upload)
        minutes = (info.duration_s or 0) / 60
        if minutes > self._limits.max_minutes:
            raise MediaError(
                f"{job.name}: found a video of {minutes:.1f} minutes, expected at most {self._limits.max_minutes:g}"
            )
        job.total = ALL_FRAMES.count(info)

    def _recognize(self, job: Job) -> None:
        """Look at every frame, and write a table of each dialect on the way."""
        info = self._recognizer.info
        thin = -(-(job.total or 1) // _MOST_MOMENTS)
        with ExitStack() as stack:
            sinks: list[Callable[[RecognizedFrame], None]] = []
            for dialect in get_args(DialectName):
                columns = layout(dialect, info.action_units, info.expressions, info.answers)
                sinks.append(stack.enter_context(TableWriter(job.table(dialect), columns)).write)
            fault: FacskitError | None = None
            try:
                for frame in self._recognizer.recognize_file(job.upload):
                    self._check_progress(job, frame)
                    named = frame.called(job.name)
                    for sink in sinks:
                        sink(named)
                    if job.done % thin == 0:
                        moment = looked_at(named)
                        moment = moment if job.kind == "photograph" else _without_landmarks(moment)
                        job.moments.append(moment.model_dump_json().encode())
                    if job.kind == "photograph":
                        job.maps = self._attention(named)
                    job.done += 1
            except FacskitError as error:
                if not job.done:
                    raise
                fault = error
        if fault is not None:
            raise fault

    def _check_progress(self, job: Job, frame: RecognizedFrame) -> None:
        """Stop where nobody waits any more, or where a file says less of its size than there is."""
        if job.cancelled:
            raise MediaError(f"{job.name}: nobody waits for it any more")
        height, width = frame.image.shape[:2]
        self._check_pixels(job, width, height)
        if frame.timestamp > 60 * self._limits.max_minutes:
            raise MediaError(f"{job.name}: it is longer than {self._limits.max_minutes:g} minutes, and ends here")

    def _attention(self, frame: RecognizedFrame) -> list[bytes]:
        if not self._recognizer.config.attention:
            return []
        crop = self._recognizer.info.crop
        return [encode_jpeg(draw_attention(attended_face(frame.image, face, crop))) for face in frame.faces]


def _end(job: Job) -> float:
    return job.finished_at or 0.0


def _without_landmarks(moment: Looked) -> Looked:
    """A video's moments are many, and the page doesn't draw their landmarks."""
    for face in moment.faces:
        face.landmarks = None
    return moment


def _delete(folder: Path) -> None:
    # Who uploaded may delete at the moment in which the work ends; whoever comes second finds nothing.
    shutil.rmtree(folder, ignore_errors=True)
