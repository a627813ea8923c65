"""`facskit.recognize`: everything that holds a picture, every form of the answer, and every line of docs/python.md."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import facskit
from facskit.errors import MediaError
from facskit.faces.images import write_image
from facskit.faces.video import VideoWriter
from facskit.inference import results
from facskit.inference.results import Result, VideoResult, recognize
from tests.faces.portraits import portrait
from tests.inference.fakes import picture, recognizer

BLOCKS = ((10, 20, 30), (80, 40, 60))


@pytest.fixture(autouse=True)
def _fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real" not in request.keywords:
        fake = recognizer()
        monkeypatch.setattr(results, "_recognizer", lambda *_: fake)


def as_png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_everything_that_holds_a_picture_says_the_same(tmp_path: Path) -> None:
    pixels = picture(*BLOCKS)
    path = tmp_path / "a.png"
    path.write_bytes(as_png(pixels))
    with path.open("rb") as file:
        forms = [str(path), path, pixels, Image.open(path), path.read_bytes(), bytearray(path.read_bytes()), file]
        found = recognize(forms)
    assert isinstance(found, Result)
    assert [len(frame.faces) for frame in found] == [2] * 7
    assert [frame.source for frame in found] == [str(path), str(path), "", str(path), "", "", str(path)]
    for frame in found:
        np.testing.assert_array_equal(frame.image, pixels)


def test_batches_and_generators_are_several_pictures() -> None:
    several = [picture(*BLOCKS), picture(), picture((10, 20, 30))]
    for batch in (np.stack(several), tuple(several), (each for each in several), map(np.copy, several)):
        found = recognize(batch)
        assert isinstance(found, Result)
        assert [len(frame.faces) for frame in found] == [2, 0, 1]


def test_whole_numbers_of_every_kind_are_pixels() -> None:
    pixels = picture(*BLOCKS)
    clear = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    forms = [
        pixels.astype(np.int64),
        pixels.astype(np.uint16),
        clear,
        Image.fromarray(clear),
        tensor,
        tensor.permute(1, 2, 0),
    ]
    found = recognize(forms)
    assert isinstance(found, Result)
    for frame in found:
        np.testing.assert_array_equal(frame.image, pixels)
    batch = recognize(torch.stack([tensor, tensor]))
    assert isinstance(batch, Result)
    assert len(batch) == 2
    grey = recognize(pixels[..., :1])
    np.testing.assert_array_equal(grey[0].image, np.repeat(pixels[..., :1], 3, axis=2))  # type: ignore[index]
    clear[..., 3] = 0
    assert (recognize(clear)[0].image == 255).all()  # type: ignore[index]


def test_no_picture_is_no_result() -> None:
    found = recognize([])
    assert isinstance(found, Result)
    assert (len(found), found.faces, repr(found)) == (0, [], "no picture")
    assert found.to_polars().columns == recognize([picture()]).to_polars().columns


@pytest.mark.parametrize("every", [0, True])
def test_every_is_a_whole_number(every: int) -> None:
    with pytest.raises(ValueError, match=f"every must be a whole number of at least 1, got {every}"):
        recognize(picture(), every=every)


def test_an_animation_is_gone_through(tmp_path: Path) -> None:
    path = tmp_path / "wave.gif"
    first, second = (Image.fromarray(picture((10 + step, 20, 30))) for step in range(2))
    first.save(path, save_all=True, append_images=[second], duration=200)
    found = recognize(path)
    assert isinstance(found, VideoResult)
    assert [(frame.frame, frame.timestamp, len(frame.faces)) for frame in found] == [(0, 0.0, 1), (1, 0.2, 1)]


def test_a_pillow_image_is_turned_as_its_camera_says() -> None:
    upright = picture((10, 20, 30))
    turned = Image.fromarray(np.rot90(upright))
    turned.getexif()[0x0112] = 6
    np.testing.assert_array_equal(recognize(turned)[0].image, upright)  # type: ignore[index]


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        (np.zeros((8, 8, 3), np.float32), ValueError, r"array of float32 with shape \(8, 8, 3\).*\(array \* 255\)"),
        (np.zeros((3, 8, 8), np.uint8), ValueError, r"transpose\(1, 2, 0\) puts the colours last"),
        (np.zeros((8, 8, 3), bool), ValueError, "array of bool"),
        (np.full((8, 8, 3), 300), ValueError, "int64 .* values from 300 to 300, expected values from 0 to 255"),
        (np.full((8, 8, 3), 300, np.uint16), ValueError, r"\(array // 257\)"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, r"\(0, 8, 3\), expected at least one pixel"),
        (torch.zeros(3, 8, 8), ValueError, r"array of float32 .*\(array \* 255\)"),
        (7, TypeError, "found an int, expected a path"),
        (None, TypeError, "found None, expected a path"),
        ({"a": 1}, TypeError, "found a dict, expected a path"),
        ([[1, 2]], TypeError, "found a list, expected a path"),
        ("", MediaError, "found an empty path"),
        ("https://example.org/a.jpg", MediaError, "addresses aren't opened"),
        (b"hello", MediaError, "the bytes: found text"),
        (io.StringIO("hello"), TypeError, "opened as text.*mode 'rb'"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(source: object, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        recognize(source)


def test_results_are_tables_and_pictures(tmp_path: Path) -> None:
    write_image(tmp_path / "<b>.png", picture(*BLOCKS))
    found = recognize([tmp_path / "<b>.png", picture()])
    assert isinstance(found, Result)
    assert [face.face_id for face in found.faces] == [0, 1]
    table = found.to_polars()
    assert table["success"].to_list() == [1, 1, 0]
    assert table.columns == list(found.to_pandas().columns)
    assert found.to_pandas()["AU12"].isna().tolist() == [False, False, True]
    assert found.draw().shape[2] == 3
    shown = found._repr_html_()
    assert shown.count("<img") == 2
    assert 'alt="picture 1: no face, framed, with bars for the action units"' in shown
    assert "&lt;b&gt;.png: 2 faces" in shown
    assert "<b>" not in shown
    assert "picture 1: no face" in repr(found)


def test_a_video_is_gone_through(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, fps=10.0) as writer:
        for number in range(6):
            writer.write(picture((10 + number, 20, 30)), number / 10)
    video = recognize(path, every=2)
    assert isinstance(video, VideoResult)
    assert [frame.frame for frame in video] == [0, 2, 4]
    assert video.to_polars()["frame"].to_list() == [0, 2, 4]
    assert len(video.faces) == 3
    with pytest.raises(TypeError, match="found a video among photographs"):
        recognize([path])


def test_threads_share_a_network() -> None:
    pictures = [picture((10 + 5 * number, 20, 30)) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(recognize, pictures))
    for number, result in enumerate(found):
        assert result.faces[0].box[0] == pytest.approx(10 + 5 * number)


@pytest.mark.real
def test_every_line_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path("docs/python.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.jpg", portrait("eileen_collins"))
    write_image(tmp_path / "other.jpg", portrait("grace_hopper"))
    with VideoWriter(tmp_path / "clip.mp4", fps=10.0) as writer:
        for number in range(3):
            writer.write(portrait("eileen_collins"), number / 10)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        exec(block, names)
    assert isinstance(names["result"], facskit.Result)
    assert names["result"].faces[0].probability("AU12") > 0.5
