"""Papers' crops, and configurations that make no sense."""

import pytest

from facskit.datasets.preparation.config import PreparationConfig, paper_preparation
from facskit.faces.alignment import BoxCrop, Similarity49Crop, WholeImage


def test_papers_crops() -> None:
    assert paper_preparation("fmae-iat", "bp4d") == (BoxCrop(size=224, margin=0.05, stretch=True), "detector")
    assert paper_preparation("ciu", "disfa") == (Similarity49Crop(size=200, enlarge=2.9), "corpus")
    assert paper_preparation("fmae-iat", "raf-db")[0] is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"crop": WholeImage()}, "crop must be None to keep whole pictures"),
        ({"max_side": 100}, "max_side is for whole pictures; with the crop 'five-point' set the crop's size"),
        ({"crop": None, "max_side": 3}, "max_side must be 0 or at least 16 pixels, got 3"),
        ({"quality": 0}, "quality must be from 1 to 100, got 0"),
        ({"workers": -1}, "workers must be 0 or more, got -1"),
    ],
)
def test_impossible_configurations_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PreparationConfig(**values)  # type: ignore[arg-type]
