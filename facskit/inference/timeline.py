"""Action units over time as a figure: a panel for each person, in it a lane for each action unit that they show."""

from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.errors import RecipeError
from facskit.figures import FAINT, INK, PALETTE, QUIET, save_figure
from facskit.inference.derived_columns import ABOVE_REST, SMOOTH_SECONDS, best_column
from facskit.inference.overlay_files import FIGURES
from facskit.inference.picture_names import distinct_names
from facskit.inference.smoothing import GAP, reliable_faces

__all__ = ["draw_timeline", "write_timelines"]

_STRETCHES = 1600
"""Longer recordings are drawn by the means of so many stretches."""
_MOST_PEOPLE = 6
_LANE = 0.3
"""Height of a lane in inches."""


def write_timelines(table: pl.DataFrame, action_units: ActionUnitSet, place: Path) -> list[Path]:
    """Draw the timeline of each video in a recognition table; photographs have none.

    Args:
        place: A picture's name, where there is one video; any other name is a folder, and each video's picture is
            called like it.

    Returns:
        The pictures.

    Raises:
        RecipeError: There is no video, or several for one picture.
    """
    lengths = table.group_by("input", maintain_order=True).agg(pl.col("timestamp").max())
    videos = [str(name) for name in lengths.filter(pl.col("timestamp") > 0)["input"]]
    if not videos:
        raise RecipeError(f"{place}: a timeline is about a video, found none with more than one frame")
    one = place.suffix.lower() in FIGURES
    if one and len(videos) > 1:
        raise RecipeError(f"{place}: a picture holds the timeline of one video, found {len(videos)}; give a folder")
    names = distinct_names([Path(video) for video in videos])
    pictures = []
    for video in videos:
        figure = draw_timeline(table.filter(pl.col("input") == video), action_units)
        pictures.append(place if one else place / f"{names[Path(video)]}_timeline.png")
        save_figure(figure, pictures[-1], dpi=150)
    return pictures


def draw_timeline(table: pl.DataFrame, action_units: ActionUnitSet) -> Figure:
    """Draw who shows what and when.

    A lane's height is the probability, in full colour while the action unit counts as present; it is grey where the
    face can't be relied on, and empty where it isn't seen. Action units that nobody shows are named below.

    Args:
        table: The rows of one video, as recognition writes them; where they have smoothed probabilities, these.
    """
    marked = table.with_columns(pl.lit(1).alias("reliable")) if "reliable" not in table.columns else table
    faces = marked.filter(pl.col("success") == 1).with_columns(reliable_faces().alias("counts")).sort("timestamp")
    ids = faces["face_id"].value_counts(sort=True)["face_id"].to_list()
    shown = sorted(ids[:_MOST_PEOPLE])
    units = [unit for unit in action_units if _is_shown(faces, unit)]
    lanes = max(len(units), 1)
    people = max(len(shown), 1)
    figure = Figure(figsize=(10, 1.3 + people * (lanes * _LANE + 0.55)), facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.06)
    panels = figure.subplots(people, 1, sharex=True, squeeze=False)[:, 0]
    first, last = float(table["timestamp"].min()), float(table["timestamp"].max())  # type: ignore[arg-type]
    for place, panel in enumerate(panels):
        if place < len(shown):
            person = faces.filter(pl.col("face_id") == shown[place])
            _draw_person(panel, person, units, PALETTE[place], table["frame"].n_unique())
        else:
            panel.set_title("no face was found", loc="left", size=10, color=INK)
        panel.set_xlim(first, last)
        panel.xaxis.set_major_formatter(FuncFormatter(_clock if last >= 100 else _seconds))
    panels[-1].set_xlabel("time in minutes:seconds" if last >= 100 else "time in seconds", size=9, color=INK)
    figure.suptitle(Path(str(table["input"][0])).name, x=0.01, ha="left", size=13, weight="bold", color=INK)
    figure.supxlabel(
        _notes(table, [unit for unit in action_units if unit not in units], len(ids) - len(shown)),
        x=0.01,
        ha="left",
        size=8,
        color=QUIET,
    )
    return figure


def _is_shown(faces: pl.DataFrame, unit: ActionUnit) -> bool:
    code = best_column(unit.code, faces.columns)
    return bool(faces.filter("counts").select((pl.col(f"{code}_c") == 1).any()).item())


def _draw_person(panel: Axes, person: pl.DataFrame, units: list[ActionUnit], colour: str, frames: int) -> None:
    """Draw one person's lanes, the first action unit at the top."""
    share = person.height / frames
    doubtful = 1 - float(person["counts"].mean() or 0.0)  # type: ignore[arg-type]
    doubt = f", unreliable on {doubtful:.0%} of them" if doubtful else ""
    title = f"person {person['face_id'][0]}: seen on {share:.0%} of the frames{doubt}"
    panel.set_title(title, loc="left", size=10, color=INK)
    edges, counts, values, present = _stretches(person, units)
    for lane in range(len(units)):
        floor = float(len(units) - 1 - lane)
        panel.axhline(floor, color=FAINT, linewidth=0.6, zorder=0)
        _fill(panel, edges, counts, (floor, floor + 0.85 * values[:, lane]), colour, 0.22)
        _fill(panel, edges, present[:, lane], (floor, floor + 0.85 * values[:, lane]), colour, 0.95)
    _fill(panel, edges, ~counts, (0.0, np.full(len(counts), float(max(len(units), 1)))), FAINT, 0.8)
    panel.set_yticks([len(units) - 0.58 - lane for lane in range(len(units))])
    panel.set_yticklabels([f"{unit.name}  {unit.code}" for unit in units], size=8, color=INK)
    panel.set_ylim(-0.05, max(len(units), 1))
    panel.tick_params(length=0, labelsize=8)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(QUIET)


def _fill(
    panel: Axes,
    edges: Float[np.ndarray, "stretches 2"],
    chosen: Bool[np.ndarray, " stretches"],
    heights: tuple[float, Float[np.ndarray, " stretches"]],
    colour: str,
    alpha: float,
) -> None:
    """Fill some stretches of time from a floor up to their heights, also one that stands alone."""
    # The third point of each stretch parts it from the next one that is filled.
    times, tops = np.column_stack([edges, edges[:, 1]]).ravel(), heights[1].repeat(3)
    where = np.column_stack([chosen, chosen, np.zeros_like(chosen)]).ravel()
    panel.fill_between(times, heights[0], tops, where=where, color=colour, alpha=alpha, linewidth=0)


def _stretches(
    person: pl.DataFrame, units: list[ActionUnit]
) -> tuple[
    Float[np.ndarray, "stretches 2"],
    Bool[np.ndarray, " stretches"],
    Float[np.ndarray, "stretches aus"],
    Bool[np.ndarray, "stretches aus"],
]:
    """Return from when to when a stretch lasts, whether the face counts, probabilities, and which units are present.

    A stretch is a frame, or several of a long recording.
    """
    codes = [best_column(unit.code, person.columns) for unit in units]
    start, end = float(person["timestamp"][0]), float(person["timestamp"][-1])
    width = max((end - start) / _STRETCHES, 1e-6)
    counting = pl.col("counts")
    means = person.group_by(((pl.col("timestamp") - start) / width).floor().alias("stretch"), maintain_order=True).agg(
        pl.col("timestamp").min(),
        (counting.mean() >= 0.5).alias("counts"),
        *(pl.when(counting).then(pl.col(code)).mean().alias(code) for code in codes),
        *((pl.when(counting).then(pl.col(f"{code}_c")).mean() >= 0.5).alias(f"{code}_c") for code in codes),
    )
    begins, counts = means["timestamp"].to_numpy(), means["counts"].to_numpy()
    steps = np.diff(begins)
    usual = float(np.median(steps)) if len(steps) else 0.0
    lasts = np.append(np.where(steps > max(GAP, 2 * width), usual, steps), usual)
    shape = (means.height, len(codes))  # polars has no rows where there are no columns
    values = means.select(codes).to_numpy().astype(float).reshape(shape)
    decided = means.select(pl.col(f"{code}_c").fill_null(value=False) for code in codes).to_numpy().astype(bool)
    decided = decided.reshape(shape)
    return np.column_stack([begins, begins + lasts]), counts, np.nan_to_num(values), decided & counts[:, None]


def _notes(table: pl.DataFrame, absent: list[ActionUnit], more: int) -> str:
    lines = ["height: probability; full colour: counts as present; grey: unreliable; empty: not seen"]
    if SMOOTH_SECONDS in table.columns:
        lines[0] += f"; smoothed over {table[SMOOTH_SECONDS][0]:g} s, without lag"
    if ABOVE_REST in table.columns:
        lines[0] += "; above each person's own rest"
    if absent:
        lines.append(f"never present: {', '.join(unit.code for unit in absent)}")
    if more:
        lines.append(f"{more} more {'person' if more == 1 else 'people'}, seen on fewer frames, left out")
    return "\n".join(lines)


def _clock(seconds: float, _: int) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _seconds(seconds: float, _: int) -> str:
    return f"{seconds:g}"
