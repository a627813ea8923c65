from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.errors import CheckpointError, RecipeError
from facskit.faces.images import read_image
from facskit.inference.attention_files import AttentionFolder
from facskit.inference.attention_maps import AttendedFace, attended_face, draw_attention, draw_attention_table
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.inference.torch_network import TorchNetwork
from facskit.models.attention_network import about_attention
from facskit.models.layers import AttentiveNetwork, Look
from tests.inference.fakes import BrightSquares, Ramp, info, picture, recognition

LOOKING = RecognizerConfig(attention=True, batch_size=2)


class Starer(AttentiveNetwork):
    """Looks at the cell of the crop whose number is that of the action unit, all the more the brighter the crop is."""

    def __init__(self, outputs: int = 8) -> None:
        super().__init__()
        self.image_size, self.map_size, self.dim, self.num_outputs = 32, 8, 1, outputs
        self.head = nn.Linear(1, outputs)

    def look(self, images: Float[Tensor, "batch 3 height width"]) -> Look:
        maps = torch.zeros(len(images), self.num_outputs, 8, 8)
        for unit in range(self.num_outputs):
            maps[:, unit, unit, unit] = 1
        return Look(features=images.mean(dim=(1, 2, 3)).unsqueeze(1), attention=maps)

    def layer_ids(self) -> dict[str, int]:
        return {name: 0 for name, _ in self.named_parameters()}


def starer(config: RecognizerConfig = LOOKING) -> Recognizer:
    torch.manual_seed(0)
    return Recognizer(TorchNetwork(Starer(), info(), "cpu"), config, detector=BrightSquares())


def attended(count: int = 8, *, known: bool = False) -> AttendedFace:
    units = ActionUnitSet(info().action_units.units[:count])
    generator = np.random.default_rng(0)
    return AttendedFace(
        title="somebody",
        crop=generator.integers(0, 255, (32, 32, 3)).astype(np.uint8),
        action_units=units,
        attention=np.zeros((count, 8, 8), np.float32),
        probabilities=np.linspace(0, 1, count, dtype=np.float32),
        decisions=np.linspace(0, 1, count) > 0.5,
        targets=np.ones((count, 8, 8), np.float32) if known else None,
        labels=np.array([1, 0, -1, *[0] * count], np.int8)[:count] if known else None,
    )


def test_attention_comes_when_asked_for() -> None:
    image = picture((20, 30, 30), (80, 30, 40), (150, 30, 30))
    faces = starer().recognize(image)
    plain = starer(RecognizerConfig()).recognize(image)
    assert len(faces) == 3
    for face, same in zip(faces, plain, strict=True):
        assert face.attention is not None
        assert [np.unravel_index(one.argmax(), one.shape) for one in face.attention] == [(i, i) for i in range(8)]
        assert face.probabilities == pytest.approx(same.probabilities)
        assert same.attention is None


def test_other_networks_have_none_and_say_so() -> None:
    with pytest.raises(
        CheckpointError, match="these weights have no attention maps: found a network of kind 'compact'"
    ):
        Recognizer(TorchNetwork(Ramp(), info(), "cpu"), LOOKING, detector=BrightSquares())
    with pytest.raises(ValueError, match=r"recognise with RecognizerConfig\(attention=True\)"):
        attended_face(picture(), recognition(), info().crop)


def test_the_crop_is_the_one_the_network_saw() -> None:
    image = picture((80, 30, 40))
    image[45:55, 95:105] = (250, 20, 20)
    (face,) = starer().recognize(image)
    seen = attended_face(image, replace(face, source="somewhere/photo.jpg"), info().crop)
    assert seen.crop.shape == (32, 32, 3)
    assert (seen.crop[..., 0] > seen.crop[..., 1].astype(int) + 100).any()
    assert seen.title == "photo.jpg, face 0"


@pytest.mark.parametrize(("count", "known"), [(1, False), (8, False), (8, True)])
def test_every_unit_has_its_panel(count: int, known: bool) -> None:
    face = attended(count, known=known)
    drawn = draw_attention(face)
    for place in range(count):
        maps = face.attention.copy()
        maps[place] = 1
        changed = (draw_attention(replace(face, attention=maps)) != drawn).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert np.ptp(rows) == 175
        assert np.ptp(columns) == 175


def test_the_table_has_a_row_for_each_face() -> None:
    one, three = (draw_attention_table([attended(known=True)] * count) for count in (1, 3))
    assert three.shape[1] == one.shape[1]
    assert three.shape[0] > 2 * one.shape[0]
    maps = np.ones((8, 8, 8), np.float32)
    changed = draw_attention_table([attended(known=True), replace(attended(known=True), attention=maps)])
    same = draw_attention_table([attended(known=True)] * 2)
    rows = np.nonzero((changed != same).any(axis=(1, 2)))[0]
    assert np.ptp(rows) == 111
    few = draw_attention_table([attended(2, known=True)])
    assert (few[-40:, -16:] == 255).all()  # the legend's last word ends before the margin
    assert few.shape[1] > 500
    with pytest.raises(ValueError, match="no faces to draw"):
        draw_attention_table([])


def test_files_are_named_after_picture_frame_and_face(tmp_path: Path) -> None:
    folder = AttentionFolder(tmp_path / "maps", info().crop)
    image = picture((20, 30, 30), (80, 30, 40))
    faces = tuple(starer().recognize(image))
    for source, frame, timestamp in (("a/x.jpg", 0, 0.0), ("b/x.jpg", 0, 0.0), ("v.mp4", 0, 0.0), ("v.mp4", 12, 0.5)):
        folder.write(RecognizedFrame(source=source, frame=frame, timestamp=timestamp, image=image, faces=faces[:1]))
    folder.write(RecognizedFrame(source="two.jpg", frame=0, timestamp=0.0, image=image, faces=faces))
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "two_face0_attention.png",
        "two_face1_attention.png",
        "v_face0_attention.png",
        "v_frame000012_face0_attention.png",
        "x_2_face0_attention.png",
        "x_face0_attention.png",
    ]
    assert folder.written == 6
    assert read_image(tmp_path / "maps/x_face0_attention.png").shape[2] == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="found a file, expected a folder for the attention maps"):
        AttentionFolder(tmp_path / "file", info().crop)


def test_attention_that_nobody_taught_is_refused() -> None:
    untaught = replace(info(), provenance=about_attention(taught=False))
    with pytest.raises(CheckpointError, match=r"never taught where to look"):
        Recognizer(TorchNetwork(Starer(), untaught, "cpu"), LOOKING, detector=BrightSquares())
    taught = replace(info(), provenance=about_attention(taught=True))
    assert Recognizer(TorchNetwork(Starer(), taught, "cpu"), LOOKING, detector=BrightSquares()).info is taught
