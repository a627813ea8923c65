"""Counts of the corpora's and papers' subjects and frames: what a complete copy must add up to.

Sources: the lists in the public code of ME-GraphAU (all coded frames) and JAA-Net (frames with landmarks, used by CIU),
and the counts that FMAE-IAT's code states.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from facskit.columns import SUBJECT
from facskit.datasets.corpora.decisions import CorpusName, Decisions, PaperName
from facskit.datasets.corpora.reading.import_log import ImportLog

__all__ = ["DISFA_FRAMES", "LANDMARK_FRAMES", "PAPER_FRAMES", "PUBLISHED_COUNTS", "check_counts", "expected_counts"]

PUBLISHED_COUNTS: Mapping[str, Mapping[str, int]] = {
    "bp4d": {
        "subjects": 41,
        "recordings": 328,
        "coded frames": 146_847,
        "coded frames in fold 1": 50_631,
        "coded frames in fold 2": 50_182,
        "coded frames in fold 3": 46_034,
    },
    "bp4d-plus": {"subjects": 140, "recordings": 560, "coded frames": 197_756},
    "disfa": {
        "subjects": 27,
        "recordings": 27,
        "coded frames": 130_814,
        "coded frames in fold 1": 43_604,
        "coded frames in fold 2": 43_605,
        "coded frames in fold 3": 43_605,
    },
    "disfa-plus": {"subjects": 9, "coded frames": 57_668},
}
"""Counts of complete releases. Folds are numbered by the part they test, as JAA-Net and FMAE-IAT do."""

PAPER_FRAMES: Mapping[tuple[PaperName, CorpusName], int] = {
    ("fmae-iat", "bp4d"): 146_654,
    ("fmae-iat", "bp4d-plus"): 197_629,
    ("fmae-iat", "disfa"): 130_809,
    ("ciu", "bp4d"): 146_576,
    ("ciu", "disfa"): 126_144,
    ("me-graphau", "bp4d"): 146_847,
    ("me-graphau", "disfa"): 130_814,
}
"""Frames in papers' own lists; FMAE-IAT's lack the frames its face detector missed, CIU's those without landmarks."""

DISFA_FRAMES: Mapping[str, int] = {"SN010": 4_844}
"""Subjects of DISFA with another number of coded frames than the usual one."""
DISFA_USUAL_FRAMES = 4_845

LANDMARK_FRAMES: Mapping[str, Mapping[str, int]] = {
    "bp4d": {
        "F001": 3934, "F002": 3937, "F003": 3700, "F004": 3737, "F005": 3915, "F006": 3576, "F007": 3573, "F008": 3695,
        "F009": 3297, "F010": 3266, "F011": 3732, "F012": 3543, "F013": 3434, "F014": 3490, "F015": 3451, "F016": 3510,
        "F017": 3692, "F018": 3525, "F019": 3489, "F020": 3646, "F021": 3442, "F022": 3593, "F023": 3696, "M001": 4153,
        "M002": 3833, "M003": 3301, "M004": 3521, "M005": 3271, "M006": 3572, "M007": 3684, "M008": 3291, "M009": 3279,
        "M010": 3282, "M011": 3469, "M012": 3609, "M013": 3613, "M014": 3483, "M015": 3664, "M016": 3648, "M017": 3542,
        "M018": 3488,
    },
    "disfa": {
        "SN001": 4768, "SN002": 4818, "SN003": 4845, "SN004": 4830, "SN005": 4845, "SN006": 4788, "SN007": 4845,
        "SN008": 4845, "SN009": 4737, "SN010": 4844, "SN011": 4824, "SN012": 4845, "SN013": 4845, "SN016": 4845,
        "SN017": 4845, "SN018": 4845, "SN021": 1793, "SN023": 4423, "SN024": 4845, "SN025": 4758, "SN026": 4845,
        "SN027": 4763, "SN028": 4714, "SN029": 4391, "SN030": 4708, "SN031": 4845, "SN032": 4845,
    },
}  # fmt: skip
"""Frames of each subject in JAA-Net's lists: those with landmarks. They add up to the papers' totals."""


def expected_counts(corpus: str, decisions: Decisions) -> dict[str, int]:
    """Return the published counts to compare a complete copy with.

    Args:
        decisions: With `frames` set to landmarks, the count of those frames is among them; with a paper's choices,
            the count of the paper's own list.
    """
    counts = dict(PUBLISHED_COUNTS.get(corpus, {}))
    if decisions.frames == "landmarks" and corpus in LANDMARK_FRAMES:
        counts["frames with landmarks"] = sum(LANDMARK_FRAMES[corpus].values())
    for (paper, used), frames in PAPER_FRAMES.items():
        if used == corpus and replace(decisions, on_error="stop") == Decisions.as_paper(paper, used):
            counts[f"frames in the list of {paper}"] = frames
    return counts


def check_counts(
    corpus: CorpusName, coded: pl.DataFrame, with_landmarks: pl.DataFrame | None, notes: ImportLog
) -> None:
    """Compare a copy with what was published: nothing for a perfect one, one finding for each kind of difference.

    Args:
        with_landmarks: The frames with landmarks, if only these are wanted.
    """
    published = PUBLISHED_COUNTS[corpus]
    subjects = coded[SUBJECT].n_unique()
    if subjects != published["subjects"]:
        notes.note("labels", f"found {subjects} of the {published['subjects']} subjects of {corpus}")
    elif coded.height != published["coded frames"]:
        notes.warning(
            "labels",
            f"{coded.height:,} coded frames of all {subjects} subjects, published are {published['coded frames']:,}; "
            "compare your copy with the release",
        )
    if corpus == "disfa":
        usual = {str(name): DISFA_FRAMES.get(str(name), DISFA_USUAL_FRAMES) for name in coded[SUBJECT].unique()}
        _compare(coded, usual, "coded frames", notes)
    if with_landmarks is not None and corpus in LANDMARK_FRAMES:
        _compare(with_landmarks, LANDMARK_FRAMES[corpus], "frames with landmarks", notes)


def _compare(table: pl.DataFrame, published: Mapping[str, int], what: str, notes: ImportLog) -> None:
    """Name the subjects whose counts differ."""
    counts = {str(name): int(count) for name, count in table[SUBJECT].value_counts().iter_rows() if name in published}
    wrong = sorted(name for name, count in counts.items() if count != published[name])
    if wrong:
        examples = ", ".join(f"{name} has {counts[name]:,}, published are {published[name]:,}" for name in wrong[:3])
        tell = notes.note if len(wrong) == len(counts) else notes.warning  # a copy that was cut short on purpose
        sentence = f"{len(wrong)} of {len(counts)} subjects have another number of {what} than published: {examples}"
        tell("labels", sentence)
