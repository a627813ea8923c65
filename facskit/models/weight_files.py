"""Places of weight files: those that come with facskit, those a person installed, and those of runs and paths."""

import os
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from facskit.errors import CheckpointError
from facskit.models.published_catalogue import CATALOGUE

__all__ = [
    "DEFAULT_WEIGHTS",
    "data_home",
    "find_weights",
    "installed_weights",
    "packaged_export",
    "packaged_weights",
    "weights_of_run",
]

DEFAULT_WEIGHTS = "rendered-compact"
"""The weights that come with facskit and that the name `packaged` stands for."""

_ENDING = ".safetensors"


def data_home() -> Path:
    """Return the folder for what a person adds to facskit: FACSKIT_HOME, or a folder beside other programs' data."""
    if chosen := os.environ.get("FACSKIT_HOME", "").strip():
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "facskit"


def packaged_weights() -> dict[str, Path]:
    """Return the weight files that come with facskit, by name."""
    return _weights_in(Path(str(files("facskit"))) / "assets" / "weights")


def packaged_export(weights: Path) -> Path | None:
    """Return the exported copy of weights that come with facskit, if there is one."""
    copy = weights.with_suffix(".onnx")
    return copy if weights in packaged_weights().values() and copy.is_file() else None


def installed_weights() -> dict[str, Path]:
    """Return the weight files that `facskit weights import` put into `data_home()`, by name."""
    return _weights_in(data_home() / "weights")


def find_weights(weights: str | Path) -> Path:
    """Find weights by name, in the folder of a run, or take the text as a path when it looks like one.

    Args:
        weights: `packaged` for the default ones, the name of weights that come with facskit or are installed, or a
            path: anything with a slash, or ending in `.safetensors` or `.onnx`; a folder that holds
            `weights.safetensors`, or `encoder.safetensors` of a pre-training, stands for that file. A name wins over a
            run's folder of the same name, and weights that come with facskit over installed ones.

    Returns:
        The weight file; whether a path that was given exists is not looked at.

    Raises:
        CheckpointError: No weights have that name; the message has the nearest one and the list.
    """
    text, of_run = str(weights), weights_of_run(Path(weights))
    if of_run is None and (runs := _weights_below(Path(weights))):
        raise CheckpointError(
            f"{weights}: these are several networks, one for each fold; name one of them: {', '.join(runs)}. "
            "facskit train RECIPE --folds all makes one from everybody"
        )
    if isinstance(weights, Path) or text.endswith((_ENDING, ".onnx")) or "/" in text or "\\" in text:
        return of_run or Path(weights)
    known = installed_weights() | packaged_weights()
    name = DEFAULT_WEIGHTS if text == "packaged" else text
    if name in known:
        return known[name]
    if of_run is not None:
        return of_run
    if text in {entry.name for entry in CATALOGUE}:
        raise CheckpointError(
            f"{text} is published but not installed here; facskit weights info {text} says where it is to be had"
        )
    near = get_close_matches(text, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise CheckpointError(
        f"no weights called {text!r} are here; give a file's path, or one of {', '.join(sorted(known))}{hint}"
    )


def _weights_below(folder: Path) -> list[str]:
    """Return the finished runs of a cross-validation's folder; none for any other."""
    if not folder.is_dir():
        return []
    return [str(run) for run in sorted(folder.glob("fold-*-seed-*")) if weights_of_run(run) is not None]


def weights_of_run(folder: Path) -> Path | None:
    """Return the weights that a finished run or pre-training left in its folder; None if there are none yet."""
    found = (folder / f"{name}{_ENDING}" for name in ("weights", "encoder"))
    return next((path for path in found if path.is_file()), None)


def _weights_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob(f"*{_ENDING}")) if not path.name.startswith(".")}
