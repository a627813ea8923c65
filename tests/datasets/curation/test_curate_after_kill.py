"""The real command, killed with SIGKILL in every stage, ends with the bytes of a run left alone."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facskit.datasets.curation.config import CurationConfig
from facskit.datasets.curation.curate import curate
from facskit.errors import FacskitError
from facskit.files import PART_PATTERN
from tests.datasets.curation.test_curate import digests
from tests.datasets.source_builder import face, faces_by_name, write_folder, write_tar, write_zip

ROOT = Path(__file__).parents[2]
STAGES = (
    ("dataset.json", 1),
    (".parts/list-*", 3),
    (".parts/table-*", 4),
    (".parts/.part-images-*", 1),
    (".parts/table-*", 12),
    (".parts/plan.parquet", 1),
    ("shards/*.tar", 2),
    ("shards/faces-*.tar", 7),
    ("contact_sheet.jpg", 1),
)
"""Files, and how many of them are there when the program is killed."""
# Small units, so that a kill meets every stage of the work.
PROGRAM = """
import sys
from pathlib import Path
from facskit.datasets.curation.curate import curate
from facskit.datasets.curation.config import CurationConfig
if __name__ == "__main__":
    config = CurationConfig(size=96, min_side=0, shard_images=9, chunk_images=4)
    curate([Path(word) for word in sys.argv[2:]], Path(sys.argv[1]), config, workers=2)
"""


def _start(program: Path, sources: list[Path], out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, str(program), str(out), *map(str, sources)]
    # A file, for a pipe would stay open as long as the orphaned workers of a killed run.
    with out.with_suffix(".txt").open("wb") as messages:
        return subprocess.Popen(words, cwd=ROOT, stdout=messages, stderr=messages)


def _finish(program: Path, sources: list[Path], out: Path) -> dict[str, str]:
    assert _start(program, sources, out).wait() == 0, out.with_suffix(".txt").read_text()
    return digests(out)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_command_ends_with_the_same_bytes(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    copies = {f"copy/{number}.jpg": face(number, quality=70) for number in range(10, 20)}
    sources = [
        write_folder(tmp_path / "in" / "faces", faces_by_name(0, 40) | copies | {"cut.jpg": face(99)[:500]}),
        write_zip(tmp_path / "in" / "z.zip", faces_by_name(40, 20)),
        write_tar(tmp_path / "in" / "t.tar.gz", faces_by_name(60, 20)),
    ]
    (tmp_path / "out").mkdir()
    expected = _finish(program, sources, tmp_path / "out" / "whole")
    killed, kills = tmp_path / "out" / "killed", 0
    for stage, count in STAGES:
        victim = _start(program, sources, killed)
        while victim.poll() is None and len(list(killed.glob(stage))) < count:
            time.sleep(0.001)
        time.sleep(random.Random(count).uniform(0, 0.01))
        victim.kill()
        kills += victim.wait() != 0
        assert victim.returncode <= 0, killed.with_suffix(".txt").read_text()
    assert kills >= len(STAGES) // 2  # a fast machine may end before the last of them
    assert _finish(program, sources, killed) == expected
    assert not list(killed.rglob(PART_PATTERN))
    assert not (killed / ".parts").exists()


def test_two_processes_do_not_curate_into_one_folder(tmp_path: Path) -> None:
    """The second one, stopped in its tracks by the first that is at work, deletes nothing of it."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    source, out = write_folder(tmp_path / "in", faces_by_name(0, 40)), tmp_path / "out"
    first = _start(program, [source], out)
    while first.poll() is None and not list(out.glob(".parts/list-*")):
        time.sleep(0.001)
    first.send_signal(signal.SIGSTOP)
    try:
        unfinished = out / ".part-report.md"
        unfinished.write_text("the first one's")
        config = CurationConfig(size=96, min_side=0, shard_images=9, chunk_images=4)
        sentence = rf"out is in use: process {first.pid} \(program.py .*\) has worked there since"
        with pytest.raises(FacskitError, match=sentence):
            curate([source], out, config, workers=1)
        assert unfinished.exists()
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait() == 0, out.with_suffix(".txt").read_text()
    assert not list(out.rglob(PART_PATTERN))
