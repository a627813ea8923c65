"""`facskit weights [NAME]`: which weights there are, and what a weight file holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facskit.inference.recognizer import find_weights, packaged_weights
from facskit.models.checkpoints import CheckpointInfo, read_checkpoint_info

__all__ = ["WeightsCommand", "main"]


@dataclass(frozen=True, kw_only=True)
class WeightsCommand:
    """List the weights that come with facskit, or show what one weight file holds.

    Examples: facskit weights; facskit weights packaged; facskit weights runs/mine/weights.safetensors
    """

    name: tyro.conf.Positional[str | None] = None
    """Name of packaged weights, or path of a weight file or of a run's folder; lists those packaged when left out."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words and print the answer; return the exit code."""
    command = tyro.cli(WeightsCommand, prog="facskit weights", args=list(words))
    console = Console(highlight=False)
    if command.name is None:
        console.print(_list())
        console.print("facskit weights NAME shows one of them; its card lies beside the file.")
        return 0
    path = find_weights(command.name)
    console.print(_describe(read_checkpoint_info(path), str(path), path.stat().st_size))
    return 0


def _list() -> Table:
    table = Table(title="Weights that come with facskit", title_justify="left")
    for title in ("name", "network", "AUs", "MB", "licence"):
        table.add_column(title, justify="right" if title in {"AUs", "MB"} else "left")
    for path in packaged_weights().values():
        info = read_checkpoint_info(path)
        size = f"{path.stat().st_size / 1e6:.1f}"
        is_default = path == find_weights("packaged") and path.stem != "packaged"
        name = f"{path.stem} (packaged)" if is_default else path.stem
        table.add_row(name, info.model.kind, str(len(info.action_units)), size, info.licence)
    return table


def _describe(info: CheckpointInfo, path: str, size: int) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "file": f"{path} ({size / 1e6:.1f} MB)",
        "network": _words(asdict(info.model)),
        "action units": ", ".join(f"{unit.code} {unit.name}" for unit in info.action_units),
        "thresholds": _thresholds(info.thresholds),
        "crop": _words(asdict(info.crop)),
        "normalisation": info.normalization,
        "licence": info.licence,
        **{key.replace("_", " "): _short(value) for key, value in info.provenance.items()},
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, escape(value))
    return table


def _thresholds(values: tuple[float, ...]) -> str:
    return f"{values[0]:g} for all" if len(set(values)) == 1 else ", ".join(f"{value:g}" for value in values)


def _words(entries: Mapping[str, object]) -> str:
    """Say `kind, name value, other name 1 2 3`."""
    named = (f"{key.replace('_', ' ')} {_short(value)}" for key, value in entries.items() if key != "kind")
    return ", ".join([*([str(entries["kind"])] if "kind" in entries else []), *named])


def _short(value: object) -> str:
    match value:
        case None:
            return ""
        case Mapping():
            return _words(value)
        case tuple():
            return " ".join(map(str, value))
        case list() if len(value) > 6:
            return f"{', '.join(map(str, value[:3]))}, ... ({len(value)} in all)"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
