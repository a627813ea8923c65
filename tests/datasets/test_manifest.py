import re
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import BP4D, ActionUnitSet
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.errors import DatasetError, MediaError
from facskit.faces.images import read_image
from tests.datasets.conftest import FACE, PAIR, table, write_images
from tests.datasets.manifest_files import HEADER, csv, refusal


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_every_format_comes_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    write_images(tmp_path)
    data = table(landmarks=True).with_columns(
        frame=pl.Series(range(10)), note=pl.Series([f"n{row}" for row in range(10)]), pose_Rx=pl.Series([0.25] * 10)
    )
    first = Manifest(table=data, root=tmp_path, action_units=PAIR)
    manifest = read_manifest(write_manifest(first, tmp_path / f"faces{suffix}"))
    assert manifest.action_units == PAIR
    expected = [[(1, 0, -1)[row % 3], row % 2] for row in range(10)]
    assert manifest.labels.tolist() == expected
    assert manifest.labels.dtype == np.int8
    assert manifest.subjects.tolist() == [f"p{row % 5}" for row in range(10)]
    assert manifest.subject_names == ("p0", "p1", "p2", "p3", "p4")
    assert manifest.subject_indices.tolist() == [0, 1, 2, 3, 4] * 2
    points = manifest.landmarks(3)
    assert points is not None
    np.testing.assert_allclose(points, FACE, atol=1e-5)
    for name in ("frame", "note", "pose_Rx"):
        assert manifest.table[name].to_list() == data[name].to_list()
    np.testing.assert_array_equal(manifest.image(4), read_image(tmp_path / "images/04.png"))


def test_writing_elsewhere_keeps_the_images_reachable(manifest: Manifest, tmp_path: Path) -> None:
    copy = read_manifest(write_manifest(manifest, tmp_path / "deeper" / "down" / "faces.csv"))
    np.testing.assert_array_equal(copy.image(2), manifest.image(2))


def test_a_failed_write_leaves_the_old_file(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")
    broken = Manifest(table=manifest.table.with_columns(bad=pl.Series([[1]] * 10)), root=tmp_path, action_units=PAIR)
    with pytest.raises(pl.exceptions.PolarsError):
        write_manifest(broken, path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("cells", [["1", "0", ""], ["1.0", "0.0", " "], ["true", "False", ""], [" 1 ", "0", ""]])
def test_spellings_of_the_three_states(tmp_path: Path, cells: list[str]) -> None:
    text = HEADER + "".join(f"{row}.png,p{row},{cell},1\n" for row, cell in enumerate(cells))
    assert read_manifest(csv(tmp_path, text), check_images=False).labels[:, 0].tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    "cells",
    [
        pl.Series([1, 0, None], dtype=pl.Int64),
        pl.Series([1.0, 0.0, None]),
        pl.Series([1.0, 0.0, float("nan")]),
        pl.Series([True, False, None]),
        pl.Series(["1", "0", None]),
        pl.Series([1, 0, None], dtype=pl.UInt8),
    ],
)
def test_types_of_the_three_states(tmp_path: Path, cells: pl.Series) -> None:
    data = pl.DataFrame({"image": ["a", "b", "c"], "subject": [1, 2, 1], "AU06": cells})
    data.write_parquet(tmp_path / "faces.parquet")
    manifest = read_manifest(tmp_path / "faces.parquet", check_images=False)
    assert manifest.labels[:, 0].tolist() == [1, 0, -1]
    assert manifest.subject_names == ("1", "2")


def test_json_lines_may_mix_types_and_leave_cells_out(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_text(
        '{"image": "a", "subject": "p", "AU06": true, "AU12": 1}\n'
        '{"image": "b", "subject": "p", "AU06": 0.0}\n'
        '{"image": "c", "subject": "p", "AU06": null, "AU12": "0"}\n'
    )
    assert read_manifest(path, check_images=False).labels.tolist() == [[1, 1], [0, -1], [-1, 0]]


def test_columns_are_spelled_as_people_do_and_sorted_by_number(tmp_path: Path) -> None:
    path = csv(tmp_path, "subject,au_12,AU6,image,audio,author,AU1_intensity\np,1,0,a.png,x,y,0.5\n")
    manifest = read_manifest(path, check_images=False)
    assert manifest.action_units.codes == ("AU06", "AU12")
    assert manifest.labels.tolist() == [[0, 1]]
    assert {"audio", "author", "AU1_intensity"} <= set(manifest.table.columns)


def test_the_wanted_units_come_in_the_wanted_order(manifest: Manifest, tmp_path: Path) -> None:
    turned = read_manifest(tmp_path / "faces.parquet", ActionUnitSet.parse("AU12,AU06"))
    np.testing.assert_array_equal(turned.labels, manifest.labels[:, ::-1])


def test_numbers_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    path = csv(tmp_path, "image,subject,AU06,session,frame\na,007,1,01,5\nb,008,0,02,6\n")
    manifest = read_manifest(path, check_images=False)
    assert manifest.subject_names == ("007", "008")
    assert manifest.table["session"].to_list() == ["01", "02"]
    assert manifest.table["frame"].to_list() == [5, 6]


@pytest.mark.parametrize("code", ["9", "999", "0.5", "-1", "x", "nan", "2"])
def test_another_code_is_named_with_its_place(tmp_path: Path, code: str) -> None:
    path = csv(tmp_path, HEADER + f"a.png,p,1,0\nb.png,p,{code},0\n")
    assert refusal(path) == (
        f": row 2 (line 3), column AU06: found '{code}'; expected 1 (present), 0 (absent) or an empty cell "
        "(unknown; codes such as 9 or 999 aren't accepted)"
    )


def test_a_code_in_a_binary_file_has_a_row_but_no_line(tmp_path: Path) -> None:
    pl.DataFrame({"image": ["a", "b"], "subject": ["p", "p"], "au6": [1, 9]}).write_parquet(tmp_path / "f.parquet")
    assert ": row 2, column au6: found 9; expected 1" in refusal(tmp_path / "f.parquet")


@pytest.mark.parametrize("column", ["AU03", "AU99", "AUxx", "au_3"])
def test_an_unknown_action_unit_column(tmp_path: Path, column: str) -> None:
    message = refusal(csv(tmp_path, f"image,subject,AU06,{column}\na,p,1,0\n"))
    assert f"the column {column} is named like an action unit" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subject,AU06\np,1\n", ": the column image is missing; found subject, AU06"),
        ("image,AU06\na,1\n", ": the column subject is missing; found image, AU06"),
        (
            "image,subject\na,p\n",
            ": there is neither an action unit column such as AU01 nor a column expression; found image, subject",
        ),
        ("image,subject,AU06,au6\na,p,1,1\n", ": the columns AU06 and au6 both hold AU06; expected one"),
        (HEADER, ": there are no rows; expected at least one image"),
        ("", ": the file is empty; expected a table with at least one row"),
        (HEADER + "a,p,1,0\nb,,1,0\n", ": row 2 (line 3), column subject: the cell is empty; every row needs one"),
        (HEADER + "a,p,1,0\n,p,1,0\n", ": row 2 (line 3), column image: the cell is empty; every row needs one"),
        (
            HEADER + "a,p,1,0\nb,p,1,0\na,q,0,0\n",
            ": row 3 (line 4), column image: found 'a' again, first in row 1; expected each image once",
        ),
        (
            "image,subject,AU06,AU12,AU12\na,p,1,0,0\n",
            ": the column AU12 stands there 2 times; expected it once",
        ),
        (HEADER + "a,p,1,0\nb,p,1\n", ": line 3: found 3 cells, expected 4 as in the header"),
        (HEADER + 'a,p,1,0\n"b,c",p,1\n', ": line 3: found 3 cells, expected 4 as in the header"),
        (HEADER + "a,p,1,0\nb,p,1,0,\n", ": line 3: found 5 cells, expected 4 as in the header"),
        (
            "image,subject,AU06,x_0\na,p,1,3.5\n",
            ": the landmark column x_1 is missing; expected all of x_0..x_67, y_0..y_67",
        ),
    ],
)
def test_other_mistakes_are_named(tmp_path: Path, text: str, expected: str) -> None:
    assert refusal(csv(tmp_path, text)) == expected


def test_commas_and_line_breaks_in_quotes_are_no_separators(tmp_path: Path) -> None:
    path = csv(tmp_path, "image,subject,AU06,note\n" + 'a,p,1,\nb,p,0,"wide, awake"\nc,p,,"two\nlines"\n')
    manifest = read_manifest(path, check_images=False)
    assert manifest.table["note"].to_list() == [None, "wide, awake", "two\nlines"]


def test_a_wanted_unit_that_is_not_coded(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER + "a,p,1,0\n")
    assert refusal(path, action_units=BP4D) == ": the column AU01 is missing; found AU06, AU12"


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("image,subject\n")
    assert ": can't be read as a Parquet file (" in refusal(tmp_path / "a.parquet")
    assert refusal(csv(tmp_path, HEADER + "a,p,1,0,7,7\n")) == ": line 2: found 6 cells, expected 4 as in the header"
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "é,p,1,0\n".encode("latin-1"))
    assert ": can't be read as a CSV file with a header (" in refusal(tmp_path / "latin.csv")
    (tmp_path / "b.jsonl").write_text('{"image": "a", "subject": "p", "AU06": 1}\n{oops\n')
    assert ": line 2 is no JSON (" in refusal(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").write_text("[1, 2]\n")
    assert ": line 1 holds '[1, 2]'; expected one JSON object" in refusal(tmp_path / "c.jsonl")
    (tmp_path / "d.xlsx").write_text("x")
    assert refusal(tmp_path / "d.xlsx") == ": found the ending '.xlsx'; expected one of .parquet, .csv, .jsonl"
    assert ": there is no such file" in refusal(tmp_path / "none.csv")


@pytest.mark.parametrize(("value", "text"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_landmark_that_is_no_number(tmp_path: Path, value: float, text: str) -> None:
    data = table(landmarks=True)
    data[4, "x_7"] = value
    data.write_parquet(tmp_path / "faces.parquet")
    expected = f": row 5, column x_7: found {text}; expected a position in pixels"
    assert refusal(tmp_path / "faces.parquet") == expected


def test_a_landmark_that_is_text(tmp_path: Path) -> None:
    data = table(landmarks=True).cast({"y_0": pl.String})
    data[2, "y_0"] = "left"
    data.write_csv(tmp_path / "faces.csv")
    assert refusal(tmp_path / "faces.csv") == (
        ": row 3 (line 4), column y_0: found 'left'; expected a position in pixels"
    )


def test_landmarks_may_miss_for_a_row_but_not_for_a_cell(tmp_path: Path) -> None:
    data = table(landmarks=True)
    for name in data.columns[4:]:
        data[1, name] = None
    data.write_parquet(tmp_path / "faces.parquet")
    manifest = read_manifest(tmp_path / "faces.parquet", check_images=False)
    assert manifest.landmarks(1) is None
    assert manifest.landmarks(0) is not None


def test_a_missing_image_is_named_unless_not_asked_for(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "images/06.png").unlink()
    table().write_csv(tmp_path / "faces.csv")
    missing = tmp_path / "images/06.png"
    expected = f": row 7 (line 8), column image: there is no image file {missing}"
    assert refusal(tmp_path / "faces.csv", check_images=True) == expected
    manifest = read_manifest(tmp_path / "faces.csv", check_images=False)
    with pytest.raises(MediaError, match=re.escape(str(missing))):
        manifest.image(6)


def test_images_may_lie_beside_the_manifest_above_it_or_anywhere(tmp_path: Path) -> None:
    write_images(tmp_path / "data")
    (tmp_path / "lists").mkdir()
    absolute = tmp_path / "data/images/01.png"
    text = HEADER + f"../data/images/00.png,p,1,0\n{absolute},p,0,0\n../data//images/./02.png,p,0,0\n"
    manifest = read_manifest(csv(tmp_path / "lists", text))
    np.testing.assert_array_equal(manifest.image(1), read_image(absolute))


def test_rows_are_chosen_by_number_or_by_truth(manifest: Manifest) -> None:
    assert manifest.select([7, 2]).subjects.tolist() == ["p2", "p2"]
    chosen = manifest.select(manifest.subjects == "p3")
    assert chosen.table["image"].to_list() == ["images/03.png", "images/08.png"]
    assert chosen.labels.tolist() == manifest.labels[[3, 8]].tolist()


def test_describe_counts_only_what_is_known(manifest: Manifest) -> None:
    assert manifest.describe() == ("10 images of 5 subjects\nAU06  57.1% present, 30.0% unknown\nAU12  50.0% present")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "seconds"), [(".parquet", 15), (".csv", 60)])
def test_five_million_rows_take_seconds(tmp_path: Path, suffix: str, seconds: float) -> None:
    rows = 5_000_000
    rng = np.random.default_rng(0)
    data = pl.DataFrame(
        {
            "image": pl.Series(np.arange(rows)).cast(pl.String),
            "subject": pl.Series(rng.integers(0, 140, rows)).cast(pl.String),
            **{code: rng.integers(0, 2, rows).astype(np.int8) for code in BP4D.codes},
        }
    )
    path = tmp_path / f"many{suffix}"
    (data.write_parquet if suffix == ".parquet" else data.write_csv)(path)
    started = time.monotonic()
    manifest = read_manifest(path, check_images=False)
    assert time.monotonic() - started < seconds
    assert manifest.table.estimated_size() < 0.5e9
    np.testing.assert_array_equal(manifest.labels[:, 0], data["AU01"].to_numpy())


@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheets_with_decimal_commas_and_na_are_understood(tmp_path: Path, separator: str) -> None:
    rows = [
        ["image", "subject", "AU06", "AU12", "age"],
        ["a.jpg", "p", "1", "NA", "31,5"],
        ["b.jpg", "q", "", "0", "NA"],
    ]
    path = tmp_path / "faces.csv"
    path.write_text("\n".join(separator.join(row) for row in rows) + "\n", encoding="utf-8-sig")

    manifest = read_manifest(path, check_images=False)

    assert manifest.labels.tolist() == [[1, -1], [-1, 0]]
    assert manifest.table["age"].to_list() == [31.5, None]
    path.write_text(path.read_text(encoding="utf-8-sig") + separator.join(["c.jpg", "r", "1"]) + "\n")
    with pytest.raises(DatasetError, match="line 4: found 3 cells, expected 5"):
        read_manifest(path, check_images=False)


def test_columns_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("path,id,smile,AU25\na.jpg,p,1,0\nb.jpg,q,0,1\n")
    columns = {"image": "path", "subject": "id", "AU12": "smile"}

    manifest = read_manifest(path, check_images=False, columns=columns)

    assert manifest.action_units.codes == ("AU12", "AU25")
    assert manifest.labels.tolist() == [[1, 0], [0, 1]]
    with pytest.raises(
        DatasetError, match=r"faces.csv: the column grin \(for AU12\) is missing; found path, id, smile"
    ):
        read_manifest(path, columns={**columns, "AU12": "grin"})
    with pytest.raises(DatasetError, match=r"there is a column AU25 already; leave AU25=smile out"):
        read_manifest(path, columns={"image": "path", "subject": "id", "AU25": "smile"})
