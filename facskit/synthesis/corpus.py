"""A corpus of rendered faces: subjects x frames as pictures and one manifest, the same from the same seed.

The work is cut into subjects. Each finished subject leaves a table of its rows beside its pictures, so that a run that
was stopped goes on where it was and ends with the same corpus.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import UInt8

from facskit import columns
from facskit.action_units import RENDERED
from facskit.claimed_folder import PARTS, DatasetFolder
from facskit.faces.images import encode_jpeg
from facskit.files import atomic_path
from facskit.processes import counting_bar, run_in_processes
from facskit.synthesis.head import HEAD_LICENCES, MorphableHead, load_head, save_head
from facskit.synthesis.head_import import PACKAGED, find_head
from facskit.synthesis.sampling import Profile, SampledAction, at_rest
from facskit.synthesis.skin_textures import SkinPhotograph, find_skins
from facskit.synthesis.tension import Folds
from facskit.version import __version__

if TYPE_CHECKING:
    from facskit.synthesis.scene import Scene
    from facskit.synthesis.studio import Person, Studio

__all__ = ["SynthesisConfig", "person_name", "subject_name", "synthesize"]

MANIFEST = "manifest.parquet"
_JPEG_QUALITY = 95
PAINTED = "painted"
"""How skin is asked for that is made from no photograph."""

Background = Literal["picture", "person"]
"""What the background belongs to."""


LightSource = Literal["mixed", "lamps", "places"]
"""What lights a picture."""


@dataclass(frozen=True, kw_only=True)
class SynthesisConfig:
    """What to render."""

    subjects: int = 60
    """Number of invented people."""
    frames: int = 50
    """Pictures of each person."""
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
    rooms: int | None = None
    """Seed of the corpus whose backgrounds of persons are used, where it isn't `seed`: other people in the same rooms,
    the first in the first one's. None for the people's own."""
    light: LightSource = "mixed"
    """What lights a picture: one to three `lamps` of a studio, the light of real `places`, seen in any direction, or
    `mixed`, one or the other."""
    size: int = 256
    """Height and width of the pictures in pixels."""
    head: tuple[str, ...] = ()
    """Whose shape people get: `packaged`, a head asset (.npz) or a clone of ICT-FaceKit; the packaged head by default.
    Given several times, people get the heads in turn."""
    skins: str = PACKAGED
    """Photographs that the skin of half of the people is made from: `packaged`, or a folder with MakeHuman's skins,
    such as its `data/skins`, which have four times the detail; or `painted`, for nobody's."""
    folds: Folds = "tension"
    """What folds the skin: its `tension`, measured on the moving mesh, or the `units`, each its own folds."""
    workers: int = 0
    """Processes; 0 for one per processor core."""

    def __post_init__(self) -> None:
        """Refuse what can't be rendered."""
        for name, least in (("subjects", 1), ("frames", 1), ("seed", 0), ("size", 32), ("workers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {least}")
        if self.profile not in get_args(Profile):
            raise ValueError(f"profile is {self.profile!r}; expected one of {', '.join(get_args(Profile))}")
        if self.light not in get_args(LightSource):
            raise ValueError(f"light is {self.light!r}; expected one of {', '.join(get_args(LightSource))}")
        if self.background not in get_args(Background):
            raise ValueError(f"background is {self.background!r}; expected one of {', '.join(get_args(Background))}")
        if self.rooms is not None and (self.rooms < 0 or self.background != "person"):
            raise ValueError(f"rooms is {self.rooms}; expected at least 0, and the background person")


def synthesize(config: SynthesisConfig, out: Path) -> Path:
    """Render a corpus, or finish one that was stopped.

    Args:
        out: Folder for the pictures, the manifest and `dataset.json`.

    Returns:
        Path of the manifest.

    Raises:
        DatasetError: The folder holds something else, the head is unusable, or a worker process died.
        FacskitError: VTK is not installed, or another process works in the folder.
    """
    import facskit.synthesis.surfaces  # noqa: F401, PLC0415 (says early and in one sentence if VTK is missing)

    manifest = out / MANIFEST
    # Before anything is written: a head that can't be read must not leave a folder that refuses the next one.
    sources = config.head or (PACKAGED,)
    heads = [] if manifest.is_file() else [find_head(source) for source in sources]
    skins = () if manifest.is_file() else _skins(config)
    home = _home(config, out, heads)
    home.claim()
    if home.is_finished:
        return manifest
    with home.held():
        if not manifest.is_file():
            assets = []
            for number, (head, source) in enumerate(zip(heads, sources, strict=True)):
                assets.append(_head_file(head, source, home.parts / f"head-{number}.npz"))
            _render_all(config, out, assets, skins)
            parts = [_part_file(out, subject, config) for subject in range(config.subjects)]
            _write_parquet(pl.concat([pl.read_parquet(part) for part in parts]), manifest)
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
    from facskit.synthesis.picture_rows import picture_row  # noqa: PLC0415 (needs VTK)
    from facskit.synthesis.studio import in_room, invent_person, noise_stream, room_stream  # noqa: PLC0415 (needs VTK)

    name = subject_name(subject, config.subjects)
    folder = out / "images" / name
    person = invent_person(config.seed, subject, config.profile, studio.head, studio.skins)
    studio.seat(person)
    neutral = folder / "neutral.jpg"
    rows = []
    for frame in range(config.frames):
        sampled, scene = _sample(config, person, subject, frame)
        room = None
        if config.background == "person":
            rooms = config.seed if config.rooms is None else config.rooms
            scene, room = in_room(scene, rooms, subject), room_stream(rooms, subject)
        if frame == 0:
            resting = studio.shoot(at_rest(), scene, noise_stream(config.seed, subject, frame))
            _write_picture(resting.image, neutral)
        face = studio.shoot(sampled, scene, noise_stream(config.seed, subject, frame), room)
        path = folder / f"{frame:04d}.jpg"
        _write_picture(face.image, path)
        place: dict[str, str | int | float] = {
            columns.IMAGE: path.relative_to(out).as_posix(),
            columns.SUBJECT: person_name(config.seed, subject, studio.head.name),
            columns.RECORDING: name,
            columns.FRAME: frame,
            columns.HEAD: studio.head.name,
            columns.NEUTRAL_IMAGE: neutral.relative_to(out).as_posix(),
        }
        rows.append(place | picture_row(person, sampled, scene, face))
    _write_parquet(pl.DataFrame(rows), _part_file(out, subject, config))
    return len(rows)


def _sample(config: SynthesisConfig, person: "Person", subject: int, frame: int) -> tuple[SampledAction, "Scene"]:
    """Draw what a picture shows and how it's taken."""
    from facskit.synthesis.studio import in_place, sample_picture  # noqa: PLC0415 (needs VTK)

    sampled, scene = sample_picture(person, config.seed, subject, frame)
    places_share = {"lamps": 0.0, "mixed": 0.5, "places": 1.0}[config.light]
    return sampled, in_place(scene, config.seed, subject, frame, places_share)


def _write_picture(image: UInt8[np.ndarray, "height width 3"], path: Path) -> None:
    with atomic_path(path) as part:
        part.write_bytes(encode_jpeg(image, _JPEG_QUALITY))


def _render_all(
    config: SynthesisConfig, out: Path, heads: list[Path | None], skins: tuple[SkinPhotograph, ...]
) -> None:
    todo = [subject for subject in range(config.subjects) if not _part_file(out, subject, config).is_file()]
    work, prepare = partial(_work, config, out), partial(_open_studios, config, heads, skins)
    with counting_bar() as progress:
        done = (config.subjects - len(todo)) * config.frames
        task = progress.add_task("rendering faces", total=config.subjects * config.frames, completed=done)
        for count in run_in_processes(work, todo, config.workers, what="rendering", prepare=prepare):
            progress.advance(task, count)


_worker_studios: Any = None


def _open_studios(config: SynthesisConfig, heads: list[Path | None], skins: tuple[SkinPhotograph, ...]) -> None:
    global _worker_studios  # noqa: PLW0603 (a process keeps its windows from subject to subject)
    from facskit.synthesis.studio import Studio  # noqa: PLC0415 (needs VTK)

    _worker_studios = [Studio(load_head(head), config.size, skins, config.folds) for head in heads]


def _work(config: SynthesisConfig, out: Path, subject: int) -> int:
    return render_subject(config, out, subject, _worker_studios[subject % len(_worker_studios)])


def _home(config: SynthesisConfig, out: Path, heads: list[MorphableHead]) -> DatasetFolder:
    settings = asdict(config) | {"head": list(config.head or (PACKAGED,))}
    del settings["workers"]
    description = {
        "kind": "faces rendered by facskit",
        "version": __version__,
        "config": settings,
        "action_units": list(RENDERED.codes),
        "occurrence": "1 where the FACS level is 2 (B) or more",
        "licence": " ".join(dict.fromkeys(HEAD_LICENCES[head.name] for head in heads)),
    }
    # Descriptions written before there was a choice of background, rooms, light, skin or folds don't name it.
    earlier = {"background": "picture", "rooms": None, "light": "lamps", "skins": PAINTED, "folds": "units"}
    return DatasetFolder(path=out, result=MANIFEST, description=description, earlier=earlier)


def _skins(config: SynthesisConfig) -> tuple[SkinPhotograph, ...]:
    if config.skins == PAINTED:
        return ()
    return find_skins(None if config.skins == PACKAGED else Path(config.skins))


def _head_file(head: MorphableHead, source: str, imported: Path) -> Path | None:
    """Return an asset that workers can load quickly, None for the packaged one; a folder of meshes is imported once."""
    if source == PACKAGED:
        return None
    if not Path(source).is_dir():
        return Path(source)
    save_head(head, imported)
    return imported


def _part_file(out: Path, subject: int, config: SynthesisConfig) -> Path:
    return out / PARTS / f"{subject_name(subject, config.subjects)}.parquet"


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    with atomic_path(path) as part:
        table.write_parquet(part)
