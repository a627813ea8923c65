"""Undefined names: ruff's rule is off in `make check`, because the dimensions of array shapes look like names to it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("facskit", "tests", "benchmarks", "studies", "tools")


def _undefined(folder: Path, *paths: str) -> list[str]:
    """Return the places of undefined names; dimensions that look like them are between quotation marks."""
    words = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--output-format", "json", *paths]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    places = []
    for found in json.loads(done.stdout):
        path, row, name = Path(found["filename"]), found["location"]["row"], found["message"].split("`")[1]
        line = path.read_text(encoding="utf-8").splitlines()[row - 1]
        if not re.search(rf'"[\w* ]*\b{name}\b[\w* ]*"', line):
            places.append(f"{path.relative_to(folder)}:{row}: {found['message']}")
    return places


def test_no_name_is_undefined() -> None:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("the code isn't in a clone")
    assert _undefined(ROOT, *CODE) == []


def test_the_check_finds_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text('def f(x: Float[Tensor, "aus"]) -> None:\n    open_network(x)\n')
    found = _undefined(tmp_path, "code.py")
    assert [place.split("`")[1] for place in found] == ["Float", "Tensor", "open_network"]
