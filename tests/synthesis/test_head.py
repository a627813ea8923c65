"""The morphable head: its arithmetic, its files, and the importer of the public repository's layout."""

from pathlib import Path

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.synthesis.head import MorphableHead, load_head, save_head
from facskit.synthesis.head_import import LANDMARKS_68, PARTS, find_head, import_head, read_obj

POINTS = 26719


@pytest.fixture(scope="module")
def head(packaged_head: MorphableHead) -> MorphableHead:
    return packaged_head


def write_obj(path: Path, vertices: np.ndarray, faces: str = "") -> None:
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices]
    path.write_text("# a mesh\n" + "\n".join(lines) + "\nvt 0.1 0.2\nvt 0.9 0.2\nvt 0.5 0.8\nvt 0.1 0.8\n" + faces)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Write a tiny folder in the repository's layout: a neutral mesh, an identity and two expressions."""
    model = tmp_path / "clone" / "FaceXModel"
    model.mkdir(parents=True)
    neutral = np.zeros((POINTS, 3))
    neutral[:, 0] = np.arange(POINTS) % 100
    faces = "f 1/1/1 2/2/2 3/3/3 4/4/4\nf 24600/1 24601/2 24602/3\nf 26719/1 26718/2 26717/3\n"
    write_obj(model / "generic_neutral_mesh.obj", neutral, faces)
    for name, row, move in (("identity000", 0, 2.0), ("browDown_L", 1, 0.5), ("jawOpen", 26718, -1.0)):
        shape = neutral.copy()
        shape[row, 1] += move
        write_obj(model / f"{name}.obj", shape)
    return tmp_path / "clone"


def test_the_packaged_head_has_everything(head: MorphableHead) -> None:
    assert head.targets is not None
    assert head.identity.shape == (len(head.targets.names), len(head.vertices), 3)
    assert head.expression.shape == (53, len(head.vertices), 3)
    assert {"browDown_L", "browInnerUp_R", "jawOpen", "cheekSquint_R"} <= set(head.expression_names)
    assert {"face", "teeth", "sclera_left", "eyelash_right"} <= set(head.parts)
    chin, brow = head.vertices[head.landmarks68[[8, 24]]]
    assert brow[1] - chin[1] > 10


def test_left_is_positive_x(head: MorphableHead) -> None:
    moved = np.abs(head.expression[head.shape_index["mouthSmile_L"]]).sum(1)
    assert head.vertices[moved.argmax(), 0] > 0


def test_shape_equals_a_sum_over_modes(head: MorphableHead) -> None:
    rng = np.random.default_rng(0)
    identity = 0.1 * rng.normal(size=head.num_modes)
    weights = rng.random(len(head.expression)) * (rng.random(len(head.expression)) < 0.2)
    expected = head.vertices.astype(np.float64)
    for coefficient, mode in zip(identity, head.identity, strict=True):
        expected = expected + coefficient * mode
    for weight, shape in zip(weights, head.expression, strict=True):
        expected = expected + weight * shape
    np.testing.assert_allclose(head.shape(identity, weights), expected, atol=1e-4)


def test_saved_and_loaded_heads_agree(head: MorphableHead, tmp_path: Path) -> None:
    small = head.with_shapes({"extra": np.ones_like(head.vertices)})
    save_head(small, tmp_path / "head.npz")
    loaded = load_head(tmp_path / "head.npz")
    assert loaded.expression_names == (*head.expression_names, "extra")
    assert loaded.parts == dict(head.parts)
    assert loaded.name == head.name
    assert loaded.targets is not None
    assert head.targets is not None
    assert loaded.targets.names == head.targets.names
    np.testing.assert_array_equal(loaded.targets.spread, head.targets.spread)
    np.testing.assert_array_equal(loaded.triangles, head.triangles)
    np.testing.assert_allclose(loaded.expression, small.expression, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["head.npz"]


def test_a_missing_head_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.npz does not exist; expected a head asset \(\.npz\) or a clone"):
        load_head(tmp_path / "nowhere.npz")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    path.write_text("no archive")
    with pytest.raises(DatasetError, match=r"head\.npz is no readable head asset"):
        load_head(path)


def test_an_archive_without_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "head.npz", vertices=np.zeros((3, 3)))
    with pytest.raises(DatasetError, match="it lacks the array 'triangles'"):
        load_head(tmp_path / "head.npz")


def test_import_keeps_the_parts_that_show(clone: Path) -> None:
    head = find_head(str(clone))
    assert len(head.vertices) == sum(stop - start for start, stop in PARTS.values()) == 25959
    assert head.expression_names == ("browDown_L", "jawOpen")
    assert head.parts["eyelash_right"] == (25275, 25959)
    assert head.landmarks68.tolist() == list(LANDMARKS_68)


def test_import_splits_quads_and_drops_left_out_parts(clone: Path) -> None:
    head = import_head(clone / "FaceXModel")
    assert head.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [25958, 25957, 25956]]
    assert head.uv_triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    np.testing.assert_allclose(head.uv[2], [0.5, 0.8])


def test_import_stores_offsets_from_the_neutral_mesh(clone: Path) -> None:
    head = import_head(clone)
    assert head.identity.shape == (1, 25959, 3)
    assert head.identity[0, 0].tolist() == [0, 2, 0]
    assert head.expression[0, 1].tolist() == [0, 0.5, 0]
    assert head.expression[1, 25958].tolist() == [0, -1, 0]
    assert np.count_nonzero(head.expression) == 2


def test_import_refuses_another_folder(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"is no clone of ICT-FaceKit: it has no FaceXModel/generic_neutral_mesh\.obj"
    ):
        find_head(str(tmp_path))


def test_import_refuses_a_folder_without_shapes(clone: Path) -> None:
    (clone / "FaceXModel" / "identity000.obj").unlink()
    with pytest.raises(DatasetError, match=r"found no file like identity000\.obj"):
        import_head(clone)


def test_import_refuses_a_shape_of_another_mesh(clone: Path) -> None:
    write_obj(clone / "FaceXModel" / "jawOpen.obj", np.zeros((5, 3)))
    with pytest.raises(DatasetError, match=r"jawOpen\.obj has 5 vertices, expected 26719 as in generic_neutral_mesh"):
        import_head(clone)


def test_import_refuses_a_pointer_in_place_of_the_mesh(clone: Path) -> None:
    (clone / "FaceXModel" / "generic_neutral_mesh.obj").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DatasetError, match="has 0 vertices, expected at least 26719"):
        import_head(clone)


def test_read_obj_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.obj"
    path.write_text("v 0 0 0\nv 0 zero 0\n")
    with pytest.raises(DatasetError, match=r"bad\.obj, line 2: is no line of a Wavefront mesh"):
        read_obj(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": np.array("somebody")}, r"head\.npz.*'somebody'.*makehuman"),
        ({"target_sign": None}, r"head\.npz.*'target_sign'"),
    ],
)
def test_an_unknown_head_and_targets_that_lack_a_part_are_refused(
    change: dict[str, np.ndarray | None], message: str, tmp_path: Path
) -> None:
    save_head(load_head(), tmp_path / "whole.npz")
    with np.load(tmp_path / "whole.npz") as archive:
        arrays = {name: archive[name] for name in archive}
    changed = {name: value for name, value in {**arrays, **change}.items() if value is not None}
    np.savez(tmp_path / "head.npz", **changed)
    with pytest.raises(DatasetError, match=message):
        load_head(tmp_path / "head.npz")
