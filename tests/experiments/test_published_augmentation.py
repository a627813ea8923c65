"""The recipes of published fine-tunings: their augmentation, crop and start are the published ones."""

from pathlib import Path

import pytest

from facskit.datasets.augmentation import AugmentationConfig
from facskit.errors import CheckpointError
from facskit.experiments.initial_weights import describe_body
from facskit.experiments.recipe_files import read_recipe
from facskit.faces.alignment import BoxCrop, WholeImage

ROOT = Path(__file__).parents[2] / "recipes"
ACTION_UNITS = sorted((ROOT / "fmae_iat").glob("*.yaml"))
EXPRESSIONS = [ROOT / "expression" / f"{name}_fmae.yaml" for name in ("raf_db", "affectnet8")]
PUBLISHED = AugmentationConfig(
    flip_chance=0.5,
    window_area=(0.08, 1.0),
    random_operations=2,
    magnitude=9.0,
    magnitude_spread=0.5,
    operation_chance=0.5,
    erase_chance=0.25,
    erase_count=1,
    erase_area=(0.02, 1 / 3),
    erase_fill="normal",
)


@pytest.mark.parametrize("path", ACTION_UNITS + EXPRESSIONS, ids=lambda path: path.stem)
def test_augmentation_and_crop_are_the_published_ones(path: Path) -> None:
    data = read_recipe(path).data
    assert data.augmentation == PUBLISHED
    whole, box = WholeImage(size=224), BoxCrop(size=224, margin=0.05, stretch=True)
    assert data.crop == (whole if path in EXPRESSIONS else box)
    assert "RandAugment is rand-m9-mstd0.5-inc1" in path.read_text()


@pytest.mark.parametrize("path", ACTION_UNITS + EXPRESSIONS, ids=lambda path: path.stem)
def test_a_start_that_is_not_installed_says_how_to_get_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path))
    start = read_recipe(path).initial_weights
    with pytest.raises(CheckpointError, match=rf"not installed here; facskit weights info {start} says where"):
        describe_body(start)
