"""Recognition tables read again, also after they went through R or a spreadsheet."""

from pathlib import Path

import polars as pl
import pytest

from facskit.action_units import DISFA_8
from facskit.errors import DatasetError
from facskit.inference.finished_table import Finishing, finish_table, read_recognition_table
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.tables import TableWriter, column_names, layout
from tests.inference.fakes import info, picture, recognition


def written(path: Path) -> Path:
    with TableWriter(path, layout("facskit", DISFA_8)) as table:
        for number in range(6):
            found = (recognition(0, source="a.mp4", frame=number, timestamp=number / 10),) if number != 3 else ()
            table.write(
                RecognizedFrame(source="a.mp4", frame=number, timestamp=number / 10, image=picture(), faces=found)
            )
    return path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_was_written_is_read(tmp_path: Path, suffix: str) -> None:
    table, units = read_recognition_table(written(tmp_path / f"result.{suffix}"))
    assert units == DISFA_8
    assert table.columns == column_names(DISFA_8)
    assert table["success"].to_list() == [1, 1, 1, 0, 1, 1]
    assert table["AU26"].to_list() == [1.0, 1.0, 1.0, None, 1.0, 1.0]
    assert table.schema["AU12_c"] == pl.Int64


def test_semicolons_decimal_commas_and_na_are_understood(tmp_path: Path) -> None:
    path = written(tmp_path / "result.csv")
    known, _ = read_recognition_table(path)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    cells = [
        ";".join(cell.replace(".", ",") if cell[:1].isdigit() else cell or "NA" for cell in line) for line in lines
    ]
    path.write_text("\n".join(cells) + "\n")
    table, units = read_recognition_table(path)
    assert units == DISFA_8
    assert table.drop("unreliable_because").equals(known.drop("unreliable_because"))


def test_wrong_tables_and_cells_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "result.csv")
    path.write_text(path.read_text().replace("0.7143", "much", 1))
    with pytest.raises(DatasetError, match=r"result\.csv: line 2, column AU12: found 'much', expected a number"):
        read_recognition_table(path)
    (tmp_path / "other.csv").write_text("image,subject,AU12\nx.jpg,a,1\n")
    with pytest.raises(DatasetError, match=r"other\.csv: there is no column input; expected a table that facskit"):
        read_recognition_table(tmp_path / "other.csv")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_finished_table_keeps_its_columns_and_gets_smoothed_ones(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"result.{suffix}")
    before, _ = read_recognition_table(path)
    wanted = Finishing(
        person="longest", smooth=0.3, summary=tmp_path / "people.csv", bin=0.2, timeline=tmp_path / "time.png"
    )
    assert wanted.is_needed
    assert not Finishing().is_needed
    finish_table(path, info(), wanted)
    after, _ = read_recognition_table(path)
    assert after.select(before.columns).equals(before)
    assert after.columns[-1] == "smooth_seconds"
    assert after["AU12_smooth"].null_count() == 1
    people = pl.read_csv(tmp_path / "people.csv")
    assert people["smooth_seconds"].unique().to_list() == [0.3]
    bins = pl.read_csv(tmp_path / "people_bins.csv").filter(pl.col("action_unit") == "AU26")
    assert bins["start"].to_list() == pytest.approx([0.0, 0.2, 0.4])
    assert bins["frames"].to_list() == [2, 1, 2]
    assert (tmp_path / "people_episodes.csv").is_file()
    assert (tmp_path / "time.png").is_file()
