"""Engines: processes and Ray do every unit once, and hand on the sentence of an error."""

import sys
from functools import partial
from pathlib import Path

import pytest

from facskit.datasets.curation.engines import EngineName, check_engine, run_units
from facskit.errors import DatasetError, FacskitError
from tests.datasets.source_builder import faces_by_name, write_folder


def mark(folder: Path, number: int) -> int:
    if number == 13:
        raise DatasetError("unit 13 brings bad luck; expected another")
    (folder / str(number)).write_text("done")
    return 10 * number


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> EngineName:
    if request.param == "ray":
        pytest.importorskip("ray.data", reason="ray isn't installed: pip install 'facskit[ray]'")
    name: EngineName = request.param
    return name


def test_every_unit_is_done_once(engine: EngineName, tmp_path: Path) -> None:
    assert sum(run_units(engine, partial(mark, tmp_path), range(6), workers=2)) == 150
    assert sorted(path.name for path in tmp_path.iterdir()) == list("012345")
    with pytest.raises(DatasetError, match="unit 13 brings bad luck"):
        list(run_units(engine, partial(mark, tmp_path), [13], workers=1))


def test_no_units_start_nothing(engine: EngineName) -> None:
    assert list(run_units(engine, partial(mark, Path("/nowhere")), [])) == []


@pytest.mark.slow
def test_ray_curates_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason="ray isn't installed: pip install 'facskit[ray]'")
    from facskit.datasets.curation.config import CurationConfig
    from facskit.datasets.curation.curate import curate
    from tests.datasets.curation.test_curate import digests

    folder = write_folder(tmp_path / "in", faces_by_name(0, 12))
    config = CurationConfig(size=64, min_side=0, shard_images=5, chunk_images=4)
    engines: tuple[EngineName, ...] = ("processes", "ray")
    for name in engines:
        curate([folder], tmp_path / name, config, workers=2, engine=name)
    assert digests(tmp_path / "ray") == digests(tmp_path / "processes")


def test_missing_ray_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FacskitError, match=r"engine is ray, which isn't installed; run: pip install 'facskit\[ray\]'"):
        check_engine("ray")
