"""`facskit curate` as it is typed."""

from pathlib import Path

import pytest

from facskit.datasets.curation.shards import ShardedImages
from facskit.errors import RecipeError
from facskit.interfaces.curate import main
from tests.datasets.source_builder import face, faces_by_name, write_folder


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "faces", faces_by_name(0, 5) | {"a_small.jpg": face(9, 50, 50)})
    words = [str(folder), "-o", str(tmp_path / "out"), "--size", "64", "--min-side", "60", "--workers", "1"]
    for _ in range(2):  # the second time there is nothing left to do
        assert main(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines == [
            "faces: 5 of 6 images; rejected: 1 too small",
            f"5 images in 1 shard: {tmp_path / 'out'}, report in {tmp_path / 'out' / 'report.md'}",
        ]
    assert len(ShardedImages(tmp_path / "out")) == 5


def test_wrong_options_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="found no source; expected at least one folder, archive or LMDB"):
        main(["-o", str(tmp_path / "out")])
    with pytest.raises(RecipeError, match="near_duplicates is 20; expected from 0 to 8"):
        main([str(tmp_path), "-o", str(tmp_path / "out"), "--near-duplicates", "20"])
    with pytest.raises(RecipeError, match="workers is -1; expected at least 0"):
        main([str(tmp_path), "-o", str(tmp_path / "out"), "--workers", "-1"])
