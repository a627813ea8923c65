"""Threads that wait sleep, unless the user wants them to spin."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("before", "after"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_importing_facskit_lets_threads_sleep_before_pytorch_is_there(before: dict[str, str], after: str) -> None:
    code = "import facskit, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    others = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
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
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in found.stderr
    assert "GOMP_SPINCOUNT = '0'" in found.stderr
