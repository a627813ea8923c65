"""`facskit bias RUN...`: which action units networks predict too often or too seldom, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from facskit.action_units import ActionUnitSet
from facskit.errors import FacskitError, RecipeError
from facskit.evaluation.bias.figures import draw_bias
from facskit.evaluation.bias.numbers import AUGroups, Frequencies, frequencies_of, published_groups
from facskit.evaluation.bias.report import build_bias_report
from facskit.evaluation.bias.tables import bias_tables, write_bias_report
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.experiments.analysis.trained_networks import TrainedNetwork, find_networks, training_rates
from facskit.inference.overlay_files import check_writable
from facskit.interfaces.report_printing import print_tables, table_console

__all__ = ["BiasCommand", "main"]

_DESCRIPTION = """Show which action units networks predict too often or too seldom.

True and false positives of every action unit beside how often it is there; the ratio of predicted to true presences,
its spread over the action units and its correlation with their frequency; F1 of frequent (head) and rare (tail) action
units. All intervals draw subjects. A run or cross-validation by causal intervention (CIU) brings its three networks.

Examples:
  facskit bias runs/ciu_disfa
  facskit bias plain=runs/plain/predictions.parquet ciu=runs/ciu -o bias/
"""


@dataclass(frozen=True, kw_only=True)
class BiasCommand:
    """Show which action units networks predict too often or too seldom."""

    networks: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN ...")]]
    """Folders of runs or cross-validations, or predictions files; NAME=PATH names a network. All must have been tested
    on the same images; the first is what the others are compared with."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None
    """Folder for results.md, results.json and bias.png."""
    dataset: Literal["auto", "bp4d", "disfa", "none"] = "auto"
    """Whose head and tail to use: those CIU's paper names for BP4D or DISFA, or the thirds by frequency (none); auto
    takes the corpus that the run's recipe names."""
    head: str = ""
    """Action units to call head, for example AU12,AU25; goes with --tail."""
    tail: str = ""
    """Action units to call tail."""
    resamples: int = 2000
    """How often subjects are drawn for the intervals; 0 for none."""
    title: str = "Bias by action unit"
    """Heading of tables and figure."""

    def __post_init__(self) -> None:
        """Refuse half a choice and too few draws."""
        if bool(self.head) != bool(self.tail):
            raise RecipeError("found only one of --head and --tail, expected both or neither")
        if self.resamples and self.resamples < 100:
            raise RecipeError(f"--resamples is {self.resamples}, expected 0 or at least 100")


def main(words: Sequence[str]) -> int:
    """Parse the command's words, compare the networks, and print; return the exit code."""
    command = tyro.cli(BiasCommand, prog="facskit bias", description=_DESCRIPTION, args=list(words))
    if not command.networks:
        raise RecipeError("found no network; expected the folder of a run or a predictions file")
    if command.out is not None:
        check_writable(command.out, "results")
    networks = find_networks(command.networks)
    frequencies, notes = _frequencies(networks)
    report = build_bias_report(
        [(network.name, network.predictions) for network in networks],
        title=command.title,
        frequencies=frequencies,
        groups=_groups(command, networks),
        bootstrap=BootstrapConfig(resamples=command.resamples) if command.resamples else None,
        notes=notes,
    )
    if command.out is not None:
        write_bias_report(report, command.out)
        draw_bias(report, command.out / "bias.png")
    print_tables(bias_tables(report), command.out, "results.json and bias.png")
    if command.out is None:
        table_console().print("[dim]-o DIR writes the tables and a figure.[/]")
    return 0


def _frequencies(networks: Sequence[TrainedNetwork]) -> tuple[Frequencies, list[str]]:
    """Return how often AUs occur; for a single fold the training labels are counted, if the faces are still there."""
    found = frequencies_of(networks[0].predictions)
    recipe = next((network.recipe for network in networks if network.recipe is not None), None)
    if found.training is not None or recipe is None:
        return found, []
    try:
        rates = training_rates(recipe)
    except FacskitError as error:
        return found, [f"Training rates aren't known: {error}"]
    if recipe.data.unit_set != networks[0].predictions.action_units:
        return found, []
    return Frequencies(found.test, np.asarray(rates, dtype=float)), []


def _groups(command: BiasCommand, networks: Sequence[TrainedNetwork]) -> AUGroups | None:
    """Return head and tail as wished, as published, or None for the thirds by frequency."""
    units = networks[0].predictions.action_units
    if command.head:
        head, tail = (_units(text, units, name) for text, name in ((command.head, "head"), (command.tail, "tail")))
        if both := [unit.code for unit in head if unit in tail]:
            raise RecipeError(
                f"--head and --tail both name {both[0]}, expected each action unit in one of them at most"
            )
        return AUGroups(head.units, tail.units, "as chosen")
    dataset = command.dataset
    named = [network.recipe.evaluation.dataset for network in networks if network.recipe is not None]
    found = published_groups(named[0] if dataset == "auto" and named else dataset, units)
    if found is None and dataset in {"bp4d", "disfa"}:
        raise RecipeError(f"--dataset is {dataset}, but its head or tail has none of the action units {units}")
    return found


def _units(text: str, known: ActionUnitSet, name: str) -> ActionUnitSet:
    try:
        chosen = ActionUnitSet.parse(text)
    except ValueError as error:
        raise RecipeError(f"--{name}: {error}") from error
    if missing := [unit.code for unit in chosen if unit not in known]:
        raise RecipeError(f"--{name} names {missing[0]}, expected some of {known}")
    return chosen
