"""Gathers a report: opens the runs, lets every section say its part, and puts the numbers to see first on top."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from facskit.datasets.findings import counted
from facskit.errors import DatasetError
from facskit.evaluation.bias.report import build_bias_report
from facskit.evaluation.bias.tables import bias_dict, bias_text_tables
from facskit.evaluation.bootstrap import BootstrapConfig, Interval, bootstrap_macro_f1
from facskit.evaluation.protocol_scores import ProtocolScores
from facskit.experiments.analysis.comparison import compare_networks
from facskit.experiments.report.contents import Card, Page, Section
from facskit.experiments.report.face_sections import (
    attention_section,
    groups_section,
    leakage_section,
    mistakes_section,
)
from facskit.experiments.report.network_sections import (
    calibration_section,
    confusion_section,
    cooccurrence_section,
    scores_section,
)
from facskit.experiments.report.networks import ReportedNetwork, find_reported
from facskit.experiments.report.run_sections import (
    origin_section,
    protocols_section,
    published_section,
    register_section,
    training_section,
)
from facskit.models.devices import Device
from facskit.tables import percent_cell
from facskit.version import __version__

__all__ = ["ReportPlan", "gather_report"]


@dataclass(frozen=True, kw_only=True)
class ReportPlan:
    """What goes into a report."""

    title: str = ""
    """Heading; by default the networks' names."""
    manifest: str = ""
    """Where the test faces are; by default where the recipe of a run says."""
    pictures: bool = True
    """Show faces: mistakes and attention maps. The corpus's licence holds for the page then."""
    leakage: bool = True
    """Fit the identity probe, which looks at all faces once."""
    bootstrap: BootstrapConfig = BootstrapConfig()  # noqa: RUF009 (frozen)
    """How subjects are resampled for the intervals."""
    device: Device = "auto"
    """Where networks run, for attention and leakage."""


def gather_report(
    words: Sequence[str], plan: ReportPlan | None = None, *, say: Callable[[str], None] = lambda _: None
) -> Page:
    """Make the report on finished runs.

    Args:
        words: Folders of runs or cross-validations and predictions files, each as PATH or NAME=PATH.
        say: Is told what is being computed.

    Raises:
        DatasetError: There is nothing at a path, or a run isn't finished.
    """
    plan = plan or ReportPlan()
    networks = find_reported(words, plan.manifest)
    interval = _interval(networks[0], plan.bootstrap)
    protocols, scores = protocols_section(networks[0])
    sections = [published_section(networks[0], scores), protocols]
    about: list[Section] = []
    for network in networks:
        say(f"scoring {network.name}")
        about += _about(network, plan, grouped=len(networks) > 1)
    comparing = _comparing(networks, plan, say)
    # What one network does is what its page is about; several are there to be compared.
    sections += [*comparing, *about] if len(networks) > 1 else [*about, *comparing]
    sections += [register_section(networks), origin_section(networks)]
    names = ", ".join(network.name for network in networks)
    return Page(
        title=plan.title or f"Report on {names}",
        subtitle=_subtitle(networks[0]),
        cards=_cards(networks[0], interval, scores),
        sections=tuple(section for section in sections if section is not None),
        made=f"Made by facskit {__version__} on {datetime.now(UTC):%Y-%m-%d}. The page loads nothing from any network.",
    )


def _interval(network: ReportedNetwork, bootstrap: BootstrapConfig) -> Interval | None:
    try:
        return bootstrap_macro_f1(network.predictions, bootstrap)
    except DatasetError:
        return None


def _comparing(
    networks: Sequence[ReportedNetwork], plan: ReportPlan, say: Callable[[str], None]
) -> list[Section | None]:
    """Return the sections that show all networks side by side."""
    found: list[Section | None] = []
    if len(networks) > 1:
        say("comparing networks")
        found.append(_comparison(networks, plan.bootstrap))
    found.append(training_section(networks))
    say("measuring bias")
    found.append(_bias(networks, plan.bootstrap))
    if plan.leakage:
        say("fitting the identity probe (minutes with many people; --no-leakage leaves it out)")
        found.append(leakage_section(networks, plan.device))
    return found


def _comparison(networks: Sequence[ReportedNetwork], bootstrap: BootstrapConfig) -> Section:
    title = "Do they differ?"
    try:
        report = compare_networks([each.network for each in networks], bootstrap)
    except DatasetError as error:
        return Section(key="comparison", title=title, lead=f"They can't be compared: {error}.")
    tables = (report.to_table(), report.to_unit_table())
    return Section(key="comparison", title=title, tables=tables, numbers=report.to_dict())


def _bias(networks: Sequence[ReportedNetwork], bootstrap: BootstrapConfig) -> Section:
    title = "Too often, too seldom"
    try:
        report = build_bias_report(
            [(each.name, each.predictions) for each in networks], title=title, bootstrap=bootstrap
        )
    except DatasetError as error:
        return Section(key="bias", title=title, lead=f"Bias can't be compared: {error}.")
    return Section(
        key="bias",
        title=title,
        lead="Are frequent action units said too often and rare ones too seldom?",
        tables=tuple(bias_text_tables(report)),
        numbers=bias_dict(report),
    )


def _about(network: ReportedNetwork, plan: ReportPlan, *, grouped: bool) -> list[Section]:
    """Return the sections about one network."""
    found = [
        scores_section(network.result, plan.bootstrap),
        confusion_section(network.predictions),
        calibration_section(network.predictions),
        cooccurrence_section(network.predictions),
        groups_section(network, plan.bootstrap),
    ]
    if plan.pictures:
        found += [mistakes_section(network), attention_section(network, plan.device)]
    sections = [section for section in found if section is not None]
    if not grouped:
        return sections
    key = "".join(letter if letter.isalnum() else "-" for letter in network.name)
    return [replace(section, key=f"{section.key}-{key}", group=network.name) for section in sections]


def _subtitle(network: ReportedNetwork) -> str:
    people = len(set(network.predictions.subjects.tolist()))
    faces = len(set(network.predictions.names.tolist()))
    return (
        f"{counted(faces, 'test face')} of {people:,} people; "
        f"{counted(len(network.predictions.action_units), 'action unit')}; "
        f"{counted(len(network.result.folds), 'fold')}, {counted(len(network.result.seeds), 'seed')}."
    )


def _cards(network: ReportedNetwork, interval: Interval | None, scores: ProtocolScores | None) -> tuple[Card, ...]:
    """Return the numbers to see first, about the first network."""
    result, protocol = network.result, network.predictions.protocol
    note = "no interval: too few people"
    if interval is not None:
        note = f"95 % interval {percent_cell(interval.low)} to {percent_cell(interval.high)}, over people"
    f1 = result.macro("f1")
    if not math.isnan(f1.over_seeds):
        note += f"; ± {percent_cell(f1.over_seeds)} between seeds"
    skill = percent_cell(float(result.baselines.all_positive.mean()))
    cards = [
        Card(value=f"{percent_cell(f1.mean.value)} %", label="Macro F1", note=note, warning=protocol.optimistic),
        Card(value=f"{percent_cell(result.macro('roc_auc').mean.value)} %", label="ROC-AUC", note="50 % is guessing"),
        Card(value=f"{skill} %", label="F1 without skill", note="always saying “present”"),
        Card(
            value=f"{percent_cell(result.macro('calibration_error').mean.value)} %",
            label="Calibration error",
            note="0 % is calibrated",
        ),
        Card(
            value=protocol.name or "own rules",
            label="Protocol",
            note="test labels chose: optimistic" if protocol.optimistic else "no test label chose anything",
            warning=protocol.optimistic,
        ),
    ]
    gains = [score for score in scores.scores if score.optimism is not None] if scores else []
    if gains:
        most = max(gains, key=lambda score: score.optimism.estimate if score.optimism else 0.0)
        assert most.optimism is not None
        cards.append(
            Card(
                value=f"{100 * most.optimism.estimate:+.1f}",
                label=f"{most.name} adds",
                note="points of F1, gained by choosing on test labels",
                warning=True,
            )
        )
    return tuple(cards)
