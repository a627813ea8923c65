"""The log of a run's losses, `metrics.jsonl`, read back."""

import json
from pathlib import Path
from typing import Any

__all__ = ["read_metrics"]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a record per logged interval and per epoch; none without a file, nor of a last line that was cut short."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records
