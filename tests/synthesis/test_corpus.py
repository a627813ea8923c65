"""Corpora: files, columns, determinism across workers, and going on after a stop."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from facskit import columns
from facskit.action_units import RENDERED
from facskit.errors import DatasetError, FacskitError
from facskit.synthesis import corpus
from facskit.synthesis.corpus import SynthesisConfig, person_name, render_subject, subject_name, synthesize
from facskit.synthesis.head import MorphableHead, load_head, save_head
from facskit.synthesis.studio import Studio
from tests.folder_holder import another_process_in, refusal

SMALL = SynthesisConfig(subjects=3, frames=2, seed=5, size=64, workers=2)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "faces"
    synthesize(SMALL, out)
    return out


def test_files_and_columns(rendered: Path) -> None:
    table = pl.read_parquet(rendered / "manifest.parquet")
    assert table.height == 6
    assert table[columns.SUBJECT].to_list() == [f"R5-0000{number}-makehuman" for number in (1, 1, 2, 2, 3, 3)]
    assert table[columns.IMAGE][0] == "images/S001/0000.jpg"
    assert all((rendered / name).is_file() for name in table[columns.IMAGE])
    wanted = {columns.RECORDING, columns.FRAME, columns.SKIN_TONE, *columns.POSE}
    wanted |= {*columns.LANDMARKS_X, *columns.LANDMARKS_Y}
    for unit in RENDERED:
        wanted |= {columns.occurrence(unit), columns.intensity(unit), columns.level(unit)}
    assert wanted <= set(table.columns)
    assert any(name.startswith("nuisance_") for name in table.columns)
    for unit in RENDERED:
        present = table[columns.level(unit)] >= 2
        assert table[columns.occurrence(unit)].to_list() == present.cast(pl.Int64).to_list()
    assert not (rendered / ".parts").exists()


def test_the_description_carries_the_licence(rendered: Path) -> None:
    description = json.loads((rendered / "dataset.json").read_text())
    assert description["config"]["seed"] == 5
    assert "MakeHuman" in description["licence"]
    assert "CC0" in description["licence"]


def test_one_process_gives_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    """Subject 3 rendered alone, in this process, equals subject 3 of the corpus."""
    (tmp_path / ".parts").mkdir()
    studio = Studio(load_head(), SMALL.size)
    assert render_subject(SMALL, tmp_path, 2, studio) == 2
    studio.close()
    alone = digests(tmp_path / "images")
    assert alone == {name: value for name, value in digests(rendered / "images").items() if name.startswith("S003")}


def test_a_stopped_run_goes_on(rendered: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    before = digests(rendered)
    corpus._home(SMALL, out, [load_head()]).claim()
    (out / ".parts").mkdir()
    studio = Studio(load_head(), SMALL.size)
    render_subject(SMALL, out, 1, studio)
    studio.close()
    untouched = (out / "images" / "S002" / "0001.jpg").stat().st_mtime_ns
    half_done = out / "images" / "S001"
    half_done.mkdir()
    (half_done / "0000.jpg").write_bytes(b"half a picture")
    (half_done / ".part-0001-abc.jpg").write_bytes(b"left behind")
    synthesize(SynthesisConfig(subjects=3, frames=2, seed=5, size=64, workers=1), out)
    assert digests(out) == before
    assert (out / "images" / "S002" / "0001.jpg").stat().st_mtime_ns == untouched


def test_two_processes_do_not_render_into_one_folder(tmp_path: Path) -> None:
    with another_process_in(tmp_path / "faces") as other:
        with pytest.raises(FacskitError, match=refusal(tmp_path / "faces", other)):
            synthesize(SMALL, tmp_path / "faces")
        assert not (tmp_path / "faces" / "images").exists()


def test_a_finished_corpus_is_left_alone(rendered: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in rendered.rglob("*")}
    assert synthesize(SMALL, rendered) == rendered / "manifest.parquet"
    assert before == {path: path.stat().st_mtime_ns for path in rendered.rglob("*")}


def test_another_corpus_in_the_folder_is_refused(rendered: Path) -> None:
    with pytest.raises(DatasetError, match="faces was begun with seed 5, this run has 6"):
        synthesize(SynthesisConfig(subjects=3, frames=2, seed=6, size=64), rendered)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"is not empty and holds no dataset\.json; expected a new or empty folder"):
        synthesize(SMALL, tmp_path)


def test_an_unusable_head_leaves_no_folder(tmp_path: Path) -> None:
    head = tmp_path / "head.npz"
    head.write_bytes(b"no head")
    with pytest.raises(DatasetError, match="head.npz"):
        synthesize(replace(SMALL, head=(str(head),)), tmp_path / "faces")
    assert not (tmp_path / "faces").exists()


def test_missing_vtk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "facskit.synthesis.surfaces", raising=False)
    monkeypatch.setitem(sys.modules, "vtkmodules.vtkRenderingOpenGL2", None)
    with pytest.raises(FacskitError, match=r"not installed; run: pip install 'facskit\[synthesis\]'"):
        synthesize(SMALL, tmp_path / "faces")


@pytest.mark.parametrize(("field", "value", "least"), [("subjects", 0, 1), ("frames", 0, 1), ("size", 8, 32)])
def test_impossible_settings_are_refused(field: str, value: int, least: int) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected at least {least}"):
        SynthesisConfig(**{field: value})  # type: ignore[arg-type]


def test_people_get_several_heads_in_turn(tmp_path: Path, packaged_head: MorphableHead) -> None:
    other = tmp_path / "other.npz"
    save_head(packaged_head, other)
    config = replace(SMALL, subjects=2, frames=1, head=("packaged", str(other)))
    out = tmp_path / "faces"
    table = pl.read_parquet(synthesize(config, out))
    assert table[columns.HEAD].to_list() == ["makehuman", "makehuman"]
    alone = replace(config, head=("packaged",))
    first = pl.read_parquet(synthesize(alone, tmp_path / "alone"))
    assert first["x_30"].to_list()[0] == table["x_30"].to_list()[0]
    assert json.loads((out / "dataset.json").read_text())["config"]["head"] == ["packaged", str(other)]


def test_a_person_on_another_head_is_another_person() -> None:
    assert person_name(5, 0, "ict-facekit") == "R5-00001"
    assert person_name(5, 0, "makehuman") == "R5-00001-makehuman"


def test_other_people_in_the_same_rooms(tmp_path: Path) -> None:
    small = replace(SMALL, subjects=1, frames=1, size=32, background="person", workers=1)
    seen = []
    for number, (seed, rooms) in enumerate([(5, None), (6, 5), (6, None)]):
        table = pl.read_parquet(synthesize(replace(small, seed=seed, rooms=rooms), tmp_path / str(number)))
        seen.append(table.select(columns.SUBJECT, "nuisance_background_brightness", "nuisance_background_kind").row(0))

    assert seen[0][1:] == seen[1][1:] != seen[2][1:]
    assert seen[0][0] != seen[1][0] == seen[2][0]


def test_rooms_need_backgrounds_of_people() -> None:
    with pytest.raises(ValueError, match="rooms is 5; expected at least 0, and the background person"):
        SynthesisConfig(rooms=5)


def test_subject_names_sort() -> None:
    assert subject_name(0, 60) == "S001"
    assert subject_name(1233, 5000) == "S1234"
