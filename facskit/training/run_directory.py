"""The folder of one run: its recipe, its environment, its metrics, its snapshots and, at the end, its weights.

```text
run/
  recipe.yaml          the resolved recipe; running it repeats the run
  data.json            digests of the faces and labels, and who is in which part of the fold
  environment.json     versions, commit and device
  metrics.jsonl        one JSON object per logged interval and per epoch
  checkpoints/         the last two snapshots of everything needed to go on
  epochs/              weights kept on the way, if the recipe asks for them: epoch-003.safetensors, and what they say of
                       validation and test subjects: epoch-003-test.parquet; best.safetensors: those that go on
  weights.safetensors  the result; where it is, the run is finished
```

Every file is written beside its place and then moved onto it, so that a file that exists is complete.
"""

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from facskit.claimed_folder import claim, hold
from facskit.errors import CheckpointError, RecipeError
from facskit.files import PART_PATTERN, atomic_path, write_text

__all__ = ["RunDirectory", "claim_folder", "describe_environment"]

_KEPT = 2
_PACKAGES = ("facskit", "torch", "lightning-fabric", "numpy", "polars", "opencv-python-headless", "pydantic")


class RunDirectory:
    """The files of one run and the rules by which they are written, continued and refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.environment = path / "environment.json"
        self.metrics = path / "metrics.jsonl"
        self.snapshots = path / "checkpoints"
        self.weights = path / "weights.safetensors"

    @classmethod
    def open(
        cls, path: Path, recipe: str, *, device: str, difference: Callable[[str, str], str] | None = None
    ) -> "RunDirectory":
        """Start a run in a new folder, or continue the one that is there if it has the same recipe.

        Args:
            difference: Says in words how the folder's recipe and this one differ.

        Raises:
            RecipeError: The folder belongs to a run with another recipe, or is no run and not empty.
            FacskitError: Another process trains in it.
        """
        claim_folder(path, recipe, difference)
        hold(path)
        claim_folder(path, recipe, difference)  # another process may have claimed it since this one looked
        run = cls(path)
        run.snapshots.mkdir(exist_ok=True)
        if not run.environment.exists():
            write_text(run.environment, json.dumps(describe_environment(device), indent=2) + "\n")
        for leftover in [*path.glob(PART_PATTERN), *run.snapshots.glob(PART_PATTERN)]:
            leftover.unlink(missing_ok=True)
        return run

    def kept_weights(self, epoch: int) -> Path:
        """Return where the weights after an epoch, from 1, are kept."""
        return self.path / "epochs" / f"epoch-{epoch:03d}.safetensors"

    @property
    def best_weights(self) -> Path:
        """Where the weights are kept that scored best on validation subjects, if that chooses the epoch."""
        return self.path / "epochs" / "best.safetensors"

    @property
    def finished(self) -> bool:
        """Whether the run's result is there."""
        return self.weights.exists()

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add one line to `metrics.jsonl`."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def save_snapshot(self, step: int, state: Mapping[str, Any]) -> Path:
        """Write a snapshot, of tensors, numbers, strings and containers of them, and drop all but the last two."""
        size = self.metrics.stat().st_size if self.metrics.exists() else 0
        path = self.snapshots / f"step-{step:09d}.pt"
        with atomic_path(path) as part:
            torch.save({**state, "metrics_size": size}, part)
        for old in self._snapshot_files()[:-_KEPT]:
            old.unlink()
        return path

    def load_snapshot(self) -> dict[str, Any] | None:
        """Load the newest snapshot, if any, to the CPU, and cut `metrics.jsonl` back to the moment it was taken.

        Raises:
            CheckpointError: There are snapshots, but none can be read.
        """
        files = self._snapshot_files()
        state = None
        for path in reversed(files):
            with contextlib.suppress(Exception):  # a damaged file fails in many ways; the one before may be whole
                state = torch.load(path, map_location="cpu", weights_only=True)
                break
        if files and state is None:
            raise CheckpointError(f"{files[-1]}: no snapshot here can be read; delete them to start the run over.")
        size = 0 if state is None else int(state.pop("metrics_size"))
        if self.metrics.exists() and self.metrics.stat().st_size > size:
            os.truncate(self.metrics, size)
        return state

    def drop_snapshots(self) -> None:
        """Delete all snapshots, once the run is finished."""
        for path in self._snapshot_files():
            path.unlink()

    def _snapshot_files(self) -> list[Path]:
        return sorted(self.snapshots.glob("step-*.pt"))


def claim_folder(path: Path, recipe: str, difference: Callable[[str, str], str] | None = None) -> None:
    """Make a folder the home of a recipe: create it, or check that it already is.

    Args:
        difference: Says in words how the text in the folder and this one differ.

    Raises:
        RecipeError: The folder belongs to another recipe, or is not empty and belongs to none.
    """

    def differing(there: str) -> str:
        if there == recipe:
            return ""
        words = f": {difference(there, recipe)}" if difference else ""
        return f"{path}: the folder holds a run with another recipe{words}"

    claim(path, "recipe.yaml", recipe, differing, error=RecipeError)


def describe_environment(device: str) -> dict[str, Any]:
    """Return what a reader needs to judge a run's numbers, as JSON can hold it: versions, commit, device and time."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "commit": _commit(),
        "packages": {package: _version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the source folder, with `+` if files in it were changed since; None for an installed package."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
