"""`facskit export`: a file, a comparison, and sentences for what is wrong."""

from pathlib import Path

import pytest

from facskit.interfaces.cli import main


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_file_is_written_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str) -> None:
    file = tmp_path / "model.onnx"
    assert main(["export", "packaged", "-o", str(file), "--precision", precision]) == 0
    shown = capsys.readouterr().out
    assert "macro F1 %" in shown
    assert "probabilities differ by at most" in shown
    assert file.stat().st_size < (3e6 if precision == "int8" else 10e6)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_another_ending_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "packaged", "-o", str(tmp_path / "model.pt")]) == 1
    assert "found the ending '.pt', expected .onnx" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
