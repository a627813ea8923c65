"""facskit: facial action units, from raw corpora and photographs to honest numbers.

The public names load on first use, so that `import facskit` stays quick and touches no deep-learning library.

Example:
    ```python
    import facskit

    result = facskit.recognize("portrait.jpg")
    for face in result.faces:
        print(face.probability("AU12"))
    ```
"""

from importlib import import_module
from typing import TYPE_CHECKING

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.errors import CheckpointError, DatasetError, FacskitError, MediaError, RecipeError
from facskit.version import __version__
from facskit.waiting import spin_briefly

if TYPE_CHECKING:
    from facskit.inference.recognition import Recognition
    from facskit.inference.recognizer import Recognizer, RecognizerConfig
    from facskit.inference.results import Result, VideoResult, recognize

__all__ = [
    "ActionUnit",
    "ActionUnitSet",
    "CheckpointError",
    "DatasetError",
    "FacskitError",
    "MediaError",
    "RecipeError",
    "Recognition",
    "Recognizer",
    "RecognizerConfig",
    "Result",
    "VideoResult",
    "__version__",
    "recognize",
]

spin_briefly()  # before anything below imports PyTorch

_LAZY = {
    "Recognition": "facskit.inference.recognition",
    "Recognizer": "facskit.inference.recognizer",
    "RecognizerConfig": "facskit.inference.recognizer",
    "Result": "facskit.inference.results",
    "VideoResult": "facskit.inference.results",
    "recognize": "facskit.inference.results",
}


def __getattr__(name: str) -> object:
    """Import the names that need heavy libraries when they are first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module 'facskit' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """List the public names, the lazy ones included."""
    return sorted(__all__)
