"""Names for pictures made from files: the files' own, with as much of their folders as tells namesakes apart."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from facskit.files import shortened

__all__ = ["distinct_names"]


def distinct_names(files: Sequence[Path]) -> dict[Path, str]:
    """Return what the pictures made from each file are called, without ending.

    Args:
        files: As they are given; each once.

    Returns:
        `interview` for `a/interview.mp4`; `a_interview` and `b_interview` where there is a `b/interview.mp4` too, and
        `face_jpg` and `face_png` where only the endings differ. Which files there are decides, not their order. Names
        leave room for an ending.
    """
    neighbours = Counter((file.absolute().parent, file.stem) for file in files)
    stems = {}
    for file in files:
        alone = neighbours[file.absolute().parent, file.stem] == 1
        stems[file] = file.stem if alone else f"{file.stem}_{file.suffix.lower().lstrip('.')}"
    names = dict(stems)
    for depth in range(1, max((len(file.absolute().parts) for file in files), default=0)):
        times = Counter(names.values())
        for file in files:
            if times[names[file]] > 1:
                folders = file.absolute().parts[1:-1][-depth:]
                names[file] = "_".join([*folders, stems[file]])
    return {file: shortened(name, 200) for file, name in names.items()}
