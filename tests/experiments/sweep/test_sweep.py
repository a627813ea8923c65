"""Sweeps: what is planned, what is trained, and that one run's failure is its own."""

import re
from pathlib import Path

import pytest

from facskit.errors import DatasetError, RecipeError
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.sweep import parallel_runs
from facskit.experiments.sweep.grid import change_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun, Slot, choose_slots, may_start, train_runs
from facskit.experiments.sweep.sweep import plan_sweep, run_sweep
from tests.experiments.drawn_faces import write_drawn_faces
from tests.experiments.sweeping import finish, tiny_recipe

RECIPES = Path(__file__).parents[3] / "recipes"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")


def test_runs_are_normal_recipes_in_folders_of_their_own(faces: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(faces, folds=3)
    sweep = plan_sweep(recipe, {"objective.strength": (0.0, 2.0)}, tmp_path, seeds=(4, 5), folds=None)
    runs = [run for point in sweep.points for run in sweep.runs(point)]
    assert len(runs) == 2 * 2 * 3
    assert runs[-1].folder == tmp_path / "objective.strength=2" / "fold-3-seed-5"
    wanted = {"objective.strength": 2.0, "data.fold": 3, "runtime.seed": 5}
    assert runs[-1].recipe == change_recipe(recipe, wanted)
    assert all(run.shared is None for run in runs)


def test_seeds_and_folds_are_the_recipes_unless_given(faces: Path, tmp_path: Path) -> None:
    recipe = change_recipe(tiny_recipe(faces, folds=3), {"evaluation.seeds": (7, 8), "data.fold": 2})
    sweep = plan_sweep(recipe, {}, tmp_path)
    assert (sweep.seeds, sweep.folds) == ((7, 8), (2,))


def test_impossible_folds_and_seeds_are_refused(faces: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(faces, folds=3)
    with pytest.raises(RecipeError, match="--folds: found 4, expected folds from 1 to 3"):
        plan_sweep(recipe, {}, tmp_path, folds=(1, 4))
    with pytest.raises(RecipeError, match="--seeds: found 1,1, expected different numbers from 0"):
        plan_sweep(recipe, {}, tmp_path, seeds=(1, 1))
    with pytest.raises(DatasetError, match="leaves nobody out to test on"):
        plan_sweep(change_recipe(tiny_recipe(faces), {"data.folds.test_fraction": 0.0}), {}, tmp_path)


def test_points_whose_stages_are_the_same_share_them(tmp_path: Path) -> None:
    recipe = read_recipe(RECIPES / "debug" / "ciu_one_minute.yaml")
    swept = {"objective.gamma": (0.0, 1.0), "objective.attention.weight": (1.0, 2.0)}
    sweep = plan_sweep(recipe, swept, tmp_path, seeds=(0, 1))
    shared = {(point.name, run.recipe.runtime.seed): run.shared for point in sweep.points for run in sweep.runs(point)}
    for weight in ("1", "2"):
        names = [f"objective.gamma={gamma}, objective.attention.weight={weight}" for gamma in ("0", "1")]
        assert shared[names[0], 0] == shared[names[1], 0] != shared[names[0], 1]
    assert len(set(shared.values())) == 4
    (run, *_) = sweep.runs(sweep.points[0])
    assert run.shared is not None
    assert Path(run.recipe.objective.stages) == run.shared.parent  # type: ignore[union-attr]
    assert run.shared.parent.parent == tmp_path / "stages"


def test_a_run_waits_while_another_one_trains_their_stages(tmp_path: Path) -> None:
    recipe = tiny_recipe(Path("faces.parquet"))

    def planned(name: str, shared: str | None) -> PlannedRun:
        folder = None if shared is None else tmp_path / shared
        return PlannedRun(name=name, recipe=recipe, folder=tmp_path / name, shared=folder)

    first = planned("a", "s")
    assert not may_start(planned("b", "s"), [first])
    assert may_start(planned("c", "t"), [first])
    assert may_start(planned("d", None), [first, planned("e", None)])
    first.folder.mkdir()
    (first.folder / "metrics.jsonl").touch()
    assert may_start(planned("b", "s"), [first])


def test_processors_and_gpus_become_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipe(Path("faces.parquet"))
    anywhere = change_recipe(recipe, {"runtime.device": "auto"})
    assert choose_slots(recipe, jobs=3) == [Slot()] * 3
    monkeypatch.setattr(parallel_runs, "_gpus", lambda: ["0", "1"])
    assert choose_slots(recipe, jobs=1) == [Slot()]  # the recipe asks for the processor
    assert choose_slots(anywhere) == [Slot("0"), Slot("1")]
    assert choose_slots(anywhere, jobs=3, devices=("1",)) == [Slot("1")] * 3
    with pytest.raises(RecipeError, match="--devices: there is no GPU 2; this machine has GPUs 0, 1"):
        choose_slots(anywhere, devices=("2",))
    with pytest.raises(RecipeError, match="a sweep gives each run one device, found 2"):
        choose_slots(change_recipe(anywhere, {"runtime.devices": 2}))


def test_folders_of_other_recipes_fail_and_finished_ones_are_left_alone(tmp_path: Path) -> None:
    recipe = tiny_recipe(Path("faces.parquet"))
    finished = PlannedRun(name="finished", recipe=recipe, folder=tmp_path / "finished")
    finish(finished, 1.0)
    other = PlannedRun(name="other", recipe=change_recipe(recipe, {"training.epochs": 9}), folder=tmp_path / "finished")
    assert train_runs([finished], [Slot()], tmp_path / "logs") == {}
    failures = train_runs([other], [Slot()], tmp_path / "logs")
    assert re.search("holds a run with another recipe: training.epochs: there 2, now 9", failures[other.folder])
    assert not (tmp_path / "logs").exists()


def test_a_run_that_leaves_nobody_out_is_finished_with_its_weights(tmp_path: Path) -> None:
    run = PlannedRun(name="run", recipe=tiny_recipe(Path("faces.parquet")), folder=tmp_path / "run")
    finish(run, 1.0)
    (run.folder / "results.json").unlink()
    assert not run.finished  # it was killed before its report
    (run.folder / "predictions.parquet").unlink()
    assert run.finished


def _times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("weights.safetensors")}


def test_a_failing_run_leaves_the_others_alone_and_a_second_call_trains_only_what_is_missing(
    faces: Path, tmp_path: Path
) -> None:
    recipe: Recipe = tiny_recipe(faces)
    accumulate = {"training.accumulate": (1, 99)}  # 99 batches are more than an epoch has
    out = tmp_path / "sweep"
    report = run_sweep(plan_sweep(recipe, accumulate, out, seeds=(0,)), jobs=2)
    (sentence,) = report.failures.values()
    assert "too few for one update of 99" in sentence
    assert [one.complete for one in report.points] == [True, False]
    assert "too few for one update of 99" in (out / "results.md").read_text()
    before = _times(out)
    assert len(before) == 1
    report = run_sweep(plan_sweep(recipe, {"training.accumulate": (1,)}, out, seeds=(0,)), jobs=2)
    assert (report.failures, _times(out)) == ({}, before)
    with pytest.raises(RecipeError, match="holds a run with another recipe: name"):
        run_sweep(plan_sweep(change_recipe(recipe, {"name": "other"}), {}, out), jobs=2)
