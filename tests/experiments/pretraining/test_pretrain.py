"""A pre-training from start to end: what it leaves behind, and that stopping it changes nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from facskit.datasets.loaders import EpochLoader
from facskit.datasets.unlabelled.loader import FaceImages
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.errors import CheckpointError, DatasetError, RecipeError
from facskit.experiments.pretraining.parts import assemble_pretraining
from facskit.experiments.pretraining.pretrain import PretrainingDirectory, pretrain
from facskit.faces.images import read_image
from facskit.models.checkpoints import load_encoder
from facskit.training.metrics_file import read_metrics
from facskit.training.runtime import start_runtime
from tests.experiments.drawn_faces import write_drawn_faces
from tests.experiments.tiny_pretraining import tiny_recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")


@pytest.fixture(scope="module")
def whole(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> PretrainingDirectory:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert pretrain(tiny_recipe(drawn), out) == out / "encoder.safetensors"
    return PretrainingDirectory(out)


def test_a_run_leaves_what_a_reader_needs(drawn: Path, whole: PretrainingDirectory) -> None:
    model, info = load_encoder(whole.weights)
    assert info.model == tiny_recipe(drawn).model == model.config
    assert (info.licence, info.normalization) == ("CC0-1.0", "imagenet")
    assert info.provenance["training_images"] == 120
    subjects = info.provenance["training_subjects"]
    assert len(set(subjects) & {f"S{number}" for number in range(6)}) == len(subjects) == 5
    assert info.provenance["epoch"] == 3
    assert info.provenance["crop"] == {"kind": "none", "size": 32, "aligned": 0}
    epochs = [record for record in read_metrics(whole.metrics) if record["kind"] == "epoch"]
    assert [record["epoch"] for record in epochs] == [1, 2, 3]
    assert epochs[-1]["validation_loss"] == info.provenance["validation_loss"]
    assert epochs[-1]["validation_loss"] < epochs[0]["validation_loss"]
    assert read_image(whole.losses).shape[2] == 3
    assert not list(whole.snapshots.iterdir())


def test_pictures_and_encoders_are_kept_at_their_epochs(whole: PretrainingDirectory) -> None:
    assert sorted(path.name for path in (whole.path / "pictures").iterdir()) == ["epoch-002.png", "epoch-003.png"]
    pictures = [read_image(whole.picture(epoch)) for epoch in (2, 3)]
    assert pictures[0].shape == pictures[1].shape
    assert not np.array_equal(pictures[0], pictures[1])
    kept = [load_encoder(whole.kept_encoder(epoch)) for epoch in (1, 2, 3)]
    assert [info.provenance["epoch"] for _, info in kept] == [1, 2, 3]
    last, _ = load_encoder(whole.weights)
    assert torch.equal(kept[2][0].decoder_pred.weight, last.decoder_pred.weight)
    assert not torch.equal(kept[1][0].decoder_pred.weight, last.decoder_pred.weight)


def test_a_finished_run_is_left_alone(
    drawn: Path, whole: PretrainingDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    before = whole.weights.stat().st_mtime_ns
    assert pretrain(tiny_recipe(drawn), whole.path) == whole.weights
    assert whole.weights.stat().st_mtime_ns == before
    assert "this run is finished; its encoder is in encoder.safetensors" in capsys.readouterr().err
    training = replace(tiny_recipe(drawn).training, keep_every=2)
    with pytest.raises(RecipeError, match="another recipe: training.keep_every: there 1, now 2"):
        pretrain(replace(tiny_recipe(drawn), training=training), whole.path)


@pytest.mark.parametrize("stop", [1, 7, 11])
def test_a_run_that_broke_off_ends_with_the_same_bytes(
    drawn: Path, whole: PretrainingDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    seen = 0
    undisturbed = EpochLoader.batches

    def break_off(self: EpochLoader[FaceImages], epoch: int, start_step: int = 0) -> Iterator[FaceImages]:
        nonlocal seen
        for batch in undisturbed(self, epoch, start_step):
            seen += len(self.dataset) == 120
            if seen > stop:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(EpochLoader, "batches", break_off)
    with pytest.raises(KeyboardInterrupt):
        pretrain(tiny_recipe(drawn), tmp_path / "run")
    monkeypatch.undo()
    pretrain(tiny_recipe(drawn), tmp_path / "run")
    run = PretrainingDirectory(tmp_path / "run")
    for name in ("encoder.safetensors", "encoders/epoch-002.safetensors", "pictures/epoch-003.png"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    numbers = [
        [{**record, "images_per_second": 0, "seconds": 0} for record in read_metrics(path)]
        for path in (run.metrics, whole.metrics)
    ]
    assert numbers[0] == numbers[1]


def test_another_seed_learns_differently_but_is_measured_alike(drawn: Path) -> None:
    recipe = tiny_recipe(drawn)
    other = replace(recipe, runtime=replace(recipe.runtime, seed=1))
    source, fabric = UnlabelledImages.open(recipe.data.images), start_runtime(recipe.runtime)
    one, two = (assemble_pretraining(choice, source, fabric) for choice in (recipe, other))
    assert not torch.equal(one.model.mask_token, two.model.mask_token)
    assert one.held_out is not None
    assert two.held_out is not None
    model = one.model.eval()
    assert one.held_out.loss(model) == one.held_out.loss(model) == two.held_out.loss(model)


def test_nothing_is_set_aside_or_drawn_if_nobody_asks(drawn: Path) -> None:
    recipe = tiny_recipe(drawn)
    recipe = replace(
        recipe,
        data=replace(recipe.data, validation_fraction=0.0),
        pictures=replace(recipe.pictures, faces=0),
    )
    parts = assemble_pretraining(recipe, UnlabelledImages.open(recipe.data.images), start_runtime(recipe.runtime))
    assert parts.held_out is None
    assert parts.shown is None
    assert len(parts.faces) == 144


def test_a_run_can_start_from_another_ones_encoder(drawn: Path, whole: PretrainingDirectory, tmp_path: Path) -> None:
    recipe = replace(tiny_recipe(drawn), initial_weights=str(whole.weights))
    source, fabric = UnlabelledImages.open(recipe.data.images), start_runtime(recipe.runtime)
    start, _ = load_encoder(whole.weights)
    assert torch.equal(assemble_pretraining(recipe, source, fabric).model.mask_token, start.mask_token)
    pretrain(replace(recipe, training=replace(recipe.training, epochs=1)), tmp_path / "next")
    _, info = load_encoder(tmp_path / "next" / "encoder.safetensors")
    assert info.provenance["initial_weights"]["kind"] == "autoencoder"
    assert len(info.provenance["initial_training_subjects"]) == 5
    wider = replace(recipe, model=replace(recipe.model, decoder_dim=64))
    with pytest.raises(CheckpointError, match="encoder.safetensors: its network has decoder_dim 32, the recipe's 64"):
        assemble_pretraining(wider, source, fabric)


def test_mistakes_show_before_anything_is_written(drawn: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(drawn)
    too_large = replace(recipe, data=replace(recipe.data, loader=replace(recipe.data.loader, batch_size=121)))
    with pytest.raises(DatasetError, match=r"data.loader.batch_size: found 120 training images, fewer than one batch"):
        pretrain(too_large, tmp_path / "run")
    absent = replace(recipe, data=replace(recipe.data, images=str(tmp_path / "absent.parquet")))
    with pytest.raises(DatasetError, match=r"absent.parquet"):
        pretrain(absent, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(drawn: Path, whole: PretrainingDirectory, tmp_path: Path) -> None:
    out = tmp_path / "two"
    command = [sys.executable, "-m", "tests.experiments.tiny_pretraining", str(drawn), str(out), "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("learning rate 0.00313 = 0.05 x 16 / 256") == 1
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [1, 2, 3]
    # The masks are others, since each process draws its own, but the images of every update are the same.
    losses = [read_metrics(folder / "metrics.jsonl")[-1]["validation_loss"] for folder in (out, whole.path)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_other_images_are_refused(drawn: Path, tmp_path: Path) -> None:
    faces, out = tmp_path / "faces.parquet", tmp_path / "run"
    pl.read_parquet(drawn).write_parquet(faces)
    pretrain(tiny_recipe(faces), out)
    pl.read_parquet(drawn).with_columns(AU01=1 - pl.col("AU01")).write_parquet(faces)
    pretrain(tiny_recipe(faces), out)  # nobody reads labels here
    pl.read_parquet(drawn)[1:].write_parquet(faces)
    with pytest.raises(DatasetError, match="trained with other data .* 1 row less"):
        pretrain(tiny_recipe(faces), out)
