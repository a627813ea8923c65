"""Small, complete copies of the AU corpora's folders, made of rendered faces: to try things without a licence.

A generated folder has the layout, the file formats and the oddities of the release, so that what reads it reads the
real one.
"""

import tempfile
from pathlib import Path

from facskit.datasets.corpora.decisions import CorpusName
from facskit.datasets.corpora.example_trees.binghamton_trees import write_bp4d, write_bp4d_plus
from facskit.datasets.corpora.example_trees.disfa_trees import write_disfa, write_disfa_plus
from facskit.datasets.corpora.example_trees.tree_cast import Cast, TreePlan
from facskit.datasets.corpora.reading.published_counts import PUBLISHED_COUNTS
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError
from facskit.files import PART_PATTERN, is_vacant

__all__ = ["write_au_tree"]


_WRITERS = {"bp4d": write_bp4d, "bp4d-plus": write_bp4d_plus, "disfa": write_disfa, "disfa-plus": write_disfa_plus}


def write_au_tree(
    corpus: CorpusName,
    out: Path,
    faces: Manifest | None = None,
    *,
    subjects: int = 6,
    frames: int = 8,
    quirks: bool = True,
) -> Path:
    """Write a small corpus in the layout of its release; the folder appears complete or not at all.

    The subjects are those of the published folds in turn, so that few of them fill every fold. Codes are the faces' own
    labels; columns of AUs that rendered faces don't show have the code 9. With quirks there is:

    - BP4D: coded frames are 2 to frames + 1, with a picture more on either side. F001's tables begin with a byte order
      mark, have CRLF line ends and empty lines at the end; the second subject's have named columns; the third's lack
      AU 23 (code 9) in every fourth frame. Image names have 4, 3 or as few digits as needed, in turn. Two frames of
      F001/T1 have no landmarks; the second subject's T2 has them in the older MATLAB format. The last of four or more
      subjects is a raw video per task, such as `2F02_01.avi`.
    - BP4D+: tables call both the frame and AU 1 `1`; images count from 0, labels from 1; 3 or 4 digits in turn. F042
      is a zip archive with the uncoded task T11 beside the others; the last of four or more subjects is videos; the
      third has code 9 as above; there are physiological data.
    - DISFA: a video per camera, the right one mirrored, but SN003 as images from `0.png`. SN010 has a frame less than
      the others; SN031's landmark files count from 1, and the third is missing.
    - DISFA+: comment lines in the labels.

    Args:
        out: The folder to make; it must not exist or be empty.
        faces: Labelled faces to use; by default those that come with facskit.
        subjects: How many people, at most as many as the release and the faces have.
        frames: Coded frames of each recording.

    Raises:
        DatasetError: There is something in the folder, the corpus has no AUs, or there are too few faces.
    """
    if corpus not in _WRITERS:
        raise DatasetError(f"{corpus} isn't a corpus of action units; expected one of {', '.join(_WRITERS)}")
    out = Path(out)
    if not is_vacant(out):
        raise DatasetError(f"{out}: found something there already, expected a folder that is missing or empty")
    cast = Cast(faces=packaged_faces() if faces is None else faces)
    plan = TreePlan(subjects=subjects, frames=frames, quirks=quirks)
    needed = min(subjects, PUBLISHED_COUNTS[corpus]["subjects"])
    if cast.people < needed:
        raise DatasetError(f"{cast.faces.name}: found {cast.people} people, expected {needed}, one for each subject")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=PART_PATTERN[:-1]) as part:
        made = Path(part) / out.name
        _WRITERS[corpus](made, cast, plan)
        if out.exists():
            for leftover in out.iterdir():
                leftover.unlink()
            out.rmdir()
        made.rename(out)
    return out
