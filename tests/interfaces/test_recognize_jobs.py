"""`facskit recognize --jobs N`: the same table as with one process, whatever happens on the way."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from facskit.errors import FacskitError
from facskit.faces.images import read_image, write_image
from facskit.faces.video import VideoWriter
from facskit.interfaces import cli
from facskit.interfaces.recognize_config import RecognizeConfig
from facskit.interfaces.recognize_jobs import recognize_in_processes

PORTRAIT = Path(str(files("facskit.assets").joinpath("photographs/eileen_collins.jpg")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    portrait = read_image(PORTRAIT)[::4, ::4]
    for name in ("a.png", "c.png"):
        write_image(folder / name, portrait)
    write_image(folder / "d.png", np.full((64, 64, 3), 80, np.uint8))
    with VideoWriter(folder / "b.mp4", 25.0) as writer:
        for number in range(5):
            writer.write(portrait, number / 25)
    (folder / "e.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


def test_the_table_is_that_of_one_process(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables, told = [], []
    for jobs in ("1", "2"):
        table = tmp_path / f"{jobs}.csv"
        overlays = tmp_path / f"overlays-{jobs}"
        words = ["recognize", str(folder), "-o", str(table), "--overlay", str(overlays), "--jobs", jobs]
        assert cli.main(words) == 1
        tables.append(table.read_bytes())
        said = capsys.readouterr()
        told.append((said.out.replace(f"{jobs}.csv", "").replace(f"overlays-{jobs}", ""), said.err))
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") == 1 + 1 + 5 + 1 + 1
    assert told[0] == told[1]
    assert "1 of 5 files could not be read" in told[1][1]
    names = [sorted(path.name for path in (tmp_path / f"overlays-{jobs}").iterdir()) for jobs in "12"]
    assert names[0] == names[1] == ["a_overlay.jpg", "b_overlay.mp4", "c_overlay.jpg", "d_overlay.jpg"]


def test_frames_come_back_in_order_with_the_size_of_their_pictures(folder: Path, tmp_path: Path) -> None:
    named = [folder / name for name in ("b.mp4", "a.png", "e.jpg")]
    config = RecognizeConfig(inputs=tuple(named), jobs=2)
    found = [
        (one.file.name, [frame.image.shape for frame in one.frames], one.failure is None)
        for one in recognize_in_processes(config, named, named, tmp_path)
    ]
    height, width = read_image(folder / "a.png").shape[:2]
    assert [name for name, _, _ in found] == ["b.mp4", "a.png", "e.jpg"]
    assert found[0][1] == [(height // 2 * 2, width // 2 * 2, 3)] * 5
    assert found[1][1] == [(height, width, 3)]
    assert [read for _, _, read in found] == [True, True, False]
    assert not list(tmp_path.glob("*.frames"))[1:]


def test_a_process_that_dies_names_the_first_file_that_isnt_done(folder: Path, tmp_path: Path) -> None:
    named = [folder / name for name in ("a.png", "c.png")]
    config = RecognizeConfig(inputs=tuple(named), jobs=2, weights=str(tmp_path / "gone.safetensors"))
    with pytest.raises(FacskitError, match=r"gone\.safetensors|a\.png"):
        list(recognize_in_processes(config, named, named, tmp_path))


@pytest.mark.parametrize("option", ["--attention", "--save-video"])
def test_what_one_process_draws_wants_one_process(
    option: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["recognize", str(folder / "b.mp4"), option, str(tmp_path / "x.mp4"), "--jobs", "2"]) == 1
    assert f"{option} is drawn by one process: leave --jobs 2 out" in capsys.readouterr().err
