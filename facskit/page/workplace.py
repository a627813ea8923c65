"""The private folder of a server: uploads and tables, in a place nobody else can read, gone with the server.

A server that was killed can't clean up. The next one on the same machine does, since a folder's name says whose it is.
"""

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["Workplace"]

_PREFIX = "facskit-page-"


class Workplace:
    """A temporary folder, readable by its owner alone."""

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        # mkdtemp makes it with mode 0700.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))

    def new_folder(self, name: str) -> Path:
        """Make a folder of a name that no user chose."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        return folder

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Delete the folders of servers that are no more, as far as they belong to this user."""
    for folder in place.glob(f"{_PREFIX}*"):
        match = re.match(rf"{_PREFIX}(\d+)-", folder.name)
        with suppress(OSError):
            ours = folder.lstat().st_uid == os.getuid() if hasattr(os, "getuid") else True
            if match and ours and not folder.is_symlink() and folder.is_dir() and not _alive(int(match[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
