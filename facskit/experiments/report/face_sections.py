"""Sections that need the faces themselves: the worst mistakes, groups, attention maps, and how much identity leaks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from jaxtyping import Float, Int, UInt8

from facskit.columns import HEAD, POSE, SKIN_TONE
from facskit.datasets.face_dataset import cut_face
from facskit.datasets.manifest import Manifest
from facskit.datasets.samples import LabelState
from facskit.errors import FacskitError
from facskit.evaluation.attention_scores import attention_table
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.groups import GroupNumbers, score_groups
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.attention_check import AttentionCheck, check_attention, choose_rows
from facskit.experiments.assemble import remaining_crop
from facskit.experiments.probe.probing import ProbePlan, probe
from facskit.experiments.probe.report import probe_tables
from facskit.experiments.report.contents import Picture, Section
from facskit.experiments.report.networks import LocatedFaces, ReportedNetwork
from facskit.faces.alignment import CropRecipe
from facskit.faces.images import encode_jpeg
from facskit.faces.landmarks import OUTER_EYE_CORNERS
from facskit.models.attention_network import attention_taught
from facskit.models.checkpoints import load_checkpoint
from facskit.models.devices import Device, choose_device
from facskit.models.layers import AttentiveNetwork
from facskit.tables import TextTable, percent_cell

__all__ = ["attention_section", "groups_section", "leakage_section", "mistakes_section"]

_MOST_ATTENDED = 4
_OWN_COLUMNS = ("sex", "gender", "age_group", "race", "ethnicity", "glasses", HEAD)
"""Columns of a manifest whose values are groups as they are."""
_TRUTHS = {
    "nuisance_glasses": ("glasses", "glasses", "no glasses"),
    "nuisance_stubble": ("beard", "beard or stubble", "none"),
}
"""Columns that hold 0 or more: what the groups differ in, and what they are called above and at 0."""
_MALE = "nuisance_male"
"""Column with how male a rendered head is, from 0 to 1; one half where its shape doesn't say."""
_HIDDEN = "hidden"
"""Column that names the action units that can't be seen, and what covers them; empty where nothing does."""
_STEPS: dict[str, tuple[str, tuple[float, ...], str]] = {
    SKIN_TONE: ("skin tone, from lightest (1) to darkest (10)", (4.0, 8.0), ""),
    "age": ("age", (30.0, 50.0), " years"),
    "nuisance_age": ("age as rendered", (35.0, 60.0), " years"),
    POSE[1]: ("head turned sideways", (10.0, 20.0), "°"),
    POSE[0]: ("head tilted up or down", (10.0,), "°"),
    "nuisance_resolution": ("pixels across the face", (60.0, 100.0), " px"),
    "face_size": ("pixels across the face", (60.0, 100.0), " px"),
}
"""Columns of numbers: what the groups differ in, where they are cut, and the unit."""


def mistakes_section(network: ReportedNetwork, *, per_unit: int = 1) -> Section:
    """Show for each AU the faces that it was most wrong about.

    Args:
        per_unit: Most faces of each kind of mistake and AU.
    """
    predictions, pictures = network.predictions, list[Picture]()
    lead = (
        "The most certain mistakes of each action unit: faces where it was said to be there and isn't labelled, and "
        "the other way round. Many turn out to be doubtful labels: look twice."
    )
    crop = _crop(network)
    if network.faces is None or crop is None:
        return Section(key="mistakes", title="Worst mistakes", lead=network.faces_missing or "No recipe names a crop.")
    told = []
    for place, unit in enumerate(predictions.action_units):
        for sign, verb, label in ((1, "said", "not labelled"), (-1, "not said", "labelled")):
            for sample in _most_wrong(predictions, place, sign)[:per_unit]:
                probability = float(predictions.probabilities[sample, place])
                who = str(predictions.subjects[sample])
                title = f"{unit.code} {verb}, {label}"
                told.append((unit.code, f"{probability:.2f}", label, who, str(predictions.names[sample])))
                picture = _picture(network.faces, crop, int(network.faces.rows[sample]))
                if picture is not None:
                    pictures.append(
                        Picture(jpeg=picture, title=title, caption=f"{unit.name}: {probability:.2f}. {who}")
                    )
    keys = ("action_unit", "probability", "label", "subject", "image")
    return Section(
        key="mistakes",
        title="Worst mistakes",
        lead=lead,
        pictures=tuple(pictures),
        numbers={"faces": [dict(zip(keys, row, strict=True)) for row in told]},
    )


def _crop(network: ReportedNetwork) -> CropRecipe | None:
    """Return what is left to crop of the faces, as the network sees them."""
    if network.network.recipe is None or network.faces is None:
        return None
    return remaining_crop(network.faces.manifest, network.network.recipe.data.crop)


def _most_wrong(predictions: Predictions, place: int, sign: int) -> list[int]:
    """Return samples by falling certainty of a wrong decision: false alarms for sign 1, misses for -1."""
    wanted = LabelState.ABSENT if sign > 0 else LabelState.PRESENT
    wrong = (predictions.labels[:, place] == wanted) & (predictions.decisions[:, place] == (sign > 0))
    samples = np.flatnonzero(wrong)
    order = np.argsort(-sign * predictions.probabilities[samples, place], kind="stable")
    return samples[order].tolist()


def _picture(faces: LocatedFaces, crop: CropRecipe, row: int) -> bytes | None:
    """Return a face as JPEG; None, with a line in the log, where it can't be read."""
    try:
        return encode_jpeg(cut_face(faces.manifest, crop, row), quality=85)
    except FacskitError as error:
        logging.getLogger(__name__).warning("%s", error)
        return None


def groups_section(network: ReportedNetwork, bootstrap: BootstrapConfig) -> Section | None:
    """Score the groups that the manifest knows: people's (sex, age, skin tone, glasses) and pictures' (pose, size)."""
    if network.faces is None:
        return None
    found = []
    manifest = network.faces.manifest.select(network.faces.rows)
    for kind, membership in _memberships(manifest).items():
        numbers = score_groups(network.predictions, kind, membership, bootstrap)
        if numbers is not None:
            found.append(numbers)
    if not found:
        return None
    return Section(
        key="groups",
        title="Groups and conditions",
        lead="Are some people, or some pictures, recognised worse? Gaps are between the best and the worst group; "
        "chance alone makes one, so look at the interval.",
        tables=(_gap_table(found), _group_table(found)),
        numbers={each.kind: asdict(each) for each in found},
    )


def _memberships(manifest: Manifest) -> Mapping[str, list[str]]:
    """Return the name of each row's group, for everything that the columns know."""
    found: dict[str, list[str]] = {}
    table = manifest.table
    if manifest.all_landmarks is not None:
        left, right = (manifest.all_landmarks[:, corner] for corner in OUTER_EYE_CORNERS)
        found["distance of the outer eye corners"] = _steps(np.linalg.norm(left - right, axis=1), (30.0, 60.0), " px")
    if _HIDDEN in table.columns:
        found["covered"] = ["something" if covered else "nothing" for covered in table[_HIDDEN].fill_null("")]
    for column in _OWN_COLUMNS:
        if column in table.columns:
            values = table[column].cast(pl.String).fill_null("").to_list()
            found[column.replace("_", " ")] = values
    if _MALE in table.columns:
        found["sex as rendered"] = [{-1.0: "female", 1.0: "male"}.get(side, "") for side in np.sign(table[_MALE] - 0.5)]
    for column, (kind, above, at_zero) in _TRUTHS.items():
        if column in table.columns:
            found[kind] = ["" if value is None else above if value > 0 else at_zero for value in table[column]]
    for column, (kind, cuts, unit) in _STEPS.items():
        if column in table.columns:
            numbers = table[column].cast(pl.Float64).to_numpy()
            found[kind] = _steps(np.abs(np.degrees(numbers)) if column in POSE else numbers, cuts, unit)
    return found


def _steps(values: Float[np.ndarray, "samples"], cuts: Sequence[float], unit: str) -> list[str]:
    """Name the step that each number is in; empty where there is none."""
    shown = [f"{cut:.2g}" if cut < 10 else f"{cut:g}" for cut in cuts]
    names = [f"under {shown[0]}{unit}"]
    names += [f"{low} to {high}{unit}" for low, high in pairwise(shown)]
    names.append(f"{shown[-1]}{unit} and more")
    places: Int[np.ndarray, "samples"] = np.searchsorted(np.array(cuts), values, side="right")
    return ["" if np.isnan(value) else names[place] for value, place in zip(values, places.tolist(), strict=True)]


def _gap_table(found: Sequence[GroupNumbers]) -> TextTable:
    rows = []
    for each in found:
        gap, odds = (
            f"{percent_cell(value.estimate)} ({percent_cell(value.low)} to {percent_cell(value.high)})"
            for value in (each.f1_gap, each.odds_difference)
        )
        rows.append((each.kind, str(len(each.groups)), gap, odds, ", ".join(each.left_out) or "none"))
    return TextTable(
        title="Gaps, in points",
        header=("By", "Groups", "F1 gap (95 %)", "Equalised-odds difference (95 %)", "Too small to score"),
        rows=tuple(rows),
        more_text={4},
        notes=(
            "Equalised-odds difference: the larger of the gaps of true and false positive rates, averaged over AUs. "
            "Intervals draw people.",
        ),
    )


def _group_table(found: Sequence[GroupNumbers]) -> TextTable:
    rows = []
    for each in found:
        for place, group in enumerate(each.groups):
            interval = f"{percent_cell(group.f1.low)} to {percent_cell(group.f1.high)}"
            scores = (group.f1.estimate, group.recall, group.false_positive_rate)
            f1, recall, alarms = (percent_cell(value) for value in scores)
            people = f"{group.subjects:,}"
            kind = each.kind if place == 0 else ""
            rows.append((kind, group.name, f"{group.faces:,}", people, f1, interval, recall, alarms))
    return TextTable(
        title="Scores of each group",
        header=("By", "Group", "Faces", "People", "F1 %", "95 % interval", "Recall %", "False positives %"),
        rows=tuple(rows),
        num_text=2,
        strong_columns={4},
    )


def attention_section(network: ReportedNetwork, device: Device) -> Section | None:
    """Draw where the first run's network looks, if it has attention maps that were taught; else None."""
    weights = next((run.weights for run in network.runs if run.weights is not None), None)
    if weights is None or network.faces is None:
        return None
    model, info = load_checkpoint(weights)
    if not isinstance(model, AttentiveNetwork) or not attention_taught(info.provenance):
        return None
    tested = network.predictions.run(*network.predictions.runs[0]).names
    mine = np.isin(network.predictions.names, tested)
    faces = network.faces.manifest.select(np.unique(network.faces.rows[mine]))
    try:
        check = check_attention(model.to(choose_device(device)), info, faces, rows=choose_rows(faces, _MOST_ATTENDED))
    except FacskitError as error:
        return Section(key="attention", title="Where it looks", lead=f"Its maps can't be compared: {error}.")
    pictures = []
    for drawn in check.faces:
        jpeg = encode_jpeg(_attended(drawn.crop, drawn.attention), quality=85)
        codes = ", ".join(info.action_units.codes)
        pictures.append(Picture(jpeg=jpeg, title=drawn.name, caption=f"The face, then {codes}.", wide=True))
    return _attention(check, pictures, weights)


def _attention(check: AttentionCheck, pictures: list[Picture], weights: Path) -> Section:
    table = attention_table(check.scores, f"How well the maps of {weights.parent.name} fit the predefined ones")
    return Section(
        key="attention",
        title="Where it looks",
        lead="Attention maps over test faces; bright is where the network looks for the action unit.",
        tables=(table,),
        pictures=tuple(pictures),
    )


def _attended(
    crop: UInt8[np.ndarray, "size size 3"], maps: Float[np.ndarray, "aus map map"]
) -> UInt8[np.ndarray, "size width 3"]:
    """Return the face, then the face lit by each map, side by side."""
    size = crop.shape[0]
    places = np.minimum(np.arange(size) * maps.shape[1] // size, maps.shape[1] - 1)
    panels = [crop]
    for each in maps:
        light = each[np.ix_(places, places)][..., np.newaxis]
        light = light / max(float(light.max()), 1e-6)
        panels.append((crop * (0.25 + 0.75 * light)).astype(np.uint8))
    return np.concatenate(panels, axis=1)


def leakage_section(networks: Sequence[ReportedNetwork], device: Device) -> Section | None:
    """Say how well people can be told apart by the networks' features; None where no run has weights."""
    words = [f"{each.name}={each.folder}" for each in networks if any(run.weights for run in each.runs)]
    if not words:
        return None
    try:
        with TemporaryDirectory() as scratch:
            probing = probe(words, Path(scratch), ProbePlan(methods=("converged",), device=device))
    except FacskitError as error:
        return Section(key="leakage", title="Identity leakage", lead=f"The probe can't be fitted: {error}")
    tables = tuple(probe_tables(probing))
    numbers = {}
    for source in probing.sources:
        last = source.moments[-1].probes
        numbers[source.label] = {
            each.split: {"accuracy": each.accuracy, "chance": each.chance, "constant": each.majority} for each in last
        }
    return Section(
        key="leakage",
        title="Identity leakage",
        lead="How well a linear classifier names people it has seen, by the features alone; a guess knows nothing.",
        tables=tables,
        numbers=numbers,
    )
