"""Small folders with the lists of FMAE-IAT, JAA-Net or ME-GraphAU and their pictures, made of rendered faces."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from facskit.action_units import BP4D, DISFA_8
from facskit.columns import FRAME, IMAGE, IMAGE_BYTES, RECORDING, SUBJECT
from facskit.datasets.corpora.lists.fmae import write_fmae_list
from facskit.datasets.corpora.lists.jaa import write_jaa_parts
from facskit.datasets.corpora.lists.label_lists import AUTHORS_PARTS
from facskit.datasets.corpora.lists.me_graphau import write_me_graphau_folds
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import packaged_faces


def write_list_tree(kind: Literal["fmae-iat", "jaa", "me-graphau"], out: Path, corpus: str = "bp4d") -> Path:
    """Write lists as their authors keep them, with pictures of two invented people in each published part.

    Args:
        out: An empty or missing folder.
        corpus: `bp4d` or `disfa`, whose names the people get.

    Returns:
        The list, for jaa and me-graphau the folder of the lists.
    """
    faces = packaged_faces()
    people = [name for part in AUTHORS_PARTS[corpus] for name in part.split()[:2]]
    rows = [row for code in range(len(people)) for row in _liveliest(faces, code)]
    owners = [people[code] for code in range(len(people)) for _ in range(8)]
    paths = [_list_path(kind, owner, place % 8) for place, owner in enumerate(owners)]
    units = BP4D if corpus == "bp4d" else DISFA_8
    table = faces.table[rows].drop(IMAGE, SUBJECT, RECORDING, FRAME, IMAGE_BYTES)
    columns = {IMAGE: paths, SUBJECT: owners, RECORDING: [f"T{place % 8 // 4 + 1}" for place in range(len(rows))]}
    table = table.with_columns(**{name: pl.Series(values) for name, values in columns.items()})
    table = table.with_columns(
        pl.Series(FRAME, [place % 4 for place in range(len(rows))]), pl.col(SUBJECT).cast(pl.Categorical)
    )
    if corpus == "bp4d":  # a code 9 in each person's fourth picture
        odd = pl.int_range(pl.len()) % 8 == 3
        table = table.with_columns(pl.when(odd).then(None).otherwise(pl.col("AU10")).alias("AU10"))
    root = {"fmae-iat": out, "jaa": out / "imgs", "me-graphau": out / corpus.upper() / "img"}[kind]
    for row, path in zip(rows, paths, strict=True):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(faces.table[IMAGE_BYTES][row])
    manifest = replace(faces, table=table, root=root, action_units=units, name=f"rendered {corpus}")
    match kind:
        case "fmae-iat":
            write_fmae_list(manifest, out / f"{corpus.upper()}_all.json")
            return out / f"{corpus.upper()}_all.json"
        case "jaa":
            write_jaa_parts(manifest, out / "list", corpus)
            return out / "list"
        case "me-graphau":
            write_me_graphau_folds(manifest, root.parent / "list", corpus)
            return root.parent / "list"


def _liveliest(faces: Manifest, code: int) -> list[int]:
    """Return the eight pictures of somebody in which most AUs are present."""
    rows = np.flatnonzero(faces.subject_indices == code)
    order = np.argsort(-(faces.labels[rows] == 1).sum(axis=1), kind="stable")
    return sorted(int(row) for row in rows[order[:8]])


def _list_path(kind: str, owner: str, place: int) -> str:
    """Name a picture as the authors do; the last digits of the number are the frame."""
    task, frame = f"T{place // 4 + 1}", place % 4
    disfa = owner.startswith("SN")
    if kind == "fmae-iat":
        video = f"RightVideo{owner}" if disfa else f"2{owner[0]}{owner[2:]}_{task}"
        return f"{video}/frame_{place + 1 if disfa else frame + 1}.jpg"
    if kind == "jaa":
        return f"DISFA/{owner}/{place}.jpg" if disfa else f"BP4D/{owner}/{task}/{2440 + frame:04d}.jpg"
    return f"{owner}/{place}.png" if disfa else f"{owner}/{task}/{2440 + frame}.jpg"
