"""`facskit weights [list | info NAME | import FILE]`: which weights there are, what one holds, and how to get more."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from facskit.errors import CheckpointError
from facskit.interfaces import weights_import
from facskit.models.checkpoints import CheckpointInfo, EncoderInfo, read_weight_info
from facskit.models.published_catalogue import CATALOGUE, CataloguedFile
from facskit.models.weight_files import DEFAULT_WEIGHTS, find_weights, installed_weights, packaged_weights

__all__ = ["InfoCommand", "main"]

_USAGE = """usage: facskit weights [list | info NAME | import FILE]

  list         weights that come with facskit, that you installed, and that others published (also without a word)
  info NAME    what one of them holds, or where to get it; NAME may be a weight file or a run's folder
  import FILE  turn a published file into a weight file; facskit weights import --help shows its options"""


_TRUST = "May I trust it?"
"""Heading of the part of a card that `info` shows."""


@dataclass(frozen=True, kw_only=True)
class InfoCommand:
    """Show what one weight file holds, or where published weights are to be had.

    Examples: facskit weights info packaged; facskit weights info fmae-vit-large; facskit weights info runs/mine
    """

    name: tyro.conf.Positional[str]
    """Name of weights, or path of a weight file or of a run's folder."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words and print the answer; return the exit code."""
    match list(words):
        case [] | ["list"]:
            return _list()
        case ["-h" | "--help", *_] | ["list", *_]:
            print(_USAGE)
            return 0 if words[-1] in {"-h", "--help"} else 2
        case ["import", *rest]:
            return weights_import.main(rest)
        case ["info", *rest]:
            return _info(tyro.cli(InfoCommand, prog="facskit weights info", args=rest))
        case rest:
            return _info(tyro.cli(InfoCommand, prog="facskit weights", args=rest))


def _list() -> int:
    console = Console(highlight=False)
    console.print(_table("Weights that come with facskit", packaged_weights()))
    installed = installed_weights()
    if installed:
        console.print(_table("Installed", installed))
    missing = [entry for entry in CATALOGUE if entry.name not in installed]
    if missing:
        table = Table(title="Published by others, not installed", title_justify="left")
        for heading in ("name", "what", "licence"):
            table.add_column(heading, no_wrap=heading == "name")
        for entry in missing:
            table.add_row(entry.name, entry.what, entry.licence)
        console.print(table)
    console.print("facskit weights info NAME shows what one of them holds; of one that isn't installed, the address to")
    console.print("get it from, the command that imports it, and what to know first.")
    return 0


def _info(command: InfoCommand) -> int:
    console = Console(highlight=False)
    entry = next((entry for entry in CATALOGUE if entry.name == command.name), None)
    try:
        path = find_weights(command.name)
    except CheckpointError:
        if entry is None:
            raise
        _print_entry(console, entry)
        return 0
    console.print(_describe(read_weight_info(path), str(path), path.stat().st_size))
    trust = _trust(path.with_suffix(".md"))
    if trust:
        console.print(Markdown(trust))
    return 0


def _trust(card: Path) -> str:
    """Return what the card beside a weight file says about trusting it; empty where there is none."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    _, heading, rest = text.partition(f"## {_TRUST}\n")
    return f"## {_TRUST}\n{rest.partition(chr(10) + '## ')[0]}" if heading else ""


def _table(title: str, weights: Mapping[str, Path]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("name", "network", "outputs", "MB", "licence"):
        table.add_column(heading, justify="right" if heading == "MB" else "left", no_wrap=heading == "name")
    for path in weights.values():
        is_default = path == packaged_weights().get(DEFAULT_WEIGHTS)
        name = f"{path.stem} (packaged)" if is_default else path.stem
        try:
            info = read_weight_info(path)
        except CheckpointError as error:  # one bad file doesn't hide the others
            table.add_row(escape(name), "?", escape(str(error)), "", "")
            continue
        size = f"{path.stat().st_size / 1e6:.1f}"
        table.add_row(escape(name), info.model.kind, _outputs(info), size, escape(info.licence))
    return table


def _outputs(info: CheckpointInfo | EncoderInfo) -> str:
    if isinstance(info, EncoderInfo):
        return "none, a start for training"
    units, expressions = len(info.action_units), len(info.expressions or ())
    return ", ".join([f"{units} AUs"] * bool(units) + [f"{expressions} expressions"] * bool(expressions))


def _print_entry(console: Console, entry: CataloguedFile) -> None:
    rows = {
        "weights": f"{entry.name}, published and not installed here",
        "what": entry.what,
        "licence": f"{entry.licence} (no commercial use)",
        "where": entry.where,
        "import": " ".join(f"facskit weights import FILE --name {entry.name} {entry.options}".split()),
        "notes": entry.notes,
    }
    for name, value in rows.items():
        if value:  # unbroken lines: addresses and commands are there to be copied
            console.print(f"[bold]{name:9}[/] {escape(value)}", soft_wrap=True)


def _describe(info: CheckpointInfo | EncoderInfo, path: str, size: int) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {"file": f"{path} ({size / 1e6:.1f} MB)", "network": _words(asdict(info.model))}
    if isinstance(info, CheckpointInfo):
        if info.action_units:
            rows["action units"] = ", ".join(f"{unit.code} {unit.name}" for unit in info.action_units)
            cuts = [f"{value:g}" for value in info.thresholds]
            rows["thresholds"] = f"{cuts[0]} for all" if len(set(cuts)) == 1 else ", ".join(cuts)
        if info.calibration is not None:
            rows["calibration"] = _calibration(info)
        rows["expressions"] = ", ".join(info.expressions or ())
        rows["crop"] = _words(asdict(info.crop))
    else:
        rows["outputs"] = "none: a pre-trained autoencoder, a start for training (initial_weights in a recipe)"
    rows |= {"normalisation": info.normalization, "licence": info.licence}
    for key, value in info.provenance.items():
        name = key.replace("_", " ")
        rows[f"provenance {name}" if name in rows else name] = _short(value)
    for name, value in rows.items():
        if value:
            table.add_row(escape(name), escape(value))
    return table


def _calibration(info: CheckpointInfo) -> str:
    """Say temperature and bias of each action unit."""
    assert info.calibration is not None
    parts = zip(info.action_units, info.calibration.temperatures, info.calibration.biases, strict=True)
    return ", ".join(f"{unit.code} z/{temperature:.2f}{bias:+.2f}" for unit, temperature, bias in parts)


def _words(entries: Mapping[str, object]) -> str:
    """Say `kind, name value, other name 1 2 3`."""
    words = [str(entries["kind"])] if "kind" in entries else []
    words += [f"{key.replace('_', ' ')} {_short(value)}" for key, value in entries.items() if key != "kind"]
    return ", ".join(words)


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
            return ", ".join(map(_short, value))
        case _:
            return str(value)
