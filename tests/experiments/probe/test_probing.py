"""`facskit probe` from run folders to tables and figures: every kept network, on the right faces, never twice."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.datasets.folds import SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.errors import CheckpointError, DatasetError, RecipeError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.features import extract_features
from facskit.evaluation.identity.embedding import EmbeddingConfig
from facskit.evaluation.identity.probe import IdentityProbeConfig
from facskit.experiments.opened_data import OpenedData
from facskit.experiments.probe.probing import ProbePlan, Probing, probe
from facskit.experiments.probe.report import probe_markdown, write_probing
from facskit.experiments.probe.sources import find_sources
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.recipe_files import format_recipe
from facskit.faces.alignment import WholeImage
from facskit.files import write_text
from facskit.interfaces.probe import main
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, EncoderInfo, save_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig
from facskit.training.loop import TrainingConfig
from tests.experiments.drawn_faces import write_drawn_faces

UNITS = ActionUnitSet.parse("AU01,AU12")
VIT = ViTConfig(image_size=32, patch_size=16, dim=16, depth=1, heads=2)
IDENTITY = IdentityProbeConfig(bootstrap=BootstrapConfig(resamples=200))
PLAN = ProbePlan(identity=IDENTITY, embedding=EmbeddingConfig(subjects=4, perplexity=5.0), device="cpu")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")
    table = pl.read_parquet(path)
    # Three recordings of everybody but S5, who has one.
    takes = [f"take {row % 24 // 8}" if row < 5 * 24 else "take 0" for row in range(len(table))]
    table.with_columns(recording=pl.Series(takes)).write_parquet(path)
    return path


def _recipe(faces: Path, *, start: str = "") -> Recipe:
    folds = SubjectFolds(k=2, validation_fraction=0.0)
    data = DataConfig(manifest=str(faces), action_units="AU01,AU12", crop=WholeImage(size=32), folds=folds)
    data = replace(data, loader=LoaderConfig(batch_size=8))
    model = VIT if start else CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4)
    return Recipe(name="drawn", data=data, model=model, initial_weights=start, training=TrainingConfig(epochs=4))


def _save(path: Path, recipe: Recipe, seed: int, epoch: int | str = "last") -> None:
    torch.manual_seed(seed)
    info = CheckpointInfo(
        model=recipe.model,
        action_units=UNITS,
        crop=recipe.data.crop,
        normalization=recipe.data.normalization,
        thresholds=(0.5, 0.5),
        licence="Apache-2.0",
        provenance={"epoch": epoch, "epochs": 4},
    )
    save_checkpoint(path, build_model(recipe.model, 2), info)


def _write_run(folder: Path, recipe: Recipe, epochs: tuple[int, ...] = (1, 2, 4), *, last: bool = True) -> Path:
    write_text(folder / "recipe.yaml", format_recipe(recipe))
    for epoch in epochs:
        _save(folder / "epochs" / f"epoch-{epoch:03d}.safetensors", recipe, epoch, epoch)
    if last:
        _save(folder / "weights.safetensors", recipe, 4)
    return folder


@pytest.fixture(scope="module")
def run(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_run(tmp_path_factory.mktemp("runs") / "compact", _recipe(faces))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoders") / "start.safetensors"
    config = AutoencoderConfig(encoder=VIT, decoder_dim=16, decoder_depth=1, decoder_heads=2)
    torch.manual_seed(0)
    save_checkpoint(path, MaskedAutoencoder(config), EncoderInfo(model=config, normalization="imagenet", licence="x"))
    return path


@pytest.fixture(scope="module")
def started(faces: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = _recipe(faces, start=str(encoder))
    return _write_run(tmp_path_factory.mktemp("runs") / "started", recipe, (2,), last=True)


@pytest.fixture(scope="module")
def both(run: Path, started: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Probing, Path]:
    out = tmp_path_factory.mktemp("probe")
    return probe([f"A={run}", str(started)], out, PLAN), out


def test_every_kept_network_is_probed(both: tuple[Probing, Path]) -> None:
    plain, started = both[0].sources
    assert (plain.label, started.label) == ("A", "started")
    assert [moment.epoch for moment in plain.moments] == [1, 2, 4]  # the last weights are those of epoch 4
    assert [moment.epoch for moment in started.moments] == [0, 2, 4]  # 0: the initial weights
    for source in both[0].sources:
        for moment in source.moments:
            kinds = [(found.method, found.split) for found in moment.probes]
            expected = [("converged", "random-frames"), ("converged", "other-recordings"), ("paper", "random-frames")]
            assert kinds == expected
    assert started.moments[0].dim == 16
    frames, takes, _ = plain.moments[0].probes
    assert (len(frames.subjects), len(takes.subjects), takes.left_out) == (6, 5, 1)
    assert frames.accuracy > 0.9  # the drawn people have backgrounds of their own


def test_nothing_is_computed_twice(
    both: tuple[Probing, Path], run: Path, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("facskit.experiments.probe.probing.extract_features", refuse)
    again = probe([f"A={run}", str(started)], both[1], PLAN)
    assert probe_markdown(again) == probe_markdown(both[0])
    other = replace(IDENTITY, split=replace(IDENTITY.split, seed=1))
    with pytest.raises(AssertionError, match="computed again"):
        probe([str(run)], both[1], replace(PLAN, identity=other))


def test_a_probing_that_was_stopped_goes_on(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def stop_after_one(*given: object, **named: object) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return extract_features(*given, **named)  # type: ignore[arg-type]

    plan = replace(PLAN, embedding=None)
    monkeypatch.setattr("facskit.experiments.probe.probing.extract_features", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        probe([str(run)], tmp_path, plan)
    assert len(list((tmp_path / "networks").glob("*.json"))) == 1
    counted: list[int] = []

    def count(*given: object, **named: object) -> object:
        counted.append(1)
        return extract_features(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("facskit.experiments.probe.probing.extract_features", count)
    assert len(probe([str(run)], tmp_path, plan).sources[0].moments) == 3
    assert len(counted) == 2


def test_results_are_written_for_people_and_programs(both: tuple[Probing, Path], tmp_path: Path) -> None:
    paths = write_probing(both[0], tmp_path)
    assert [path.name for path in paths] == ["results.md", "results.json", "probe.png", "embedding.png"]
    assert all(path.stat().st_size > 1000 for path in paths)
    text = paths[0].read_text()
    for part in ("random frames", "other recordings", "the paper's probe", "Against A", "Way to guessing", "Clusters"):
        assert part in text
    assert "1 subjects have too few frames or recordings for other-recordings" in text
    values = json.loads(paths[1].read_text())
    point = values["runs"][0]["points"][0]
    assert (point["epoch"], point["method"], point["split"]) == (1, "converged", "random-frames")
    assert point["low"] <= point["accuracy"] <= point["high"]
    assert point["chance"] == pytest.approx(1 / 6)
    assert values["runs"][1]["clusters"]["subject"]["neighbour_accuracy"] > 0.5
    assert {"AU01", "AU12"} <= values["runs"][1]["clusters"].keys()


def test_folds_are_one_curve_and_parts_are_the_folds(faces: Path, tmp_path: Path) -> None:
    recipe, folder = _recipe(faces), tmp_path / "validated"
    write_text(folder / "recipe.yaml", format_recipe(recipe))
    for fold in (1, 2):
        _write_run(folder / f"fold-{fold}-seed-0", replace(recipe, data=replace(recipe.data, fold=fold)), (1,))
    plan = replace(PLAN, embedding=None, methods=("converged",))
    everybody = probe([str(folder)], tmp_path / "all", plan)
    assert [(moment.run, moment.epoch) for moment in everybody.sources[0].moments] == [
        (f"fold-{fold}-seed-0", epoch) for fold in (1, 2) for epoch in (1, 4)
    ]
    assert "Several networks (folds, seeds) are counted together" in probe_markdown(everybody)
    tested = probe([str(folder)], tmp_path / "tested", replace(plan, part="test"))
    people = [moment.probes[0].subjects for moment in tested.sources[0].moments]
    assert len(people[0]) == len(people[2]) == 3
    assert not set(people[0]) & set(people[2])
    assert tested.faces == (f"test people of {faces}, fold 1", f"test people of {faces}, fold 2")


def test_weights_alone_need_a_manifest_or_a_run_beside_them(
    encoder: Path, faces: Path, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="weights alone don't say which faces .* --manifest"):
        probe([str(encoder)], tmp_path, PLAN)
    plan = replace(PLAN, embedding=None, methods=("converged",), manifest=str(faces))
    alone = probe([str(encoder)], tmp_path, plan)
    assert (alone.sources[0].label, alone.sources[0].moments[0].epoch) == ("start", None)
    beside = probe([str(run), str(encoder)], tmp_path, replace(plan, manifest=""))
    assert (
        beside.sources[1].moments[0].probes[0].correct.tolist()
        == alone.sources[0].moments[0].probes[0].correct.tolist()
    )
    assert write_probing(beside, tmp_path / "written")[2].stat().st_size > 1000
    with pytest.raises(DatasetError, match="--part test is about the faces of a run's own recipe"):
        probe([str(encoder)], tmp_path, replace(plan, part="test"))


def test_changed_weights_and_changed_faces_are_probed_again(faces: Path, tmp_path: Path) -> None:
    own = tmp_path / "faces.parquet"
    own.write_bytes(faces.read_bytes())
    folder = _write_run(tmp_path / "run", _recipe(own), (), last=True)
    plan = replace(PLAN, embedding=None, methods=("converged",))

    def stored() -> int:
        probe([str(folder)], tmp_path / "out", plan)
        return len(list((tmp_path / "out" / "networks").glob("*.json")))

    assert stored() == stored() == 1
    _save(folder / "weights.safetensors", _recipe(own), 77)
    assert stored() == 2
    table = pl.read_parquet(own)
    table.with_columns(image_bytes=table["image_bytes"].reverse()).write_parquet(own)
    assert stored() == 3


def test_what_is_missing_is_said(faces: Path, run: Path, tmp_path: Path) -> None:
    recipe = _recipe(faces)
    unfinished = _write_run(tmp_path / "unfinished", recipe, (1,), last=False)
    assert "isn't finished; it is probed up to epoch 1" in find_sources([str(unfinished)])[0].notes[0]
    only = _write_run(tmp_path / "only", recipe, ())
    assert "training.keep_every in the recipe keeps some on the way" in find_sources([str(only)])[0].notes[0]
    lost = _write_run(tmp_path / "lost", replace(_recipe(faces, start="nowhere.safetensors"), model=VIT), (2,))
    found = find_sources([str(lost)])[0]
    assert [moment.epoch for moment in found.runs[0].moments] == [2, 4]
    assert "not probed before training, because its initial weights are not here" in found.notes[0]
    empty = _write_run(tmp_path / "empty", recipe, (), last=False)
    with pytest.raises(CheckpointError, match="the run has no weights yet; go on with it"):
        find_sources([str(empty)])
    with pytest.raises(RecipeError, match="two things to probe are called A; give them names"):
        find_sources([f"A={run}", f"A={only}"])
    with pytest.raises(CheckpointError, match="no weights called 'nonsense'"):
        find_sources(["nonsense"])


def test_a_folder_with_an_equals_sign_is_a_folder(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "objective.strength=0.5"
    _write_run(folder / "fold-1-seed-0", _recipe(faces), (1,))
    plain, named = find_sources([str(folder), f"IAT={folder}"])
    assert (plain.label, named.label) == ("objective.strength=0.5", "IAT")
    assert plain.runs[0].name == "fold-1-seed-0"


def test_the_command_prints_tables_and_says_where_they_are(
    run: Path, both: tuple[Probing, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"A={run}", "--frames", "12", "--probe", "converged", "-o", str(tmp_path), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "Probing on all faces of" in said.err
    assert "those of the run's recipe" in said.err
    assert f"Results: {tmp_path / 'results.md'}, with results.json, probe.png beside it" in said.out
    assert max(map(len, said.out.splitlines()[:-1])) <= 110
    with pytest.raises(RecipeError, match="found nothing to probe"):
        main([])


def test_a_part_is_that_of_the_people_a_run_was_trained_with(faces: Path, tmp_path: Path) -> None:
    recipe = _recipe(faces)
    run = _write_run(tmp_path / "run", recipe, (1,))
    record = OpenedData.read(recipe.data).record(1)
    exchanged = {"training": record.people["test"], "test": record.people["training"]}
    write_text(run / "data.json", replace(record, people={**record.people, **exchanged}).to_json())
    with pytest.raises(DatasetError, match="was trained on and would now be tested on"):
        probe([str(run)], tmp_path / "out", replace(PLAN, part="train"))
