"""A look at a corpus's folder: what it is wherever one points, and faults that were put there."""

import shutil
from pathlib import Path

import pytest

from facskit.datasets.corpora.example_trees.au_trees import write_au_tree
from facskit.doctor.checkup import Checkup
from facskit.doctor.corpora import check_corpus, find_corpora


@pytest.fixture(scope="module")
def bp4d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_au_tree("bp4d", tmp_path_factory.mktemp("trees") / "BP4D", subjects=3, frames=6)


@pytest.fixture
def damaged(bp4d: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bp4d, tmp_path / "BP4D"))


def _sentences(checkup: Checkup) -> str:
    return "\n".join(f"{finding.severity} {finding}" for finding in checkup.findings)


def test_a_corpus_is_found_from_inside_and_from_above(bp4d: Path, tmp_path: Path) -> None:
    images = next(bp4d.glob("*/F001/T1"))
    for place in (bp4d, bp4d / "AUCoding", images, bp4d.parent):
        assert [name for name, _ in find_corpora(place)] == ["bp4d"], place
    assert find_corpora(tmp_path) == []
    (bp4d.parent / "elsewhere").mkdir(exist_ok=True)
    assert find_corpora(bp4d.parent / "elsewhere") == []


def test_several_corpora_in_one_folder_are_all_found(bp4d: Path, tmp_path: Path) -> None:
    shutil.copytree(bp4d, tmp_path / "BP4D")
    write_au_tree("disfa", tmp_path / "DISFA", subjects=1, frames=3)
    assert {name for name, _ in find_corpora(tmp_path)} == {"bp4d", "disfa"}


def test_a_small_but_sound_copy_has_no_errors(bp4d: Path) -> None:
    checkup = check_corpus("bp4d", bp4d)
    assert checkup.only("error") == ()
    assert not checkup.complete
    assert "subjects: 3 here, 41 published" in checkup.facts
    assert checkup.steps == (f"facskit prepare bp4d {bp4d.resolve()} -o data/bp4d",)


def test_every_fault_is_reported_at_once(damaged: Path) -> None:
    pictures = next(damaged.glob("*/F004/T3"))
    shutil.rmtree(pictures)
    coded = damaged / "AUCoding" / "AU_OCC" / "F004_T1.csv"
    lines = coded.read_text().splitlines()
    cells = lines[2].split(",")
    lines[2] = ",".join([*cells[:12], "5", *cells[13:]])
    coded.write_text("\n".join(lines))
    same = sorted(next(damaged.glob("*/F001/T2")).glob("*.jpg"))
    for picture in same[1:]:
        shutil.copy(same[0], picture)
    checkup = check_corpus("bp4d", damaged)
    found = _sentences(checkup)
    assert "F004/T3: found labels of 1 recording without pictures" in found
    assert "F004_T1.csv: line 3, AU12: found '5', expected 0, 1 or 9" in found
    assert "this picture is byte by byte the frame before it" in found
    assert checkup.steps[0].endswith("--on-error report")


def test_damaged_pictures_of_a_corpus_are_found(damaged: Path) -> None:
    picture = sorted(damaged.glob("*/F001/T2/*.jpg"))[3]  # the first and the last one aren't coded
    picture.write_bytes(picture.read_bytes()[:1000])
    checkup = check_corpus("bp4d", damaged)
    assert "decoded 144 of 144 pictures" in checkup.facts
    assert [finding.place for finding in checkup.only("error")] == [str(picture)]


def test_a_folder_that_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    checkup = check_corpus("bp4d", tmp_path)
    assert "found no label files of bp4d" in _sentences(checkup)
    assert checkup.steps == ("facskit example-tree bp4d example/bp4d",)
