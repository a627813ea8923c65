"""Why curation rejects a file: one short phrase each, the same in tables, reports and code."""

from collections.abc import Mapping
from typing import Literal

__all__ = ["REASONS", "Reason"]

Reason = Literal[
    "no image by its ending",
    "archive inside a source",
    "link to a folder",
    "no regular file",
    "unsafe name",
    "name is no UTF-8",
    "name given twice",
    "can't be read",
    "damaged or no image",
    "aspect ratio",
    "too small",
    "no face",
    "face too small",
    "same pixels",
    "near duplicate",
]
"""A reason as the tables have it."""

REASONS: Mapping[Reason, str] = {
    "no image by its ending": "The file's name doesn't end like an image's.",
    "archive inside a source": "An archive or LMDB inside a source isn't opened; give it as a source of its own.",
    "link to a folder": "A link to a folder isn't followed; give that folder as a source of its own.",
    "no regular file": "A link, a device or the like inside an archive.",
    "unsafe name": "The name leads out of its source (an absolute path, or `..`).",
    "name is no UTF-8": "The name can't be written into a table.",
    "name given twice": "An archive has an earlier entry of the same name.",
    "can't be read": "The file system or the archive doesn't give the bytes; the detail says why.",
    "damaged or no image": "The bytes can't be decoded to the end; the detail says what was found.",
    "aspect ratio": "The longer side is more than `max_aspect` times the shorter one.",
    "too small": "The shorter side has less than `min_side` pixels.",
    "no face": "The detector found no face to crop to.",
    "face too small": "The longer side of the largest face has less than `min_face` pixels.",
    "same pixels": "An earlier image has the same pixels; `duplicate_of` names it.",
    "near duplicate": "An earlier image looks the same by `near_duplicates`; `duplicate_of` names it.",
}
"""What each reason means, in the order in which images meet them."""
