"""Tables in the columns of OpenFace, py-feat and LibreFace, written, read back, and held against their headers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pytest

from facskit.action_units import DISFA_8
from facskit.datasets.corpora.lists.foreign_tables import TableKind, guess_table, read_foreign_table
from facskit.faces.quality import FaceQuality
from facskit.inference.dialects import DialectName
from facskit.inference.face_geometry import FaceGeometry
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.tables import TableWriter, layout
from facskit.models.answers import Answers
from tests.inference.fakes import picture, recognition

QUALITY = FaceQuality(
    height=80.0,
    confidence=0.9,
    pose=(0.1, -0.2, 0.3),
    sharpness=0.9,
    brightness=200.0,
    inside=1.0,
    covered=(0.0, 0.0, 0.0, 0.0),
)
OPENFACE_AUS = (
    "frame,face_id,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,pose_Rx,pose_Ry,pose_Rz,"
    "AU01_r,AU02_r,AU04_r,AU05_r,AU06_r,AU07_r,AU09_r,AU10_r,AU12_r,AU14_r,"
    "AU15_r,AU17_r,AU20_r,AU23_r,AU25_r,AU26_r,AU45_r,AU01_c,AU02_c,AU04_c,AU05_c,AU06_c,AU07_c,AU09_c,AU10_c,AU12_c,"
    "AU14_c,AU15_c,AU17_c,AU20_c,AU23_c,AU25_c,AU26_c,AU28_c,AU45_c"
)
"""The first line of what OpenFace 2.2's `FeatureExtraction -pose -aus` writes."""


def frames() -> list[RecognizedFrame]:
    """Two faces, then none."""
    faces = tuple(recognition(face_id, frame=0, timestamp=0.0) for face_id in range(2))
    shared = {"source": "clip.mp4", "image": picture()}
    return [
        RecognizedFrame(frame=0, timestamp=0.0, faces=faces, **shared),  # type: ignore[arg-type]
        RecognizedFrame(frame=1, timestamp=0.04, faces=(), **shared),  # type: ignore[arg-type]
    ]


def write(path: Path, dialect: DialectName) -> Path:
    with TableWriter(path, layout(dialect, DISFA_8)) as table:
        for frame in frames():
            table.write(frame)
    return path


def test_openface_tables_are_openfaces_to_the_letter(tmp_path: Path) -> None:
    header, first, _, missing = write(tmp_path / "clip.csv", "openface").read_text().splitlines()
    assert header == OPENFACE_AUS
    # Decisions of the action units that the weights know, no probability anywhere.
    assert first == "1,0,0.000,0.90,1,,,,,,,,,,,,,,,,,,,,,,,,0.0,0.0,0.0,,0.0,,1.0,,1.0,,,,,,1.0,1.0,,"
    assert missing == "2,0,0.040,0.00,0,0.0,0.0,0.0,0.000,0.000,0.000,,,,,,,,,,,,,,,,,," + ",".join(["0.0"] * 18)


def test_intensities_are_openfaces_where_the_weights_know_them(tmp_path: Path) -> None:
    graded = recognition(intensities=np.linspace(0, 5, 8, dtype=np.float32))
    with TableWriter(tmp_path / "clip.csv", layout("openface", DISFA_8, None, Answers(intensities=True))) as table:
        for frame in frames():
            table.write(replace(frame, faces=(graded,) * len(frame.faces)))
    _, first, _, missing = (tmp_path / "clip.csv").read_text().splitlines()
    assert first.split(",")[11:15] == ["0.00", "0.71", "1.43", ""]
    assert missing.split(",")[11:15] == ["0.00"] * 4


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [("openface", "openface"), ("pyfeat", "py-feat"), ("libreface", "libreface"), ("facskit", "facskit")],
)
def test_what_is_written_is_read_back(tmp_path: Path, dialect: DialectName, kind: TableKind) -> None:
    path = write(tmp_path / "clip.csv", dialect)
    assert guess_table(path) == kind
    source = read_foreign_table(path, kind)
    faces = 1 if dialect == "libreface" else 2
    assert source.table["frame"].to_list() == [0] * faces + [1]
    assert source.table["success"].to_list() == [1] * faces + [0]
    assert source.table["AU12"].to_list() == [1] * faces + [None]
    assert source.table["AU01"].to_list() == [0] * faces + [None]


def test_pyfeat_tables_hold_probabilities_and_names(tmp_path: Path) -> None:
    table = polars.read_csv(write(tmp_path / "clip.csv", "pyfeat"))
    assert table.columns[:5] == ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
    assert table.columns[-6:] == ["FrameHeight", "FrameWidth", "input", "frame", "approx_time", "Identity"]
    assert table["AU12"].to_list() == [pytest.approx(0.7143, abs=1e-4)] * 2 + [None]
    assert table["Identity"].to_list() == ["Person_0", "Person_1", None]
    assert table["AU11"].null_count() == 3


def test_angles_have_each_tools_signs_and_units(tmp_path: Path) -> None:
    # Looks down by 30 degrees, turned 20 to the subject's right, the top 10 to the picture's right; the eyes go 6 up
    # and 8 to the subject's left.
    geometry = FaceGeometry(
        points=np.arange(136.0).reshape(68, 2),
        deviations=np.ones(68),
        pose=np.array([30.0, 20.0, 10.0]),
        gaze=np.array([6.0, 8.0]),
    )
    frame = replace(frames()[0], faces=(recognition(geometry=geometry),))
    tables = {}
    for dialect in ("openface", "pyfeat", "libreface"):
        with TableWriter(tmp_path / f"{dialect}.parquet", layout(dialect, DISFA_8)) as table:
            table.write(frame)
        tables[dialect] = polars.read_parquet(tmp_path / f"{dialect}.parquet").row(0, named=True)
    openface, pyfeat = tables["openface"], tables["pyfeat"]
    assert np.degrees([openface["pose_Rx"], openface["pose_Ry"], openface["pose_Rz"]]) == pytest.approx(
        [30, 20, 10], abs=0.03
    )
    assert openface["pose_Tx"] is None
    # py-feat 2.1: up, to the subject's right, leaning to the subject's right; gaze up and to the subject's left.
    assert np.degrees([pyfeat["Pitch"], pyfeat["Yaw"], pyfeat["Roll"]]) == pytest.approx([-30, 20, -10])
    assert np.degrees([pyfeat["gaze_pitch"], pyfeat["gaze_yaw"]]) == pytest.approx([6, 8])
    assert np.degrees(pyfeat["gaze_angle"]) == pytest.approx(9.99, abs=0.01)
    assert (pyfeat["x_1"], pyfeat["y_1"], pyfeat["FrameWidth"]) == (2.0, 3.0, float(frame.image.shape[1]))
    # What LibreFace calls pitch is no angle, and its gaze has no documented sign.
    assert [tables["libreface"][name] for name in ("pitch", "yaw", "roll", "gaze_yaw", "gaze_pitch")] == [None] * 5


def test_a_coarse_pose_is_written_where_the_weights_know_none(tmp_path: Path) -> None:
    turned = recognition(quality=QUALITY)
    with TableWriter(tmp_path / "clip.csv", layout("openface", DISFA_8)) as table:
        table.write(replace(frames()[0], faces=(turned,)))
    assert (tmp_path / "clip.csv").read_text().splitlines()[1].split(",")[8:11] == ["0.100", "-0.200", "0.300"]


@pytest.mark.parametrize("dialect", ["openface", "pyfeat", "libreface"])
def test_every_format_has_the_same_columns(tmp_path: Path, dialect: DialectName) -> None:
    names = polars.read_csv(write(tmp_path / "clip.csv", dialect)).columns
    assert polars.read_parquet(write(tmp_path / "clip.parquet", dialect)).columns == names
    lines = write(tmp_path / "clip.jsonl", dialect).read_text().splitlines()
    assert list(json.loads(lines[0])) == names
