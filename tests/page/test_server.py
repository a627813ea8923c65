"""The page's server: what it takes, what it says, and what it leaves behind."""

import asyncio
import io
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from PIL import Image

from facskit.faces.video import VideoWriter
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer
from facskit.interfaces.serve import ServeConfig, _hosts, _in_address
from facskit.page.app import build_app
from facskit.page.jobs import Job, Jobs
from facskit.page.limits import Limits
from facskit.page.workplace import Workplace
from tests.inference.fakes import picture, recognizer

FACES = ((10, 20, 30), (80, 40, 60))
SMALL = Limits(max_megabytes=0.5, max_megapixels=0.05, max_minutes=0.05, queue=1)


@pytest.fixture(autouse=True)
def _private_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serving(recognizer(), SMALL) as opened:
        yield opened


def serving(faces: Recognizer, limits: Limits) -> TestClient:
    return TestClient(build_app(faces, limits, ["localhost"]), base_url="http://localhost:8321")


def photograph(*blocks: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(*blocks)).save(buffer, format="PNG")
    return buffer.getvalue()


def video(path: Path, frames: int, size: int = 100) -> bytes:
    with VideoWriter(path, fps=10.0) as writer:
        for number in range(frames):
            writer.write(picture((10 + number, 20, 30), height=size, width=2 * size), number / 10)
    return path.read_bytes()


def finished(client: TestClient, body: bytes, name: str = "it") -> dict[str, Any]:
    job: dict[str, Any] = client.post("/api/jobs", params={"name": name}, content=body).json()
    for _ in range(400):
        if job["state"] in {"done", "failed"}:
            return job
        time.sleep(0.02)
        job = client.get(f"/api/jobs/{job['id']}").json()
    raise AssertionError(job)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never was so")


def test_a_photograph_comes_back_as_faces_and_tables(client: TestClient) -> None:
    job = finished(client, photograph(*FACES), "my photo.png")
    assert (job["kind"], job["state"], job["message"]) == ("photograph", "done", "")
    (moment,) = client.get(f"/api/jobs/{job['id']}/result").json()["moments"]
    assert (moment["width"], moment["height"]) == (200, 120)
    assert [round(face["box"][0]) for face in moment["faces"]] == [80, 10]
    assert len(moment["faces"][0]["probabilities"]) == len(client.get("/api/about").json()["units"]) == 8
    table = client.get(f"/api/jobs/{job['id']}/table")
    assert "attachment" in table.headers["content-disposition"]
    assert table.text.splitlines()[1].startswith("my photo.png,0,0,")
    for dialect, first in (("openface", "frame,face_id"), ("pyfeat", "FaceRectX"), ("libreface", "frame_idx")):
        assert client.get(f"/api/jobs/{job['id']}/table", params={"dialect": dialect}).text.startswith(first)
    assert client.get(f"/api/jobs/{job['id']}/table", params={"dialect": "other"}).status_code == 422


def test_a_video_comes_back_frame_by_frame(client: TestClient, tmp_path: Path) -> None:
    job = finished(client, video(tmp_path / "clip.mp4", 12))
    assert (job["kind"], job["state"], job["done"], job["total"]) == ("video", "done", 12, 12)
    moments = client.get(f"/api/jobs/{job['id']}/result").json()["moments"]
    assert [moment["time"] for moment in moments] == pytest.approx([number / 10 for number in range(12)], abs=1e-3)
    assert {face["id"] for moment in moments for face in moment["faces"]} == {0}
    assert client.get(f"/api/jobs/{job['id']}/table").text.count("\n") == 13


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"hello", "odd.txt: found neither a photograph nor a video"),
        # a list of other files, which a decoder would follow
        (b"#EXTM3U\n#EXTINF:1,\nhttp://example.org/a.ts\n", "odd.txt: found neither a photograph nor a video"),
        (b"", "The file is empty."),
        (b"\0" * 600_000, "The file has more than 0.5 MB, which is what this server takes."),
    ],
)
def test_what_is_neither_is_refused_in_a_sentence(client: TestClient, body: bytes, sentence: str) -> None:
    answer = client.post("/api/jobs", params={"name": "odd.txt"}, content=body)
    assert answer.status_code in {400, 413, 422}
    assert answer.json()["detail"] == sentence


def test_a_damaged_file_is_called_by_its_own_name(client: TestClient) -> None:
    job = finished(client, photograph(*FACES)[:300], "broken.png")
    assert job["state"] == "failed"
    assert job["message"] == "broken.png: found a damaged or cut-short PNG file, expected a complete one"
    assert client.get(f"/api/jobs/{job['id']}/result").status_code == 409


def test_pixels_and_length_have_limits(client: TestClient, tmp_path: Path) -> None:
    large = io.BytesIO()
    Image.new("RGB", (400, 300)).save(large, format="PNG")
    assert "400 x 300 pixels, expected at most 0.05 megapixels" in finished(client, large.getvalue())["message"]
    long = finished(client, video(tmp_path / "a.mp4", 60))["message"]
    assert long == "it: found a video of 0.1 minutes, expected at most 0.05"
    wide = finished(client, video(tmp_path / "b.mp4", 3, size=200))["message"]
    assert wide == "it: found frames of 400 x 200 pixels, expected at most 0.05 megapixels"


def test_pixels_are_counted_before_anything_is_unpacked(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    large = io.BytesIO()
    Image.new("RGB", (400, 300)).save(large, format="PNG")
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was unpacked"))
    expected = "400 x 300 pixels, expected at most 0.05 megapixels"
    assert expected in finished(client, large.getvalue())["message"]
    answer = client.post("/api/frame", content=large.getvalue())
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"the picture: found a picture of {expected}"


def test_old_results_make_room_and_say_so(tmp_path: Path) -> None:
    with serving(recognizer(), Limits(max_kept_megabytes=0.009)) as client:
        jobs = [finished(client, photograph(*FACES), f"{number}.png") for number in range(4)]
        wait_until(lambda: client.get(f"/api/jobs/{jobs[1]['id']}").status_code == 410)
        asked = [client.get(f"/api/jobs/{job['id']}/result") for job in jobs]
        assert [answer.status_code for answer in asked] == [410, 410, 200, 200]
        assert asked[0].json()["detail"] == (
            "The results of 0.png are gone: they made room for later ones. Choose the file again."
        )
        wait_until(lambda: len(list(tmp_path.glob("facskit-page-*/*"))) == 2)  # files go after the job does
        assert client.delete(f"/api/jobs/{jobs[3]['id']}").status_code == 204
        assert client.get(f"/api/jobs/{jobs[3]['id']}").status_code == 404


def test_the_latest_result_is_kept_however_large() -> None:
    with serving(recognizer(), Limits(max_kept_megabytes=1e-6)) as client:
        job = finished(client, photograph(*FACES))
        assert client.get(f"/api/jobs/{job['id']}/result").status_code == 200


def test_results_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(recognizer(), SMALL) as client:
        job = finished(client, photograph(*FACES), "a.png")
        ended = time.monotonic()
        monkeypatch.setattr("facskit.page.jobs.time.monotonic", lambda: ended + 31 * 60)
        client.post("/api/jobs", content=b"x")
        answer = client.get(f"/api/jobs/{job['id']}")
        assert answer.status_code == 410
        assert "results are kept for 30 minutes" in answer.json()["detail"]


def test_an_animated_picture_is_a_video(client: TestClient) -> None:
    first, second = (Image.fromarray(picture((10 + step, 20, 30))) for step in range(2))
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=[second], duration=200)
    job = finished(client, buffer.getvalue())
    assert (job["kind"], job["state"], job["done"], job["total"]) == ("video", "done", 2, 2)
    moments = client.get(f"/api/jobs/{job['id']}/result").json()["moments"]
    assert [moment["time"] for moment in moments] == [0.0, 0.2]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "lab.example.org", "fd00::7"])
def test_the_server_answers_to_its_names(host: str) -> None:
    names = _hosts(ServeConfig(host=host))
    address = f"http://{_in_address(host)}:8321"
    with TestClient(build_app(recognizer(), SMALL, names), base_url=address) as client:
        assert client.get("/api/about", headers={"origin": address}).status_code == 200
        assert client.get("/api/about", headers={"host": "[2001:db8::1]:8321"}).status_code == 400
        assert client.get("/api/about", headers={"host": "[::1]:8321"}).status_code == 200


def test_a_full_queue_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = recognizer()
    look = faces.recognize_file

    def slow(path: Path) -> Iterator[RecognizedFrame]:
        time.sleep(0.5)
        return look(path)

    monkeypatch.setattr(faces, "recognize_file", slow)
    with serving(faces, SMALL) as client:
        first = client.post("/api/jobs", content=photograph()).json()
        second = client.post("/api/jobs", content=photograph()).json()
        assert client.get(f"/api/jobs/{second['id']}").json()["ahead"] == 1
        third = client.post("/api/jobs", content=photograph())
        assert third.status_code == 429
        assert third.json()["detail"].endswith("try again later.")
        assert client.delete(f"/api/jobs/{first['id']}").status_code == 204


def test_a_webcams_picture_is_answered_at_once_and_not_kept(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/api/frame", content=photograph(*FACES)).json()
    assert [face["id"] for face in answer["faces"]] == [0, 1]
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with serving(recognizer(), SMALL) as client:
        (folder,) = tmp_path.glob("facskit-page-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        job = finished(client, photograph(*FACES), "../../etc/passwd.png")
        names = {file.name for file in folder.rglob("*") if file.is_file()}
        assert names == {f"{dialect}.csv" for dialect in ("facskit", "openface", "pyfeat", "libreface")}
        assert client.get(f"/api/jobs/{job['id']}/table").text.splitlines()[1].startswith("etc_passwd.png,")
        assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
        assert client.get(f"/api/jobs/{job['id']}").status_code == 404
        assert not any(folder.iterdir())
        finished(client, photograph(*FACES))
    assert not list(tmp_path.glob("facskit-page-*"))


def test_a_killed_servers_folder_is_swept(tmp_path: Path) -> None:
    (tmp_path / "facskit-page-999999999-abc").mkdir()
    alive = tmp_path / f"facskit-page-{os.getpid()}-abc"
    alive.mkdir()
    workplace = Workplace()
    assert {folder.name for folder in tmp_path.glob("facskit-page-*")} == {alive.name, workplace.folder.name}
    workplace.close()
    assert not workplace.folder.exists()


def test_only_our_own_page_is_answered(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/api/jobs", content=b"x", headers=headers).status_code == 403
    assert client.get("/api/about", headers={"origin": "http://localhost:8321"}).status_code == 200


def test_no_file_and_no_page_names_another_place(client: TestClient) -> None:
    for path in ("/", "/page.css", "/page.js"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "//" not in answer.text.replace("// ", "").replace("http-equiv", "")
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    described = client.get("/openapi.json").json()
    assert {"/api/jobs", "/api/frame", "/api/jobs/{identity}/table"} <= set(described["paths"])
    body = described["paths"]["/api/jobs"]["post"]["requestBody"]["content"]
    assert body["application/octet-stream"]["schema"]["format"] == "binary"


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="max_minutes must be above 0"):
        Limits(max_minutes=0.0)
    with pytest.raises(ValueError, match="queue must be at least 1"):
        Limits(queue=0)


def test_an_unforeseen_fault_ends_one_upload_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = recognizer()
    with serving(faces, SMALL) as client:
        monkeypatch.setattr(faces, "recognize_file", lambda *_: (_ for _ in ()).throw(np.linalg.LinAlgError("no")))
        assert "unforeseen went wrong (LinAlgError)" in finished(client, photograph(), "a.png")["message"]
        monkeypatch.undo()
        assert finished(client, photograph())["state"] == "done"


def test_deleting_at_the_moment_the_work_ends_leaves_the_server_working(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Jobs._recognize

    def removed_at_the_end(jobs: Jobs, job: Job) -> None:
        ended(jobs, job)
        # What remove() does when it sees the job as done just before the worker does.
        job.cancelled = True
        shutil.rmtree(job.folder)

    with serving(recognizer(), SMALL) as client:
        monkeypatch.setattr(Jobs, "_recognize", removed_at_the_end)
        finished(client, photograph())
        monkeypatch.undo()
        assert finished(client, photograph())["state"] == "done"


def test_whoever_sends_nothing_keeps_no_place(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_: Request) -> AsyncIterator[bytes]:
        yield b"\xff\xd8\xff"
        await asyncio.sleep(60)

    monkeypatch.setattr("facskit.page.app._PATIENCE", 0.05)
    monkeypatch.setattr(Request, "stream", silent)
    for _ in range(3):
        answer = client.post("/api/jobs", content=b"x")
        assert answer.status_code == 408
        assert answer.json()["detail"] == "Nothing more of the file came for 0.05 seconds."
