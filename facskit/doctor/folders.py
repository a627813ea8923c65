"""A look at a folder that facskit made: prepared, curated or rendered faces, finished or not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import polars as pl

from facskit.datasets.corpora.reading.import_log import some_of
from facskit.datasets.findings import Finding, counted
from facskit.doctor.checkup import Checkup, quoted
from facskit.doctor.manifests import check_manifest
from facskit.doctor.pictures import with_pictures
from facskit.faces.images import decode_image
from facskit.files import PART_PATTERN

__all__ = ["MadeBy", "check_made_folder", "leftovers", "made_by"]

MadeBy = Literal["prepare", "curate", "synthesize"]
_PARTS = ".parts"
_KINDS = {"prepare": "prepared", "curate": "curated", "synthesize": "rendered"}
_STAMPS: dict[str, MadeBy] = {"faces curated by facskit": "curate", "faces rendered by facskit": "synthesize"}
"""What `kind` is in the `dataset.json` of the commands; `prepare` has none and names its corpus."""
_WHAT = {
    "prepare": "a corpus prepared by facskit prepare",
    "curate": "faces curated by facskit curate",
    "synthesize": "faces rendered by facskit synthesize",
}


def made_by(folder: Path) -> MadeBy | None:
    """Tell which command made a folder; None for a folder that none of them made."""
    description = _description(folder)
    if "corpus" in _config(description):
        return "prepare"
    return _STAMPS.get(str(description.get("kind")))


def check_made_folder(folder: Path, command: MadeBy, *, every_picture: bool = False) -> Checkup:
    """Check that everything is there, and what it holds."""
    result = folder / ("index.parquet" if command == "curate" else "manifest.parquet")
    config = _config(_description(folder))
    made = Checkup(kind=_KINDS[command], what=_WHAT[command], place=folder)
    if not result.is_file():
        return made.adding(findings=_unfinished(folder, result), steps=[_again(folder, command, config)])
    if command == "curate":
        made = _check_shards(folder, made, every_picture=every_picture)
    else:
        inner = check_manifest(result, every_picture=every_picture)
        made = made.adding(facts=inner.facts, findings=inner.findings, steps=inner.steps)
    return made.adding(findings=[*leftovers(folder), *_missing_report(folder, command)])


def leftovers(folder: Path) -> Iterator[Finding]:
    """Find unfinished files that a kill left behind in a folder, not in its folders."""
    found = sorted(entry.name for entry in folder.glob(PART_PATTERN))
    found = [name for name in found if name != _PARTS]
    if found:
        sentence = f"a killed run left unfinished files ({some_of(found, 2)}); delete them when no run goes on"
        yield Finding(severity="note", place=str(folder), sentence=sentence)


def _description(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _config(description: dict[str, Any]) -> dict[str, Any]:
    config = description.get("config")
    return config if isinstance(config, dict) else {}


def _unfinished(folder: Path, result: Path) -> Iterator[Finding]:
    parts = len(list((folder / _PARTS).glob("[!.]*"))) if (folder / _PARTS).is_dir() else 0
    done = f"{parts:,} finished pieces of work are kept in {_PARTS}" if parts else "nothing was finished yet"
    sentence = (
        f"{result.name} is missing, so the run was stopped or still goes on; {done}; "
        "the same command goes on from there"
    )
    yield Finding(severity="error", place=str(folder), sentence=sentence)
    yield from leftovers(folder)


def _again(folder: Path, command: MadeBy, config: dict[str, Any]) -> str:
    """Return the command that goes on, as far as the folder knows it."""
    here = quoted(folder)
    match command:
        case "prepare":
            return f"facskit prepare {config['corpus']} ROOT -o {here} (ROOT and the options as in the first run)"
        case "curate":
            sources = " ".join(quoted(Path(source.get("path", "SRC"))) for source in config.get("sources", []))
            return f"facskit curate {sources or 'SRC'} -o {here} (options as in the first run: dataset.json names them)"
        case "synthesize":
            names = ("subjects", "frames", "seed", "profile")
            options = " ".join(f"--{name} {config[name]}" for name in names if name in config)
            return f"facskit synthesize {here} {options} (other options as in the first run)"


def _missing_report(folder: Path, command: MadeBy) -> Iterator[Finding]:
    reports = () if command == "synthesize" else ("report.md", "report.json")
    lacking = [name for name in reports if not (folder / name).is_file()]
    if lacking:
        sentence = f"{' and '.join(lacking)} missing; the data are whole, but what was left out can't be read up"
        yield Finding(severity="note", place=str(folder), sentence=sentence)


def _check_shards(folder: Path, made: Checkup, *, every_picture: bool) -> Checkup:
    """Compare the index with the shards on disk."""
    path = folder / "index.parquet"
    try:
        table = pl.read_parquet(path, columns=["source", "shard", "offset", "length"])
    except (pl.exceptions.PolarsError, OSError) as error:
        sentence = f"can't be read as an index of shards ({str(error).splitlines()[0]}); curate again"
        return made.adding(findings=[Finding(severity="error", place=str(path), sentence=sentence)])
    ends = table.group_by("shard").agg((pl.col("offset") + pl.col("length")).max().alias("end")).sort("shard")
    files: dict[str, Path] = {}
    findings: list[Finding] = []
    for shard, end in ends.iter_rows():
        file = next((file for file in (folder / shard, folder / "shards" / shard) if file.is_file()), None)
        if file is None:
            sentence = "the index names this shard, but it isn't there; copy it, or curate again into a new folder"
            findings.append(Finding(severity="error", place=str(folder / "shards" / shard), sentence=sentence))
        elif file.stat().st_size < end:
            size = file.stat().st_size
            sentence = f"found {size:,} bytes, the index needs {end:,}: the file was cut off; copy it again"
            findings.append(Finding(severity="error", place=str(file), sentence=sentence))
        else:
            files[shard] = file
    known = {Path(name).name for name in ends["shard"]}
    strangers = [file.name for file in sorted((folder / "shards").glob("*.tar")) if file.name not in known]
    if strangers:
        sentence = f"shards that the index doesn't name: {some_of(strangers, 5)}; delete them"
        findings.append(Finding(severity="warning", place=str(folder / "shards"), sentence=sentence))
    facts = [f"{counted(table.height, 'image')} in {counted(ends.height, 'shard')}"]
    facts += [f"from {source}: {count:,}" for source, count in table["source"].value_counts(sort=True).iter_rows()]
    step = f"facskit pretrain recipes/fmae/vit_base.yaml --data.images {quoted(folder)} --out runs/pretrained"
    rows = table.select("shard", "offset", "length").filter(pl.col("shard").is_in(list(files))).rows()
    names = [f"{files[shard]} at byte {offset}" for shard, offset, _ in rows]

    def decode(position: int) -> None:
        shard, offset, length = rows[position]
        with files[shard].open("rb") as file:
            file.seek(offset)
            decode_image(file.read(length), names[position])

    made = made.adding(facts=facts, findings=findings, steps=[step])
    return with_pictures(made, names, decode, every_picture=every_picture)
