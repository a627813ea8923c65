"""A corpus of rendered faces: subjects x frames as pictures and one manifest, the same from the same seed.

The work is cut into subjects. Each finished subject leaves a table of its rows beside its pictures, so that a run that
was stopped goes on where it was and ends with the same corpus.
"""

import json
import multiprocessing
import os
import shutil
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import polars as pl

from facskit import columns
from facskit.action_units import RENDERED
from facskit.errors import DatasetError
from facskit.faces.images import encode_jpeg
from facskit.files import PART_PATTERN, atomic_path, is_vacant, write_text
from facskit.processes import counting_bar, single_threaded_children, start_worker
from facskit.synthesis.head import HEAD_LICENCES, MorphableHead, load_head, save_head
from facskit.synthesis.head_import import PACKAGED, find_head
from facskit.synthesis.sampling import Profile, SampledAction
from facskit.version import __version__

if TYPE_CHECKING:
    from facskit.synthesis.studio import Studio

__all__ = ["SynthesisConfig", "person_name", "subject_name", "synthesize"]

MANIFEST = "manifest.parquet"
DESCRIPTION = "dataset.json"
_PARTS = ".parts"
_JPEG_QUALITY = 95


Background = Literal["picture", "person"]
"""What the background belongs to."""


@dataclass(frozen=True, kw_only=True)
class SynthesisConfig:
    """What to render."""

    subjects: int = 60
    """Number of invented people."""
    frames: int = 50
    """Pictures of each."""
    seed: int = 0
    """Same seed, same corpus, whatever the number of workers."""
    profile: Profile = "disfa"
    """How often action units act: `disfa` as in a corpus of spontaneous expressions, `disfa-people` the same with
    people who differ as much as its subjects, `bp4d` with BP4D's rates, `balanced` all about alike, `mixed` half of the
    pictures of `disfa` and half `balanced`; `expressions` draws the eight expressions, each as often, and labels
    them."""
    background: Background = "picture"
    """What is behind the head: something else on each `picture`, or the same on all pictures of a `person`, as in
    recordings made in one sitting."""
    size: int = 256
    """Height and width of the pictures in pixels."""
    head: tuple[str, ...] = (PACKAGED,)
    """Whose shape people get: `packaged`, a head asset (.npz) or a clone of ICT-FaceKit; of several heads, people get
    them in turn."""
    workers: int = 0
    """Processes; 0 for one per processor core."""

    def __post_init__(self) -> None:
        """Refuse what can't be rendered."""
        for name, least in (("subjects", 1), ("frames", 1), ("seed", 0), ("size", 32), ("workers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {least}")
        if self.profile not in get_args(Profile):
            raise ValueError(f"profile is {self.profile!r}; expected one of {', '.join(get_args(Profile))}")
        if self.background not in get_args(Background):
            raise ValueError(f"background is {self.background!r}; expected one of {', '.join(get_args(Background))}")
        if not self.head:
            raise ValueError("head names no head; expected at least one")


def synthesize(config: SynthesisConfig, out: Path) -> Path:
    """Render a corpus, or finish one that was stopped.

    Args:
        out: Folder for the pictures, the manifest and `dataset.json`.

    Returns:
        Path of the manifest.

    Raises:
        DatasetError: The folder holds something else, the head is unusable, or a worker process died.
        FacskitError: VTK is not installed.
    """
    import facskit.synthesis.surfaces  # noqa: F401, PLC0415 (says early and in one sentence if VTK is missing)

    manifest = out / MANIFEST
    # Before anything is written: a head that can't be read must not leave a folder that refuses the next one.
    heads = [] if manifest.is_file() else [find_head(source) for source in config.head]
    _claim(config, out, heads)
    if manifest.is_file():
        return manifest
    parts = out / _PARTS
    parts.mkdir(exist_ok=True)
    assets = []
    for number, (head, source) in enumerate(zip(heads, config.head, strict=True)):
        assets.append(_head_file(head, source, parts / f"head-{number}.npz"))
    todo = [subject for subject in range(config.subjects) if not _part_file(parts, subject, config).is_file()]
    _render_all(config, out, assets, todo)
    tables = [pl.read_parquet(_part_file(parts, subject, config)) for subject in range(config.subjects)]
    _write_parquet(pl.concat(tables), manifest)
    shutil.rmtree(parts)
    return manifest


def person_name(seed: int, subject: int, head: str) -> str:
    """Return the name of an invented person: two corpora share it where they share the person.

    Args:
        seed: Seed of the corpus.
        subject: Number from 0.
        head: Name of the head.

    Returns:
        `R2026-00001` on the first head that facskit had, `R2026-00001-makehuman` on others.
    """
    name = f"R{seed}-{subject + 1:05d}"
    return name if head == MorphableHead.name else f"{name}-{head}"


def subject_name(subject: int, subjects: int) -> str:
    """Return the name of a subject's folder, such as `S001`.

    Args:
        subject: Number from 0.
    """
    return f"S{subject + 1:0{max(3, len(str(subjects)))}d}"


def render_subject(config: SynthesisConfig, out: Path, subject: int, studio: "Studio") -> int:
    """Render all pictures of one subject and write its part of the manifest.

    Args:
        studio: Where to render; nobody need be seated.

    Returns:
        The number of pictures.
    """
    from facskit.synthesis.studio import (  # noqa: PLC0415 (needs VTK)
        in_room,
        invent_person,
        noise_stream,
        room_stream,
        sample_picture,
    )

    name = subject_name(subject, config.subjects)
    folder = out / "images" / name
    for left_behind in folder.glob(PART_PATTERN):
        left_behind.unlink()
    person = invent_person(config.seed, subject, config.profile, studio.head)
    studio.seat(person.looks, person.identity)
    rows = []
    for frame in range(config.frames):
        sampled, scene = sample_picture(person, config.seed, subject, frame)
        room = None
        if config.background == "person":
            scene, room = in_room(scene, config.seed, subject), room_stream(config.seed, subject)
        face = studio.shoot(sampled, scene, noise_stream(config.seed, subject, frame), room)
        path = folder / f"{frame:04d}.jpg"
        with atomic_path(path) as part:
            part.write_bytes(encode_jpeg(face.image, _JPEG_QUALITY))
        row: dict[str, str | int | float] = {
            columns.IMAGE: path.relative_to(out).as_posix(),
            columns.SUBJECT: person_name(config.seed, subject, studio.head.name),
            columns.RECORDING: name,
            columns.FRAME: frame,
            columns.HEAD: studio.head.name,
            columns.SKIN_TONE: person.looks.skin_tone,
        }
        row |= label_cells(sampled)
        if sampled.expression is not None:
            row[columns.EXPRESSION] = sampled.expression
        row |= zip(columns.LANDMARKS_X, face.landmarks[:, 0].tolist(), strict=True)
        row |= zip(columns.LANDMARKS_Y, face.landmarks[:, 1].tolist(), strict=True)
        row |= zip(columns.POSE, face.pose.tolist(), strict=True)
        row |= {f"nuisance_{key}": value for key, value in (person.nuisance() | scene.nuisance()).items()}
        rows.append(row)
    _write_parquet(pl.DataFrame(rows), _part_file(out / _PARTS, subject, config))
    return len(rows)


def label_cells(sampled: SampledAction) -> dict[str, int | float]:
    """Return the manifest's cells for occurrence, intensity and level of each action unit."""
    cells: dict[str, int | float] = {}
    for row, unit in enumerate(RENDERED):
        cells[columns.occurrence(unit)] = int(sampled.occurrences[row])
        cells[columns.intensity(unit)] = round(float(sampled.intensities[row]), 4)
        cells[columns.level(unit)] = int(sampled.levels[row])
    return cells


def _render_all(config: SynthesisConfig, out: Path, heads: list[Path | None], todo: list[int]) -> None:
    workers = min(config.workers or os.cpu_count() or 1, max(1, len(todo)))
    with counting_bar() as progress, single_threaded_children():
        done = (config.subjects - len(todo)) * config.frames
        task = progress.add_task("rendering faces", total=config.subjects * config.frames, completed=done)
        pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(heads, config.size)
        )
        try:
            futures: list[Future[int]] = [pool.submit(_work, config, out, subject) for subject in todo]
            for future in as_completed(futures):
                progress.advance(task, future.result())
        except BrokenProcessPool as error:
            raise DatasetError(
                f"a rendering process died before {out} was complete; run the same command again to go on from there"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_worker_studios: Any = None


def _start_worker(heads: list[Path | None], size: int) -> None:
    global _worker_studios  # noqa: PLW0603 (a process keeps its windows from subject to subject)
    from facskit.synthesis.studio import Studio  # noqa: PLC0415 (needs VTK)

    start_worker()
    _worker_studios = [Studio(load_head(head), size) for head in heads]


def _work(config: SynthesisConfig, out: Path, subject: int) -> int:
    return render_subject(config, out, subject, _worker_studios[subject % len(_worker_studios)])


def _claim(config: SynthesisConfig, out: Path, heads: list[MorphableHead]) -> None:
    """Write `dataset.json`, or check that the folder's one says the same."""
    description = _describe(config, heads)
    path = out / DESCRIPTION
    if not path.is_file():
        if not is_vacant(out):
            raise DatasetError(f"{out} is not empty and holds no {DESCRIPTION}; expected a new or empty folder")
        write_text(path, json.dumps(description, indent=2) + "\n")
        return
    try:
        there = json.loads(path.read_text())
        # Descriptions written before there was a choice of background don't name it.
        found = {"background": "picture"} | there["config"] | {"version": there["version"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is no description of a rendered corpus") from error
    for key, value in (description["config"] | {"version": description["version"]}).items():
        if found.get(key) != value:
            raise DatasetError(
                f"{out} holds a corpus with {key} {found.get(key)!r}, this run has {value!r}; choose another folder"
            )


def _describe(config: SynthesisConfig, heads: list[MorphableHead]) -> dict[str, Any]:
    settings = asdict(config) | {"head": list(config.head)}
    del settings["workers"]
    return {
        "kind": "faces rendered by facskit",
        "version": __version__,
        "config": settings,
        "action_units": list(RENDERED.codes),
        "occurrence": "1 where the FACS level is 2 (B) or more",
        "licence": " ".join(dict.fromkeys(HEAD_LICENCES[head.name] for head in heads)),
    }


def _head_file(head: MorphableHead, source: str, asset: Path) -> Path | None:
    """Return an asset that workers can load quickly, None for the packaged one; a folder of meshes is imported once."""
    if source == PACKAGED:
        return None
    if not Path(source).is_dir():
        return Path(source)
    save_head(head, asset)
    return asset


def _part_file(parts: Path, subject: int, config: SynthesisConfig) -> Path:
    return parts / f"{subject_name(subject, config.subjects)}.parquet"


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    with atomic_path(path) as part:
        table.write_parquet(part)
