"""BP4D (Zhang et al., Image and Vision Computing 2014) as Binghamton University releases it.

```text
AUCoding/AU_OCC/F001_T1.csv             occurrence: one table per subject and task, T1 to T8
AUCoding/AU_INT/AU06/F001_T1_AU06.csv   intensity 0 to 5 of AU 6, 10, 12, 14 and 17: frame,code
Sequences(2D+3D)/F001/T1/2440.jpg       or 2D+3D/, Sequences_2D+3D/, BP4D-training/, or folders like 2F01_T1/
2F01_01.avi                             or F001_T1.avi, .mp4: frame k is the k-th decoded frame
2DFeatures/F001_T1.mat                  49 landmarks per frame
```
"""

from pathlib import Path

from facskit.action_units import BP4D
from facskit.datasets.corpora.binghamton import Release, read_release
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.index import CorpusIndex

__all__ = ["read_bp4d"]

_RELEASE = Release(
    corpus="bp4d",
    tasks=tuple(range(1, 9)),
    action_units=BP4D,
    licence="BP4D: for non-commercial research under the agreement with Binghamton University; do not pass images on.",
)


def read_bp4d(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read BP4D from its folder, the one above it, or its `AUCoding`.

    By default a label's frame number is the image's number.

    Returns:
        Every usable coded frame, with `AUxx_level` where intensity files are there.
    """
    return read_release(root, decisions, _RELEASE)
