"""Are faces called unreliable where they are? `python -m studies.face_quality` measures it on rendered faces.

Each of some people makes a few faces. Each face is photographed plainly, and again with one thing wrong: turned away,
small, blurred, moved, dark, cut off, or covered. So it's known what is wrong and how much, and the same face seen
plainly says what that does to the answers: in how many decisions they differ. Rendering is resumable.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from jaxtyping import UInt8
from rich.console import Console

from facskit.faces.detectors import FOR_PHOTOGRAPHS, build_detector
from facskit.faces.filters import gaussian_blur, jpeg_artefacts
from facskit.faces.images import encode_jpeg, read_image
from facskit.faces.quality import QualityLimits
from facskit.files import atomic_path
from facskit.inference.recognition import Recognition
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.processes import counting_bar
from facskit.synthesis.head import load_head
from facskit.synthesis.scene import Scene
from facskit.synthesis.studio import Studio, invent_person, noise_stream, sample_picture
from facskit.tables import TextTable, number_cell, percent_cell, write_results
from studies.command import run_study
from studies.covers import COVERS, cover_face

Picture = UInt8[np.ndarray, "height width 3"]

SIZE = 256
TURNS = (
    *((0.0, float(yaw)) for yaw in (-75, -60, -45, -30, -15, 15, 30, 45, 60, 75)),
    *((float(pitch), 0.0) for pitch in (-50, -35, -20, 20, 35, 50)),
)
"""Pitch and yaw in degrees by which a face is turned."""
HEIGHTS = (16, 20, 24, 30, 36, 44, 56, 72, 100)
"""Heights of small faces in pixels."""
BLURS = (0.02, 0.03, 0.045, 0.065, 0.09, 0.12)
"""Standard deviations of blurs, in eye distances."""
MOTIONS = (0.06, 0.12, 0.2, 0.3, 0.45)
"""Lengths of movements while the shutter is open, in eye distances."""
LIGHTS = (0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.008)
"""Light of dark pictures, 1 being that of a good one."""
CUTS = (0.1, 0.2, 0.3, 0.4)
"""Parts of a face that lie beyond the picture's edge."""
_SENSOR_NOISE = 0.002
"""Standard deviation of the noise that a sensor adds to the light of a dark picture."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to render and where."""

    out: Path = Path("runs/studies/face_quality")
    """Folder of the study."""
    people: int = 32
    """Invented people; 18 pictures are rendered of each."""
    seed: int = 7
    """Seed of people, faces and of what is done to pictures."""
    weights: str = "packaged"
    """Whose decisions are compared."""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture, and what is wrong with it."""

    kind: str
    """What is wrong, `plain` for nothing."""
    level: str
    """How much of it, in words."""
    image: Picture


def main(study: Study) -> None:
    """Render, look at every case, and write the tables."""
    pictures = render(study.out / "faces", study.people, study.seed)
    config = RecognizerConfig(faces="largest", mirror="never")
    recognizer = Recognizer.from_checkpoint(study.weights, "cpu", config)
    rows = []
    with counting_bar() as progress:
        for (_, _), own in progress.track(
            list(pictures.group_by(["person", "frame"], maintain_order=True)), description="looking at faces"
        ):
            rows += list(_look(study, own, recognizer))
    table = pl.DataFrame(rows, infer_schema_length=None)
    results = _results_table(table)
    write_results(study.out, results.to_markdown("#"), {"cases": table.to_dicts()})
    console = Console(highlight=False, soft_wrap=True)
    console.print(results.to_terminal())
    console.print(f"Results: {study.out}/results.md and results.json")


def render(out: Path, people: int, seed: int) -> pl.DataFrame:
    """Photograph every person's faces; return where the pictures are and how the head is turned, in degrees."""
    out.mkdir(parents=True, exist_ok=True)
    studio = Studio(load_head(None), SIZE)
    rows = []
    with counting_bar() as progress:
        for person in progress.track(range(people), description="rendering people"):
            part = out / f"{person:03d}.parquet"
            if not part.is_file():
                found = pl.DataFrame(list(_photographs(studio, out, person, seed)))
                with atomic_path(part) as place:
                    found.write_parquet(place)
            rows.append(pl.read_parquet(part))
    return pl.concat(rows)


def _photographs(studio: Studio, out: Path, person: int, seed: int) -> Iterator[dict[str, str | float | int]]:
    """Photograph a person's first face plainly and turned, and a second one plainly."""
    invented = invent_person(seed, person, "balanced", studio.head, studio.skins)
    studio.seat(invented)
    for frame, turns in enumerate((TURNS, ())):
        action, scene = sample_picture(invented, seed, person, frame)
        plain = _plain(scene)
        for number, (pitch, yaw) in enumerate(((0.0, 0.0), *turns)):
            pose = (plain.pose[0] + np.radians(pitch), plain.pose[1] + np.radians(yaw), plain.pose[2])
            face = studio.shoot(action, replace(plain, pose=pose), noise_stream(seed, person, frame))
            path = out / f"{person:03d}_{frame}_{number:02d}.jpg"
            with atomic_path(path) as place:
                place.write_bytes(encode_jpeg(face.image, 95))
            yield {
                "image": str(path),
                "person": person,
                "frame": frame,
                "skin_tone": invented.looks.skin_tone,
                "pitch": float(np.degrees(face.pose[0])),
                "yaw": float(np.degrees(face.pose[1])),
                "dark_glasses": int(invented.looks.glasses is not None and invented.looks.glasses.tint >= 0.35),
            }


def _plain(scene: Scene) -> Scene:
    """Return a scene without anything wrong: seen from the front, nearly, by a decent camera."""
    flaws = scene.degradation
    settings = replace(
        flaws,
        blur=min(flaws.blur, 0.0025),
        motion=0.0,
        resolution=1.0,
        veil=0.0,
        moire=0.0,
        video_quantiser=0,
        beautification=0.0,
        noise=min(flaws.noise, 0.01),
        gain=float(np.clip(flaws.gain, 0.85, 1.3)),
        jpeg_quality=max(flaws.jpeg_quality, 80),
    )
    pitch, yaw, roll = (float(value) for value in np.clip(scene.pose, (-0.09, -0.12, -0.2), (0.09, 0.12, 0.2)))
    return replace(scene, pose=(pitch, yaw, roll), degradation=settings)


def _look(study: Study, pictures: pl.DataFrame, recognizer: Recognizer) -> Iterator[dict[str, object]]:
    """Look at one face in all its cases; compare each with the plain one."""
    first, *turned = pictures.to_dicts()
    image = read_image(Path(first["image"]))
    plain = recognizer.recognize(image)
    if not plain or first["dark_glasses"]:
        return
    rng = np.random.default_rng([study.seed, first["person"], first["frame"]])
    cases = [Case("plain", "", image), *_turned(turned), *_spoiled(image, plain[0], rng)]
    for case in cases:
        found = recognizer.recognize(case.image)
        row: dict[str, object] = {"kind": case.kind, "level": case.level, "skin_tone": first["skin_tone"]}
        row |= {"found": int(bool(found)), "changed": None, "because": None}
        if found:
            row["changed"] = int((found[0].decisions != plain[0].decisions).sum())
            row["because"] = list(found[0].unreliable_because)
        yield row


def _turned(pictures: list[dict[str, object]]) -> Iterator[Case]:
    for row in pictures:
        pitch, yaw = float(str(row["pitch"])), float(str(row["yaw"]))
        to_side = abs(yaw) > abs(pitch)
        kind = "turned to a side" if to_side else "looking down" if pitch > 0 else "looking up"
        degrees = 15 * round(max(abs(pitch), abs(yaw)) / 15)
        yield Case(kind, f"{degrees} degrees", read_image(Path(str(row["image"]))))


def _spoiled(image: Picture, face: Recognition, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the picture with one thing wrong at a time."""
    detected = build_detector(FOR_PHOTOGRAPHS).detect(image)[0]
    eyes = float(np.hypot(*(detected.annotated[1] - detected.annotated[0])))
    height = float(face.box[3] - face.box[1])
    for wanted in HEIGHTS:
        yield Case("small", f"{wanted} pixels high", _shrunk(image, wanted / height))
    for blur in BLURS:
        yield Case("blurred", f"{blur:g} eye distances", gaussian_blur(image, blur * eyes))
    for motion in MOTIONS:
        yield Case("moved", f"{motion:g} eye distances", _moved(image, motion * eyes, rng))
    for light in LIGHTS:
        yield Case("dark", f"{light:g} of the light", _dark(image, light, rng))
    for cut in CUTS:
        edge = int(detected.box[2] - cut * (detected.box[2] - detected.box[0]))
        yield Case("cut off", f"{cut:.0%} of the width", np.ascontiguousarray(image[:, :edge]))
    for quality in (60, 30, 15):
        yield Case("plain but for JPEG", f"quality {quality}", jpeg_artefacts(image, quality))
    for cover in COVERS:
        yield Case("covered", cover, cover_face(image, detected.annotated, cover, rng))


def _shrunk(image: Picture, zoom: float) -> Picture:
    side = max(8, round(SIZE * zoom))
    canvas = np.full((max(SIZE, side), max(SIZE, side), 3), 110, np.uint8)
    corner = (len(canvas) - side) // 2
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    canvas[corner : corner + side, corner : corner + side] = small
    return canvas


def _moved(image: Picture, length: float, rng: np.random.Generator) -> Picture:
    side = max(1, int(length)) | 1
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2] = 1
    turn = cv2.getRotationMatrix2D((side // 2, side // 2), rng.uniform(0, 180), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (side, side)), np.float32)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _dark(image: Picture, light: float, rng: np.random.Generator) -> Picture:
    linear = (image / 255.0) ** 2.2 * light + rng.normal(0, _SENSOR_NOISE, image.shape)
    levels = np.clip(np.rint(np.clip(linear, 0, 1) ** (1 / 2.2) * 255), 0, 255).astype(np.uint8)
    return jpeg_artefacts(levels, 85)


def _results_table(table: pl.DataFrame) -> TextTable:
    """Return a row per kind and level: faces, how many are found, decisions that differ, and what is said of them."""
    rows: list[tuple[str, ...]] = []
    for (kind,), group in table.group_by(["kind"], maintain_order=True):
        for (level,), cases in group.group_by(["level"], maintain_order=True):
            seen = cases.filter(pl.col("found") == 1)
            said = seen["because"].explode().drop_nulls().value_counts(sort=True)
            unreliable, changed = float("nan"), float("nan")
            if seen.height:
                unreliable = float(np.mean(seen["because"].list.len().to_numpy() > 0))
                changed = float(np.mean(seen["changed"].to_numpy()))
            cells = (str(cases.height), percent_cell(seen.height / cases.height, 0), number_cell(changed, 1))
            reasons = ", ".join(f"{name} {count / seen.height:.0%}" for name, count in said.rows())
            first = not rows or all(row[0] != kind for row in rows)
            rows.append((str(kind) if first else "", str(level), *cells, percent_cell(unreliable, 0), reasons))
    return TextTable(
        title="What is wrong with a face, and what is said of it",
        header=("what is wrong", "how much", "faces", "found %", "decisions that differ", "unreliable %", "because"),
        rows=tuple(rows),
        num_text=2,
        more_text=(6,),
        notes=(f"Limits: {QualityLimits()}", "Decisions that differ: of 19, from the same face seen plainly."),
    )


if __name__ == "__main__":
    run_study(main, Study)
