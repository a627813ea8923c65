import json
from pathlib import Path

import pytest
import torch

from facskit.errors import CheckpointError, FacskitError, RecipeError
from facskit.training.run_directory import RunDirectory, describe_environment
from tests.folder_holder import another_process_in, refusal

RECIPE = "name: one\ntraining:\n  epochs: 3\n"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.open(tmp_path / "run", RECIPE, device="cpu")


def test_a_new_folder_holds_recipe_and_environment(run: RunDirectory) -> None:
    assert run.recipe.read_text() == RECIPE
    environment = json.loads(run.environment.read_text())
    assert environment["device"] == "cpu"
    assert (
        environment["packages"]["torch"] == torch.__version__.split("+")[0] or "+" in environment["packages"]["torch"]
    )
    assert not run.finished


def test_the_same_recipe_goes_on(run: RunDirectory) -> None:
    written = run.environment.read_text()
    again = RunDirectory.open(run.path, RECIPE, device="cuda")
    assert again.environment.read_text() == written


def test_another_recipe_is_refused_with_the_difference(run: RunDirectory) -> None:
    other = RECIPE.replace("3", "4")
    with pytest.raises(RecipeError, match="holds a run with another recipe; choose"):
        RunDirectory.open(run.path, other, device="cpu")
    with pytest.raises(RecipeError, match="holds a run with another recipe: 33 34; choose"):
        RunDirectory.open(
            run.path, other, device="cpu", difference=lambda there, now: f"3{there.strip()[-1]} 3{now.strip()[-1]}"
        )
    assert run.recipe.read_text() == RECIPE


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(RecipeError, match="is not empty and holds no recipe.yaml"):
        RunDirectory.open(tmp_path, RECIPE, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    with another_process_in(tmp_path / "run") as other:
        with pytest.raises(FacskitError, match=refusal(tmp_path / "run", other)):
            RunDirectory.open(tmp_path / "run", RECIPE, device="cpu")
        assert not (tmp_path / "run" / "checkpoints").exists()
    RunDirectory.open(tmp_path / "run", RECIPE, device="cpu")


def test_two_snapshots_are_kept_and_the_newest_is_loaded(run: RunDirectory) -> None:
    for step in (9, 10, 11):
        run.save_snapshot(step, {"step": step, "weights": {"w": torch.full((2,), float(step))}})
    assert [path.name for path in sorted(run.snapshots.iterdir())] == ["step-000000010.pt", "step-000000011.pt"]
    state = run.load_snapshot()
    assert state is not None
    assert state["step"] == 11
    assert torch.equal(state["weights"]["w"], torch.full((2,), 11.0))


def test_metrics_are_cut_back_to_the_snapshot(run: RunDirectory) -> None:
    run.append_metrics({"step": 1})
    run.save_snapshot(1, {})
    run.append_metrics({"step": 2})
    with run.metrics.open("a") as file:
        file.write('{"step": 3, "lo')  # the process died while it wrote
    run.load_snapshot()
    assert run.metrics.read_text() == '{"step": 1}\n'


def test_metrics_without_a_snapshot_start_over(run: RunDirectory) -> None:
    run.append_metrics({"step": 1})
    assert run.load_snapshot() is None
    assert run.metrics.read_text() == ""


def test_a_damaged_snapshot_gives_way_to_the_one_before(run: RunDirectory) -> None:
    run.save_snapshot(1, {"step": 1})
    newest = run.save_snapshot(2, {"step": 2})
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    state = run.load_snapshot()
    assert state == {"step": 1}


def test_only_damaged_snapshots_are_an_error(run: RunDirectory) -> None:
    run.save_snapshot(1, {"step": 1}).write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"step-000000001.pt: no snapshot here can be read; delete them"):
        run.load_snapshot()


def test_a_snapshot_runs_no_code(run: RunDirectory) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (eval, ("1 / 0",))

    torch.save({"metrics_size": 0, "trap": Trap()}, run.snapshots / "step-000000001.pt")
    with pytest.raises(CheckpointError):
        run.load_snapshot()


def test_half_written_files_are_swept_and_never_read(run: RunDirectory) -> None:
    run.save_snapshot(1, {"step": 1})
    (run.snapshots / ".part-step-000000002-abc.pt").write_bytes(b"half")
    RunDirectory.open(run.path, RECIPE, device="cpu")
    assert [path.name for path in run.snapshots.iterdir()] == ["step-000000001.pt"]


def test_finished_means_weights(run: RunDirectory) -> None:
    run.save_snapshot(1, {})
    run.weights.touch()
    assert run.finished
    run.drop_snapshots()
    assert list(run.snapshots.iterdir()) == []


def test_the_environment_is_plain_json() -> None:
    environment = describe_environment("cpu")
    assert json.loads(json.dumps(environment)) == environment
    assert {"started", "python", "platform", "commit", "packages"} <= environment.keys()
