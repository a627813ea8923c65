"""The errors facskit raises on purpose, as one tree.

```text
FacskitError            anything a person can act on; the command line prints it as one sentence and exits with 1
├── RecipeError         a recipe file or an option on the command line
├── DatasetError        a manifest, its labels, its folds or the files it points to
├── CheckpointError     a weight file
└── MediaError          a photograph or a video
```

Programming mistakes raise `ValueError` or `TypeError` as usual.
"""

__all__ = ["CheckpointError", "DatasetError", "FacskitError", "MediaError", "RecipeError"]


class FacskitError(Exception):
    """Base of every error a user can act on; its message is one sentence that needs no traceback."""


class RecipeError(FacskitError):
    """A recipe or an option is wrong; the message names the key, what was found and what was expected."""


class DatasetError(FacskitError):
    """A manifest or the data behind it is wrong; the message names the file, row and column."""


class CheckpointError(FacskitError):
    """A weight file is missing, damaged, or does not fit; the message names the file and the key."""


class MediaError(FacskitError):
    """A photograph or video can't be read; the message names the file and what is wrong with it."""
