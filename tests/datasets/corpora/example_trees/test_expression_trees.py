"""The example trees: rules, refusals, and that they are made of any manifest's faces."""

from pathlib import Path

import pytest

from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.example_trees.expression_trees import expression_of, write_expression_tree
from facskit.datasets.corpora.raf_db import read_raf_db
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError
from facskit.faces.images import read_image


@pytest.mark.parametrize(
    ("present", "name"),
    [
        ("", "neutral"),
        ("AU06 AU12", "happiness"),
        ("AU01 AU02 AU25 AU26", "surprise"),
        ("AU01 AU04 AU15", "sadness"),
        ("AU01 AU02 AU04 AU20", "fear"),
        ("AU04 AU07 AU23", "anger"),
        ("AU09 AU04", "disgust"),
        ("AU14", "contempt"),
    ],
)
def test_rule(present: str, name: str) -> None:
    assert expression_of(frozenset(present.split())) == name


def test_any_manifest_will_do(manifest: Manifest, tmp_path: Path) -> None:
    root = write_expression_tree("raf-db", tmp_path / "out", manifest, images=4)
    index = read_raf_db(root, Decisions())
    assert set(index.table["expression"]) == {"neutral", "happiness"}
    for media in index.table["media"]:
        assert read_image(index.root / media).shape == (64, 72, 3)


def test_same_tree_twice(tmp_path: Path) -> None:
    trees = [write_expression_tree("affectnet", tmp_path / name, images=9) for name in "ab"]
    contents = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()} for root in trees
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 9 * 5


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "something.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"found files there, expected an empty or missing folder"):
        write_expression_tree("raf-db", tmp_path)
