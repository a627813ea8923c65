"""Probabilities above a person's own rest: what a resting face already shows is taken off.

Deep folds, thin lips or glasses can look like an action unit although nothing acts. Who a person is at rest is read off
their own frames, and moved to where resting faces lie that don't look so.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.errors import RecipeError
from facskit.inference.derived_columns import ABOVE_REST, above_rest
from facskit.inference.smoothing import reliable_faces

__all__ = ["AUTO", "LEAST_FRAMES", "RestFrame", "take_rest_off"]

AUTO = "auto"
"""How rest is asked for that is found in a person's frames."""
RestFrame = int | None
"""Frame in which everybody is at rest; None to find rest in each person's frames."""
LEAST_FRAMES = 30
"""Reliable frames of a person that rest is found in, at the least."""
_QUANTILE = 0.1
"""Share of a person's frames that show an action unit less than their rest does."""
_MARGIN = 2.0
"""Logits below the threshold to which a resting face is brought."""
_NEAREST = 1e-4
"""Probabilities are taken this far from 0 and 1, so that their logits are finite."""


def take_rest_off(
    table: pl.DataFrame, action_units: ActionUnitSet, thresholds: tuple[float, ...], frame: RestFrame
) -> pl.DataFrame:
    """Add probabilities above each person's own rest (`AU12_above_rest`), and what they decide (`AU12_above_rest_c`).

    With z the logit of a frame's probability, r that of the person's rest and t that of the threshold, the logit above
    rest is z - max(0, r - (t - 2)): a face whose rest lies less than two logits below the threshold is moved until it
    lies there, and all others stay as they are. The rest of each action unit is the tenth percentile of the person's
    reliable frames of a file, so who shows it nearly all the time is taken to look so.

    Args:
        table: Rows as recognition writes them. Raw columns stay as they are.
        thresholds: From which probability on each action unit counts as present.
        frame: Where everybody is at rest; None for the percentile.

    Returns:
        The rows in their order; cells are empty where the face is unreliable or the person's rest isn't known.

    Raises:
        RecipeError: Nobody can be relied on in that frame, or nobody has enough frames.
    """
    codes = list(action_units.codes)
    faces = table.with_row_index("row").filter(reliable_faces())
    limits = _logits(np.array(thresholds))
    parts = []
    for person in faces.partition_by("input", "face_id", maintain_order=True):
        seen = person if frame is None else person.filter(pl.col("frame") == frame)
        if seen.height < (LEAST_FRAMES if frame is None else 1):
            continue
        rest = np.quantile(_logits(seen.select(codes).to_numpy()), _QUANTILE, axis=0)
        logits = _logits(person.select(codes).to_numpy()) - np.maximum(0, rest - (limits - _MARGIN))
        above = np.round(1 / (1 + np.exp(-logits)), 4)
        parts.append(pl.DataFrame(above, list(map(above_rest, codes))).with_columns(person["row"]))
    if not parts:
        raise RecipeError(_nobody(table, frame))
    decided = [
        (pl.col(above_rest(code)) >= threshold).cast(pl.Int64).alias(f"{above_rest(code)}_c")
        for code, threshold in zip(codes, thresholds, strict=True)
    ]
    found = pl.concat(parts).with_columns(decided)
    joined = table.with_row_index("row").join(found, on="row", how="left", maintain_order="left").drop("row")
    return joined.with_columns(pl.lit(AUTO if frame is None else str(frame)).alias(ABOVE_REST))


def _nobody(table: pl.DataFrame, frame: RestFrame) -> str:
    if frame is None:
        return (
            f"--neutral auto: nobody is seen reliably in {LEAST_FRAMES} frames of a file; expected a longer video, or "
            "the number of a frame in which everybody is at rest"
        )
    known = table.filter(reliable_faces())["frame"].sort().to_list()
    seen = f"frames {known[0]} to {known[-1]}" if known else "no frame"
    return f"--neutral {frame}: nobody is seen reliably in that frame; faces are seen in {seen}"


def _logits(probabilities: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    near = np.clip(probabilities.astype(np.float64), _NEAREST, 1 - _NEAREST)
    return np.log(near / (1 - near))
