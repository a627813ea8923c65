"""BP4D+ (Zhang et al., CVPR 2016), also called MMSE, as Binghamton University releases it.

```text
AUCoding/AU_OCC/F001_T1.csv             occurrence of T1, T6, T7 and T8; its header names the frame 1, like AU 1
AUCoding/AU_INT/AU06/F001_T1_AU06.csv   intensity: frame,code
2D+3D/F001/T1/000.jpg                   or 2D+3D/F001.zip with the same folders, or F001_T1.mp4
2DFeatures/F001_T1.mat                  49 landmarks per frame
```

F001 here is somebody else than M001, and somebody else than F001 of BP4D.
"""

from pathlib import Path

from facskit.action_units import BP4D_PLUS
from facskit.datasets.corpora.binghamton import Release, read_release
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.index import CorpusIndex

__all__ = ["read_bp4d_plus"]

_RELEASE = Release(
    corpus="bp4d-plus",
    tasks=(1, 6, 7, 8),
    action_units=BP4D_PLUS,
    licence="BP4D+: for non-commercial research under the agreement with Binghamton University; do not pass images on.",
    counts_from_first=True,
)


def read_bp4d_plus(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read BP4D+.

    Published readers disagree about which image belongs to a label. By default image folders that count from 0 are
    taken to be one behind the labels, which count from 1; the findings say what the images support.

    Returns:
        Every usable coded frame, with `AUxx_level` where intensity files are there.
    """
    return read_release(root, decisions, _RELEASE)
