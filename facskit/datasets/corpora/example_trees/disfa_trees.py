"""Generated folders of DISFA and DISFA+, with the oddities of the releases."""

from pathlib import Path

from facskit.action_units import DISFA_12, ActionUnit
from facskit.datasets.corpora.example_trees.tree_cast import Cast, Take, TreePlan, round_robin
from facskit.datasets.corpora.example_trees.tree_files import write_code_list, write_point_file
from facskit.datasets.folds import published_parts

__all__ = ["write_disfa", "write_disfa_plus"]

_ODD = ("SN001", "SN006", "SN003", "SN010", "SN031")
_PLUS_PEOPLE = ("SN001", "SN003", "SN004", "SN007", "SN009", "SN010", "SN013", "SN025", "SN027")
_TRIALS = ("A1_AU1_TrailNo_1", "Y1_Happy_TrailNo_1")


def write_disfa(root: Path, cast: Cast, plan: TreePlan) -> None:
    """Write a small DISFA; labels count from 1, landmark files and extracted images from 0."""
    for index, name in enumerate(round_robin(published_parts("disfa"), plan.subjects, first=_ODD)):
        take = cast.take(index, 0, plan.frames)
        coded = plan.frames - 1 if plan.quirks and name == "SN010" else plan.frames
        for unit in DISFA_12:
            file = root / "ActionUnit_Labels" / name / f"{name}_au{unit.number}.txt"
            write_code_list(file, range(1, coded + 1), _levels(take, unit)[:coded])
        if plan.quirks and name == "SN003":
            for frame in range(len(take)):
                take.write_image(frame, root / name / f"{frame}.png")
        else:
            for side in ("Left", "Right"):
                video = root / f"Video_{side}Camera" / f"{side}Video{name}_comp.avi"
                take.write_video(video, mirrored=side == "Right")
        odd = plan.quirks and name == "SN031"
        for frame in range(len(take)):
            if not (odd and frame == 2):
                points = f"l{frame + 1:05d}_lm.mat" if odd else f"{name}_{frame:04d}_lm.mat"
                write_point_file(root / "Landmark_Points" / name / "tmp_frame_lm" / points, take.landmarks(frame))


def write_disfa_plus(root: Path, cast: Cast, plan: TreePlan) -> None:
    """Write a small DISFA+ of at most nine people, two trials each."""
    for index, name in enumerate(_PLUS_PEOPLE[: plan.subjects]):
        for turn, trial in enumerate(_TRIALS):
            take = cast.take(index, turn * plan.frames, plan.frames)
            images = [f"{frame:03d}.jpg" for frame in range(len(take))]
            for frame, image in enumerate(images):
                take.write_image(frame, root / "Images" / name / trial / image)
            for unit in DISFA_12:
                file = root / "Labels" / name / trial / f"AU{unit.number}.txt"
                write_code_list(file, images, _levels(take, unit), separator=" ")
                if plan.quirks:
                    comment = f"# {unit.code} of {name}, intensity 0 to 5\n#\n"
                    file.write_text(comment + file.read_text(encoding="utf-8"), encoding="utf-8")


def _levels(take: Take, unit: ActionUnit) -> list[int]:
    """Return intensities; these corpora have no code for what can't be coded."""
    return [value or 0 for value in take.levels(unit)]
