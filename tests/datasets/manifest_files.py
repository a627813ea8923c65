"""Small manifest files, and what reading a wrong one says."""

from pathlib import Path

import pytest

from facskit.action_units import ActionUnitSet
from facskit.datasets.manifest import read_manifest
from facskit.errors import DatasetError

HEADER = "image,subject,AU06,AU12\n"


def csv(folder: Path, text: str) -> Path:
    path = folder / "faces.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *, check_images: bool = False, action_units: ActionUnitSet | None = None) -> str:
    with pytest.raises(DatasetError) as caught:
        read_manifest(path, action_units, check_images=check_images)
    message = str(caught.value)
    assert message.startswith(str(path)), message
    assert "\n" not in message
    return message.removeprefix(str(path))
