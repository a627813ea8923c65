"""What a file or folder is: the check that is for it."""

from pathlib import Path

from facskit.datasets.corpora.decisions import SPELLED
from facskit.datasets.corpora.reading.import_log import some_of
from facskit.datasets.findings import Finding, counted, sentence_of
from facskit.datasets.table_files import SUFFIXES
from facskit.doctor.checkup import Checkup, quoted
from facskit.doctor.corpora import check_corpus, find_corpora
from facskit.doctor.folders import check_made_folder, made_by
from facskit.doctor.lists import check_list, check_lists_in, check_table
from facskit.doctor.manifests import check_manifest
from facskit.doctor.runs import check_run, check_weights, is_run
from facskit.errors import FacskitError
from facskit.faces.media_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["look_at"]

_INSIDE = {"images", "shards", ".parts"}
_EXPECTED = (
    "a corpus as it is released: " + ", ".join(SPELLED.values()) + " (facskit example-tree bp4d FOLDER shows one)",
    "a manifest: a .parquet, .csv or .jsonl table with the columns image, subject, and AU01 ... or expression",
    "a folder made by facskit prepare, curate, synthesize, train, cross-validate or pretrain",
    "a weight file (.safetensors), or label lists of JAA-Net, ME-GraphAU or FMAE-IAT",
    "result tables of facskit recognize, OpenFace, py-feat or LibreFace, or pictures and videos",
)


def look_at(path: Path, *, every_picture: bool = False) -> list[Checkup]:
    """Find out what something is and check it; several where a folder holds several corpora."""
    if not path.exists():
        sentence = "there is no such file or folder; look at its spelling, and whether the disk is mounted"
        finding = Finding(severity="error", place=str(path), sentence=sentence)
        return [Checkup(kind="nothing", what="nothing is there", place=path, findings=(finding,))]
    try:
        return _look_in(path, every_picture) if path.is_dir() else [_look_at_file(path, every_picture)]
    except FacskitError as error:
        return [_nothing(path, sentence_of(error, path))]
    except OSError as error:
        sentence = f"can't be read ({(error.strerror or str(error)).lower()}); look at its permissions"
        return [_nothing(path, sentence, place=error.filename or path)]


def _look_in(path: Path, every_picture: bool) -> list[Checkup]:
    for folder in (path, *list(path.resolve().parents)[:3]):
        command = made_by(folder)
        if command is not None and (folder == path or path.name in _INSIDE):
            return [check_made_folder(folder, command, every_picture=every_picture)]
    if is_run(path):
        return [check_run(path)]
    if (path / "manifest.parquet").is_file():
        return [check_manifest(path / "manifest.parquet", every_picture=every_picture)]
    for name in ("results.md", "describe.md"):
        if (path / name).is_file():
            step = f"less {quoted(path / name)}"
            return [Checkup(kind="results", what="results that facskit wrote", place=path, steps=(step,))]
    corpora = [check_corpus(name, folder, every_picture=every_picture) for name, folder in find_corpora(path)]
    return check_lists_in(path) or corpora or [_other_folder(path)]


def _look_at_file(path: Path, every_picture: bool) -> Checkup:
    command = made_by(path.parent)
    if command is not None and path.name in {"dataset.json", "index.parquet"}:
        return check_made_folder(path.parent, command, every_picture=every_picture)
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return check_weights(path)
    known = check_list(path) or check_table(path)
    if known is None and suffix in SUFFIXES:
        return check_manifest(path, every_picture=every_picture)
    return known or _other_file(path)


def _other_file(path: Path) -> Checkup:
    """Say what can be done with files that aren't data sets."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        step = f"facskit recognize {quoted(path)} -o result.csv"
        return Checkup(kind="picture", what="a picture or video", place=path, steps=(step,))
    if suffix in {".pth", ".pt"}:
        what = "a file of PyTorch, perhaps published weights"
        return Checkup(kind="weights", what=what, place=path, steps=(f"facskit weights import {quoted(path)}",))
    if suffix in {".yaml", ".yml"}:
        step = f"facskit train {quoted(path)} --out runs/{quoted(Path(path.stem))}"
        return Checkup(kind="recipe", what="a recipe, by its name", place=path, steps=(step,))
    if suffix in {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}:
        sentence = "this is an archive; unpack it first (facskit curate takes .zip and .tar of images as they are)"
        finding = Finding(severity="error", place=str(path), sentence=sentence)
        return Checkup(kind="nothing", what="an archive", place=path, findings=(finding,))
    return _nothing(path, "this is no file that facskit reads")


def _other_folder(path: Path) -> Checkup:
    """Say what can be done with a folder of pictures or videos."""
    entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    if not entries:
        return _nothing(path, "the folder is empty; if a copy was to be here, it didn't start")
    pictures = sum(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    videos = sum(entry.suffix.lower() in VIDEO_SUFFIXES for entry in entries)
    if not pictures and not videos:
        names = some_of((entry.name + "/" * entry.is_dir() for entry in entries), 5)
        return _nothing(path, f"found {names}, which facskit doesn't know")
    held = " and ".join(counted(number, noun) for number, noun in ((pictures, "picture"), (videos, "video")) if number)
    found = Finding(severity="note", place=str(path), sentence=f"{held} without labels")
    checkup = Checkup(
        kind="pictures" if pictures else "videos", what=f"a folder of {held}", place=path, findings=(found,)
    )
    steps = [f"facskit recognize {quoted(path)} -o result.csv"]
    if pictures:  # curation takes faces from pictures, not from videos
        steps.append(f"facskit curate {quoted(path)} -o curated")
    return checkup.adding(steps=steps)


def _nothing(path: Path, sentence: str, place: str | Path | None = None) -> Checkup:
    finding = Finding(severity="error", place=str(place or path), sentence=sentence)
    return Checkup(kind="nothing", what="nothing facskit knows", place=path, facts=_EXPECTED, findings=(finding,))
