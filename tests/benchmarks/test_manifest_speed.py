"""Big manifests: how much memory they take. How long they take is measured, not tested: machines are busy at times."""

import pytest

from benchmarks.manifest_speed import measure

_LIBRARIES = 0.45e9
"""Bytes that Python and the libraries may take before any row is read."""


def test_half_a_million_rows_need_a_tenth_of_the_memory() -> None:
    found = measure(500_000)
    assert found["rows"] == 500_000
    assert found["peak_bytes"] < _LIBRARIES + 0.15e9


@pytest.mark.slow
def test_five_million_rows_need_less_than_two_gigabytes() -> None:
    found = measure(5_000_000)
    assert found["rows"] == 5_000_000
    assert found["peak_bytes"] < 2e9
