"""A second process that works in a folder: `python -m tests.folder_holder FOLDER`, until its input ends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facskit.claimed_folder import held

ROOT = Path(__file__).parents[1]


@contextmanager
def another_process_in(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a folder, which is made if need be, until the block ends or the process is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.folder_holder", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def refusal(folder: Path, process: subprocess.Popen[str]) -> str:
    """Return the pattern of the sentence that names the folder, and the other process with its command and time."""
    named = rf"process {process.pid} \(folder_holder.py .*{folder.name}\)"
    return rf"{folder.name} is in use: {named} has worked there since \d{{4}}-\d\d-\d\d \d\d:\d\d UTC"


if __name__ == "__main__":
    with held(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
