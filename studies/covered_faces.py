"""Trains the network that says whether a face is covered: `python -m studies.covered_faces MANIFEST`.

The manifest is one of rendered faces, such as `facskit synthesize faces/ --subjects 2100 --frames 24 --seed 1 --profile
mixed --size 192` makes it. Shapes of all kinds - blobs, bands, half planes, fingers, boxes, pairs of lenses - with all
kinds of textures are pasted before two of three crops of each face; where their edges leave it open whether a part is
covered, that part hardly counts. An eighth of the people are kept for the figures that are printed.
`studies/face_quality.py` then measures it on covers of other kinds, and on photographs it's looked at.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import cv2
import numpy as np
import torch
import tyro
from jaxtyping import Float, Float32, UInt8
from rich.console import Console
from safetensors.numpy import save_file
from sklearn.metrics import roc_auc_score
from torch import nn

from facskit.datasets.manifest import Manifest, read_manifest
from facskit.faces.alignment import crop_matrix, five_points, transform_points
from facskit.faces.covering import ASSET, PARTS, covering_features
from facskit.faces.crop_recipes import EyeSimilarityCrop
from facskit.faces.filters import gaussian_blur, jpeg_artefacts
from facskit.faces.images import warp
from facskit.files import atomic_path
from facskit.processes import counting_bar
from studies.command import run_study

Crop = UInt8[np.ndarray, "side side 3"]
Texture = Float32[np.ndarray, "side side 3"]
Mask = UInt8[np.ndarray, "side side"]

RECIPE = EyeSimilarityCrop()
SIDE = RECIPE.size
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)
REGIONS = (((36, 42), (12, 8)), ((42, 48), (12, 8)), ((30, 31), (9, 12)), ((48, 60), (17, 10)))
"""Landmarks whose middle is a part's, and half its width and height in pixels of the crop."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to learn from."""

    manifest: Annotated[Path, tyro.conf.Positional]
    """Rendered faces."""
    out: Path = Path("facskit") / ASSET
    """Where the network goes."""
    faces: int = 7000
    """How many faces to take; three crops of each."""
    epochs: int = 30
    """How often each crop is seen."""
    seed: int = 0
    """Seed of everything."""


def main(study: Study) -> None:
    """Make examples, train, say how well it does on people it hasn't met, and write the network."""
    console = Console(highlight=False)
    features, covered, people = make_examples(study, read_manifest(study.manifest, check_images=False))
    held_out = people % 8 == 0
    network, mean, deviation = train(study, features[~held_out], covered[~held_out])
    scores = predict(network, (features[held_out] - mean) / deviation)
    for part, name in enumerate(PARTS):
        share = covered[held_out, part]
        sure = (share < 0.1) | (share > 0.6)
        console.print(f"{name}: ROC-AUC {roc_auc_score(share[sure] > 0.35, scores[sure, part]):.3f}")
    free = covered[held_out].max(1) < 0.05
    for limit in (0.5, 0.7, 0.8):
        found, false = (scores.max(1)[chosen] > limit for chosen in (covered[held_out].max(1) > 0.35, free))
        console.print(f"from {limit:g}: {found.mean():.1%} of covered faces found, {false.mean():.1%} false alarms")
    numbers = {"mean": mean, "deviation": deviation}
    for name, layer in (("hidden", cast(nn.Linear, network[1])), ("output", cast(nn.Linear, network[4]))):
        numbers[name] = layer.weight.detach().numpy()
        numbers[f"{name}_bias"] = layer.bias.detach().numpy()
    with atomic_path(study.out) as part_file:
        save_file({name: values.astype(np.float16) for name, values in numbers.items()}, part_file)
    console.print(f"written: {study.out}")


def make_examples(
    study: Study, manifest: Manifest
) -> tuple[Float32[np.ndarray, "n features"], Float32[np.ndarray, "n 4"], np.ndarray]:
    """Return features, which share of each part is covered, and the number of the person."""
    rng = np.random.default_rng(study.seed)
    rows = rng.permutation(len(manifest))[: study.faces]
    hidden = manifest.table["hidden"].fill_null("").to_list()
    # Pieces of pictures are textures too: other people's skin, hair, clothes and walls.
    pieces = [cv2.resize(manifest.image(int(row)), (SIDE, SIDE)) for row in rows[:60]]
    features, shares, people = [], [], []
    with counting_bar() as progress:
        for row in progress.track(rows.tolist(), description="covering faces"):
            image, landmarks = manifest.image(row), manifest.landmarks(row)
            if landmarks is None:
                continue
            for example in range(3):
                crop, points = _crop(image, landmarks, rng)
                cover = np.zeros((SIDE, SIDE), np.float32)
                if example:
                    crop, cover = _cover(crop, pieces, rng)
                share = _shares(cover, points)
                if "AU05:glasses" in hidden[row]:
                    share[:2] = 1.0
                if rng.random() < 0.5:
                    crop, share = np.ascontiguousarray(crop[:, ::-1]), share[[1, 0, 2, 3]]
                features.append(covering_features(_photographed(crop, rng)))
                shares.append(share)
                people.append(int(manifest.subject_indices[row]))
    return np.array(features), np.array(shares, np.float32), np.array(people)


def _crop(
    image: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "68 2"], rng: np.random.Generator
) -> tuple[Crop, Float[np.ndarray, "68 2"]]:
    """Cut a face out as if a detector had found it, about as far off as a detector is; return its landmarks too."""
    points = five_points(landmarks)
    eyes = float(np.hypot(*(points[1] - points[0])))
    points = points + rng.normal(0, rng.choice([0.035, 0.07]) * eyes, (5, 2))
    matrix = crop_matrix(RECIPE, landmarks=points, box=None, image_size=(image.shape[1], image.shape[0]))
    return warp(image, matrix, SIDE), transform_points(matrix, landmarks)


def _shares(cover: Float32[np.ndarray, "side side"], landmarks: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "4"]:
    """Return which share of each part is covered."""
    shares = []
    for (first, end), (width, height) in REGIONS:
        x, y = landmarks[first:end].mean(0)
        inside = ((COLUMNS - x) / width) ** 2 + ((ROWS - y) / height) ** 2 < 1
        shares.append(float(cover[inside].mean()) if inside.any() else 0.0)
    return np.array(shares)


def _cover(crop: Crop, pieces: list[Crop], rng: np.random.Generator) -> tuple[Crop, Float32[np.ndarray, "side side"]]:
    """Paste something before a face; return where it is, too."""
    mask = _shape(rng)
    if rng.random() < 0.2:
        mask = np.maximum(mask, _shape(rng))
    cover = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 1.6)).astype(np.float32) / 255
    texture = _texture(crop, pieces, rng)
    if rng.random() < 0.5:
        # Round things are darker towards their edges.
        texture = texture * (0.5 + 0.5 * cv2.GaussianBlur(cover, (0, 0), 4))[..., None]
    pasted = crop * (1 - cover[..., None]) + texture * cover[..., None]
    return np.clip(pasted, 0, 255).astype(np.uint8), np.asarray(cover, np.float32)


def _shape(rng: np.random.Generator) -> Mask:
    """Draw a shape: where something lies before the face, 255."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    middle, turn = rng.uniform(15, 97, 2), rng.uniform(0, 2 * np.pi)
    along = np.cos(turn) * (COLUMNS - 56) + np.sin(turn) * (ROWS - 56)
    match rng.choice(["blob", "half", "band", "polygon", "fingers", "lenses", "box"]):
        case "blob":
            axes = (float(rng.uniform(15, 90)), float(rng.uniform(15, 90)))
            cv2.ellipse(mask, ((float(middle[0]), float(middle[1])), axes, float(np.degrees(turn))), 255, -1)
        case "half":
            mask[along > rng.uniform(-5, 40)] = 255
        case "band":
            mask[np.abs(along - rng.uniform(-40, 40)) < rng.uniform(5, 22)] = 255
        case "polygon":
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
            corners = middle + (rng.uniform(12, 55, len(angles)) * np.array([np.cos(angles), np.sin(angles)])).T
            cv2.fillPoly(mask, [corners.astype(np.int32)], 255)
        case "fingers":
            _draw_fingers(mask, middle, turn, rng)
        case "lenses":
            axes = (float(rng.uniform(26, 48)), float(rng.uniform(18, 40)))
            for x in (33, 79):
                cv2.ellipse(mask, ((float(x + rng.normal(0, 2)), float(32 + rng.normal(0, 3))), axes, 0.0), 255, -1)
        case "box":
            left, right = np.sort(rng.integers(0, SIDE, 2))
            top, bottom = np.sort(rng.integers(0, SIDE, 2))
            mask[top:bottom, left:right] = 255
    return mask


def _draw_fingers(mask: Mask, middle: Float[np.ndarray, "2"], turn: float, rng: np.random.Generator) -> None:
    width, number, length = rng.uniform(7, 14), int(rng.integers(2, 6)), rng.uniform(30, 120)
    for finger in range(number):
        beside = (finger - number / 2) * width * 1.05 * np.array([-np.sin(turn), np.cos(turn)])
        spread = turn + rng.normal(0, 0.12)
        tip = middle + beside + length * rng.uniform(0.8, 1.1) * np.array([np.cos(spread), np.sin(spread)])
        start = (middle + beside).astype(int)
        cv2.line(mask, (int(start[0]), int(start[1])), (int(tip[0]), int(tip[1])), 255, int(width))


def _texture(crop: Crop, pieces: list[Crop], rng: np.random.Generator) -> Texture:
    """Draw what something is made of: one colour, the face's own, stripes, or a piece of another picture."""
    kind = rng.choice(["colour", "grey", "skin", "skin", "piece", "stripes"])
    if kind == "piece":
        turned = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(0, 360), rng.uniform(0.7, 3))
        turned[:, 2] = turned[:, 2] + rng.uniform(-30, 30, 2)
        piece = pieces[int(rng.integers(len(pieces)))]
        return cv2.warpAffine(piece, turned, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    colour = rng.uniform(0, 255, 3)
    if kind == "grey":
        colour = np.full(3, rng.uniform(10, 245))
    elif kind == "skin":
        colour = np.median(crop[40:90, 40:72].reshape(-1, 3), axis=0) * rng.uniform(0.6, 1.25)
    base = np.ones((SIDE, SIDE, 3)) * colour
    turn = rng.uniform(0, 2 * np.pi)
    along = np.cos(turn) * (COLUMNS - 56) + np.sin(turn) * (ROWS - 56)
    if kind == "stripes":
        share = 0.5 + 0.5 * np.sin(along * 2 * np.pi / rng.uniform(3, 40))[..., None]
        base = base * share + rng.uniform(0, 255, 3) * (1 - share)
    base = base * (1 + rng.uniform(0, 0.4) * along[..., None] / 56)
    cells = max(2, SIDE // int(rng.choice([1, 2, 4, 10, 30])))
    grain = cv2.resize(rng.normal(0, 1, (cells, cells)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(base + rng.uniform(0, 25) * grain[..., None], 0, 255).astype(np.float32)


def _photographed(crop: Crop, rng: np.random.Generator) -> Crop:
    """Add what cameras and files do."""
    if rng.random() < 0.3:
        crop = jpeg_artefacts(crop, int(rng.integers(20, 80)))
    if rng.random() < 0.25:
        crop = gaussian_blur(crop, rng.uniform(0.5, 1.6))
    if rng.random() < 0.3:
        crop = np.clip(crop * rng.uniform(0.3, 1.4), 0, 255).astype(np.uint8)
    return crop


def train(
    study: Study, features: Float32[np.ndarray, "n features"], covered: Float32[np.ndarray, "n 4"]
) -> tuple[nn.Sequential, Float32[np.ndarray, " features"], Float32[np.ndarray, " features"]]:
    """Train the network; return the features' mean and deviation too."""
    torch.manual_seed(study.seed)
    mean, deviation = features.mean(0), features.std(0) + np.float32(1e-3)
    inputs = torch.from_numpy((features - mean) / deviation)
    labels = torch.from_numpy((covered > 0.35).astype(np.float32))
    # Between 10 and 60 percent nobody would say for sure.
    weights = torch.from_numpy(np.where((covered > 0.1) & (covered < 0.6), 0.1, 1.0).astype(np.float32))
    network = nn.Sequential(
        nn.Dropout(0.2), nn.Linear(inputs.shape[1], 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, len(PARTS))
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, study.epochs)
    for _ in range(study.epochs):
        network.train()
        for batch in torch.randperm(len(inputs)).split(128):  # type: ignore[no-untyped-call]
            losses = nn.functional.binary_cross_entropy_with_logits(
                network(inputs[batch]), labels[batch], weight=weights[batch]
            )
            optimizer.zero_grad()
            losses.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return network.eval(), mean, deviation


@torch.inference_mode()
def predict(network: nn.Sequential, inputs: Float32[np.ndarray, "n features"]) -> Float32[np.ndarray, "n 4"]:
    """Return how probably each part is covered."""
    probabilities: Float32[np.ndarray, "n 4"] = network(torch.from_numpy(inputs)).sigmoid().numpy()
    return probabilities


if __name__ == "__main__":
    run_study(main, Study)
