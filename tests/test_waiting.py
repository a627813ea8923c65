"""Threads that wait sleep soon, unless the user says how they should wait."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "50000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_importing_facskit_shortens_the_spin_before_pytorch_is_there(before: dict[str, str], after: str) -> None:
    code = "import facskit, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    found = subprocess.check_output([sys.executable, "-c", code], env=others | before, text=True)
    assert found.split() == [after, "False"]


@pytest.mark.slow
def test_pytorch_heeds_it() -> None:
    """GNU's OpenMP says so itself, when asked; PyTorch with another OpenMP has nothing to say."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    found = subprocess.run(
        [sys.executable, "-c", "import facskit, torch; torch.ones(1)"],
        env=environment | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in found.stderr:
        pytest.skip("this PyTorch doesn't use GNU's OpenMP")
    assert "GOMP_SPINCOUNT = '50000'" in found.stderr
