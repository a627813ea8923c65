"""Generated corpora have the releases' oddities, and everything about them survives being read back."""

from pathlib import Path

import numpy as np
import pytest

from facskit.datasets.corpora.decisions import CorpusName, Decisions
from facskit.datasets.corpora.example_trees.au_trees import write_au_tree
from facskit.datasets.corpora.example_trees.tree_cast import Cast
from facskit.datasets.corpora.importers import guess_corpus, read_corpus
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.media import read_media_bytes
from facskit.datasets.folds import published_parts
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError
from facskit.faces.images import decode_image
from facskit.faces.video import frames

FRAMES = 4
AU_CORPORA: tuple[CorpusName, ...] = ("bp4d", "bp4d-plus", "disfa", "disfa-plus")


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[CorpusName, Path]:
    """Every AU corpus with four subjects, with its oddities."""
    root = tmp_path_factory.mktemp("trees")
    people = {"disfa": 5}
    return {
        name: write_au_tree(name, root / "some" / name, subjects=people.get(name, 4), frames=FRAMES)
        for name in AU_CORPORA
    }


def _read(trees: dict[CorpusName, Path], corpus: CorpusName, decisions: Decisions | None = None) -> CorpusIndex:
    return read_corpus(corpus, trees[corpus], decisions or Decisions())


@pytest.mark.parametrize(
    ("corpus", "count"),
    [("bp4d", 4 * 8 * 4), ("bp4d-plus", 4 * 4 * 4), ("disfa", 5 * 4 - 1), ("disfa-plus", 4 * 2 * 4)],
)
def test_every_coded_frame_is_read_without_errors(
    trees: dict[CorpusName, Path], corpus: CorpusName, count: int
) -> None:
    index = _read(trees, corpus)
    assert len(index) == count
    assert [finding for finding in index.findings if finding.severity != "note"] == []
    assert index.dropped.is_empty()
    assert index.table.equals(index.table.sort("subject", "recording", "frame"))


@pytest.mark.parametrize("corpus", AU_CORPORA)
def test_every_picture_can_be_opened(trees: dict[CorpusName, Path], corpus: CorpusName) -> None:
    index = _read(trees, corpus)
    videos = {media for media, frame in index.table.select("media", "media_frame").iter_rows() if frame is not None}
    lengths = {media: sum(1 for _ in frames(index.root / media)) for media in videos}
    for media, frame in index.table.select("media", "media_frame").iter_rows():
        if frame is None:
            assert decode_image(read_media_bytes(index.root, media), media).shape == (128, 128, 3)
        else:
            assert 0 <= frame < lengths[media]


@pytest.mark.parametrize("corpus", AU_CORPORA)
def test_the_labels_are_those_of_the_faces(trees: dict[CorpusName, Path], corpus: CorpusName) -> None:
    index = _read(trees, corpus)
    first = index.table.filter(subject=index.table["subject"][0], recording=index.table["recording"][0])
    begin = 1 if corpus == "bp4d" else 0
    take = Cast(faces=packaged_faces()).take(0, begin, FRAMES)
    for unit in index.action_units:
        levels = [value or 0 for value in take.levels(unit)]
        expected = [int(value >= 2) for value in levels] if corpus.startswith("disfa") else take.codes(unit)
        assert first[unit.code].to_list() == expected, unit
        if f"{unit.code}_level" in first.columns:
            assert first[f"{unit.code}_level"].to_list() == levels


@pytest.mark.parametrize(
    ("corpus", "subject", "order", "begin"),
    [("bp4d", "F001", 0, 1), ("bp4d-plus", "F042", 1, 0), ("disfa", "SN031", 4, 0)],
)
def test_the_landmarks_are_those_of_the_faces(
    trees: dict[CorpusName, Path], corpus: CorpusName, subject: str, order: int, begin: int
) -> None:
    rows = _read(trees, corpus).table.filter(subject=subject)
    last = Cast(faces=packaged_faces()).take(order, begin, FRAMES).landmarks(FRAMES - 1)
    frame = rows.row(FRAMES - 1, named=True)
    np.testing.assert_allclose([frame["x_36"], frame["y_54"]], [last[36, 0], last[54, 1]], atol=0.01)
    assert frame["x_60"] is None


def test_bp4d_has_the_oddities_that_are_promised(trees: dict[CorpusName, Path]) -> None:
    root = trees["bp4d"]
    index = _read(trees, "bp4d")
    tables = root / "AUCoding" / "AU_OCC"
    assert (tables / "F001_T1.csv").read_bytes().startswith(b"\xef\xbb\xbf0,1,2")
    assert (tables / "F001_T1.csv").read_bytes().endswith(b"\r\n\r\n\r\n")
    assert (tables / "F003_T1.csv").read_text().startswith("0,1,2,4,5,6,7,9,10")
    assert index.table.filter(subject="F004")["AU23"].null_count() == 8
    names = [Path(index.table.filter(subject=name)["media"][0]).name for name in ("F001", "F003", "F004", "F002")]
    assert names == ["0002.jpg", "002.jpg", "2.jpg", "2F02_01.avi"]
    chosen = _read(trees, "bp4d", Decisions.as_paper("ciu", "bp4d"))
    assert chosen.dropped.select("subject", "recording", "frame").rows() == [("F001", "T1", 3), ("F001", "T1", 4)]
    fmae = _read(trees, "bp4d", Decisions.as_paper("fmae-iat", "bp4d"))
    assert fmae.table["AU23"].null_count() == 0


def test_bp4d_plus_has_the_oddities_that_are_promised(trees: dict[CorpusName, Path]) -> None:
    root = trees["bp4d-plus"]
    index = _read(trees, "bp4d-plus")
    assert (root / "AUCoding/AU_OCC/F001_T1.csv").read_text().startswith("1,1,2,4")
    assert index.table.filter(subject="F042")["media"][0] == "2D+3D/F042.zip!/F042/T1/0000.jpg"
    assert index.table["recording"].unique().sort().to_list() == ["T1", "T6", "T7", "T8"]
    assert index.decisions["frame_offset"] == "-1 for images, 0 for videos"


def test_disfa_has_the_oddities_that_are_promised(trees: dict[CorpusName, Path]) -> None:
    index = _read(trees, "disfa")
    assert index.table.filter(subject="SN010").height == FRAMES - 1
    assert index.table.filter(subject="SN003")["media"][0] == "SN003/0.png"
    lost = index.table.filter(index.table["x_30"].is_null())
    assert lost.select("subject", "frame").rows() == [("SN031", 3)]
    right = _read(trees, "disfa", Decisions.as_paper("fmae-iat", "disfa"))
    assert right.table["media"][0] == "Video_RightCamera/RightVideoSN001_comp.avi"


@pytest.mark.parametrize("corpus", ["bp4d", "bp4d-plus", "disfa"])
def test_subjects_are_those_of_the_published_folds(trees: dict[CorpusName, Path], corpus: CorpusName) -> None:
    subjects = set(_read(trees, corpus).table["subject"])
    parts = published_parts(corpus)
    assert subjects <= {name for part in parts for name in part}
    assert all(subjects & set(part) for part in parts[:3])


def test_without_quirks_everything_is_plain(tmp_path: Path) -> None:
    root = write_au_tree("bp4d", tmp_path / "plain", subjects=1, frames=2, quirks=False)
    index = read_corpus("bp4d", root, Decisions(frames="landmarks"))
    assert len(index) == 16
    assert b"\r" not in (root / "AUCoding/AU_OCC/F001_T1.csv").read_bytes()


@pytest.mark.parametrize("corpus", AU_CORPORA)
def test_a_folder_is_recognised(trees: dict[CorpusName, Path], corpus: CorpusName, tmp_path: Path) -> None:
    assert guess_corpus(trees[corpus]) == corpus
    assert (
        guess_corpus(next(path for path in trees[corpus].iterdir() if "abel" in path.name or "AU" in path.name))
        == corpus
    )
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / corpus).symlink_to(trees[corpus])
    assert guess_corpus(tmp_path / "above") == corpus


def test_other_folders_are_not_guessed(trees: dict[CorpusName, Path], tmp_path: Path) -> None:
    assert guess_corpus(tmp_path) is None
    assert guess_corpus(tmp_path / "nowhere") is None
    assert guess_corpus(trees["bp4d"].parent) is None, "several corpora"


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").touch()
    with pytest.raises(DatasetError, match="found something there already"):
        write_au_tree("disfa", tmp_path / "taken")
    with pytest.raises(DatasetError, match="found 48 people, expected 60, one for each subject"):
        write_au_tree("bp4d-plus", tmp_path / "many", subjects=60, frames=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


@pytest.mark.parametrize(("sizes", "field"), [((0, 8), "subjects"), ((6, 0), "frames")])
def test_sizes_must_make_sense(tmp_path: Path, sizes: tuple[int, int], field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got 0"):
        write_au_tree("disfa", tmp_path / "tree", subjects=sizes[0], frames=sizes[1])
