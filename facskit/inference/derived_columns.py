"""Names of the columns that are made of a complete table, and which of an action unit's columns says most."""

from collections.abc import Collection

__all__ = ["ABOVE_REST", "SMOOTH_SECONDS", "above_rest", "best_column", "smoothed"]

SMOOTH_SECONDS = "smooth_seconds"
"""Column that says how wide the window of smoothing was."""
ABOVE_REST = "rest"
"""Column that says where a person's face at rest was taken from: `auto`, or the frame's number."""


def above_rest(code: str) -> str:
    """Return the column of an action unit's probability above the person's own rest; its decision's ends in `_c`."""
    return f"{code}_above_rest"


def smoothed(code: str) -> str:
    """Return the column of an action unit's smoothed probability; its decision's ends in `_c` as well."""
    return f"{code}_smooth"


def best_column(code: str, columns: Collection[str]) -> str:
    """Return the column that summaries and figures take: smoothed if it's there, else above rest, else the raw one."""
    return next((name for name in (smoothed(code), above_rest(code)) if name in columns), code)
