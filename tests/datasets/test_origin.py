"""What is left to crop of prepared images."""

import pytest

from facskit.datasets.origin import DataOrigin
from facskit.errors import DatasetError
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, Similarity49Crop, WholeImage

WHOLE = Similarity49Crop(size=200)
WINDOW = Similarity49Crop(size=176, aligned=200)

CASES: list[tuple[CropRecipe | None, CropRecipe, CropRecipe]] = [
    (None, WINDOW, WINDOW),
    (WHOLE, WHOLE, WholeImage(size=200)),
    (WHOLE, Similarity49Crop(size=112), WholeImage(size=112)),
    (WHOLE, WINDOW, WholeImage(size=176, aligned=200)),
    (Similarity49Crop(size=400), WINDOW, WholeImage(size=176, aligned=200)),
    (WINDOW, WINDOW, WholeImage(size=176)),
    (WINDOW, Similarity49Crop(size=88, aligned=100), WholeImage(size=88)),
    (EyeSimilarityCrop(size=224), EyeSimilarityCrop(size=112), WholeImage(size=112)),
    (WHOLE, WholeImage(size=176, aligned=200), WholeImage(size=176, aligned=200)),
]


@pytest.mark.parametrize(("have", "wanted", "left"), CASES)
def test_what_is_left_to_crop(have: CropRecipe | None, wanted: CropRecipe, left: CropRecipe) -> None:
    origin = DataOrigin(corpus="bp4d", crop=have)
    assert origin.remaining_crop(wanted, "it") == left
    assert DataOrigin.from_json(origin.to_json()) == origin


def test_other_crops_are_refused() -> None:
    with pytest.raises(DatasetError, match="it: the images were cropped with kind 'similarity-49', data.crop asks for"):
        DataOrigin(corpus="bp4d", crop=WHOLE).remaining_crop(BoxCrop(), "it")
    with pytest.raises(DatasetError, match="cropped with enlarge 2.9, data.crop asks for 2.8"):
        DataOrigin(corpus="bp4d", crop=WHOLE).remaining_crop(Similarity49Crop(enlarge=2.8), "it")
    sentence = "it: the images are windows of 176 px of aligned pictures of 200 px, data.crop asks for 200 px of 200 px"
    with pytest.raises(DatasetError, match=sentence):
        DataOrigin(corpus="bp4d", crop=WINDOW).remaining_crop(WHOLE, "it")


def test_origins_from_before_windows_are_read() -> None:
    text = DataOrigin(corpus="bp4d", crop=WHOLE).to_json()
    assert DataOrigin.from_json(text.replace('"aligned": 0, ', "")).crop == WHOLE
