"""`facskit export`: a file, a comparison, and sentences for what is wrong."""

from pathlib import Path

import pytest

from facskit.interfaces import export
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


@pytest.mark.parametrize(("precision", "fault"), [("fp32", "_compare"), ("int8", "_reduce")])
def test_an_earlier_file_stays_when_something_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, fault: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "model.onnx"
    file.write_bytes(b"earlier")
    monkeypatch.setattr(export, fault, fail)
    with pytest.raises(KeyboardInterrupt):
        export.main(["packaged", "-o", str(file), "--precision", precision])
    assert file.read_bytes() == b"earlier"
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_a_copy_that_says_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "_TOLERANCE", 0.0)
    assert main(["export", "packaged", "-o", str(tmp_path / "model.onnx")]) == 1
    assert "model.onnx isn't written: its probabilities would differ by" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
