"""Writing files so that they are never half-written: one place for a rule that every writer in facskit keeps."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["LOCK", "PART_PATTERN", "atomic_path", "is_vacant", "path_text", "shortened", "write_text"]

LOCK = ".lock"
"""What a process holds while it works in a folder; see `facskit.claimed_folder`."""

PART_PATTERN = ".part-*"
"""What unfinished files are called; one that is left behind by a kill may be deleted."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give the name of an unfinished file; when the block ends well, it becomes the file.

    At any moment the old or the new content is there in full, even if the machine stops. The unfinished file lies in
    the same folder, which is made if it is missing, and has the same ending; if the block fails, it is deleted.

    Raises:
        OSError: The folder can't be written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{PART_PATTERN[:-1]}{shortened(path.stem, 200)}-"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def is_vacant(folder: Path) -> bool:
    """Tell whether a folder is missing or holds nothing but a lock and unfinished files that a kill left behind."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(entry.match(PART_PATTERN) or entry.name == LOCK for entry in folder.iterdir())


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file by `atomic_path`."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def shortened(name: str, most: int) -> str:
    """Return a name that leaves room for what is put before and behind it: file systems take 255 bytes in all.

    Args:
        name: A file's name, or the beginning of one.
        most: Bytes it may have; of a longer one the end becomes a mark that tells it from others.
    """
    data = os.fsencode(name)
    if len(data) <= most:
        return name
    mark = "-" + hashlib.sha256(data).hexdigest()[:8]
    return data[: most - len(mark)].decode("utf-8", errors="ignore") + mark


def path_text(path: Path | str) -> str:
    """Return a path as text that can be written anywhere: bytes that aren't UTF-8 become backslash, x and digits."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")
