"""What readers who tried to break the reading of tables found."""

from pathlib import Path

import pytest

from model import TableError, read_table
from model.commands.shared import notes_text
from model.messages import align_columns
from model.tables.csv_header import layout_of
from model.tables.date_spelling import describe_date, read_date
from tests.tables.examples import write_table

ROWS = [(index % 7, index % 2) for index in range(40)]


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_beyond_the_calendar_is_described_by_its_end(tmp_path: Path, far: str) -> None:
    lines = [f"2024-01-{1 + index % 28:02}T00:00:00-05:00,{y}\n" for index, (_, y) in enumerate(ROWS)]
    table = read_table(write_table(tmp_path, "d,y\n" + far + ",1\n" + "".join(lines)), "y")
    (column,) = table.column_specs
    assert describe_date(read_date(far, "ymd") or 0.0, column.style) in (  # type: ignore[union-attr]
        "9999-12-31 23:59:59",
        "0001-01-01",
    )


def test_a_zone_is_no_further_from_greenwich_than_any_is() -> None:
    assert read_date("2024-01-01T00:00:00+14:00", "ymd") is not None
    assert read_date("2024-01-01T00:00:00+99:00", "ymd") is None


def test_what_a_terminal_would_obey_is_escaped_in_tables_and_notes() -> None:
    assert align_columns([["\x1b[31mred", "a\nb"]]) == r"\x1b[31mred  a\nb"
    assert notes_text(["left out \x1b]0;x\x07"]) == r"Note: left out \x1b]0;x\x07."


@pytest.mark.parametrize(("option", "value"), [("keep", "agee"), ("missing", "agee=-1"), ("numeric", "agee")])
def test_a_misspelled_name_is_refused_wherever_it_is(tmp_path: Path, option: str, value: str) -> None:
    path = write_table(tmp_path, "age,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS))
    with pytest.raises(TableError, match="expected a column 'agee', found the columns age, y"):
        read_table(path, "y", **{option: [value]})


def test_advice_quotes_the_names_that_need_it(tmp_path: Path) -> None:
    rows = "".join(f"{index},{-999 if index % 9 == 0 else index % 37},{index % 2}\n" for index in range(200))
    notes = read_table(write_table(tmp_path, f'"a,b",c d,y\n{rows}'), "y").notes
    assert notes[0].endswith("""--drop '"a,b"' leaves it out""")
    assert notes[1].endswith("--missing 'c d=-999' reads it as missing")
    assert read_table(tmp_path / "table.csv", "y", missing=["c d=-999"], drop=["a,b"]).columns == ("c d",)


def test_dates_as_classes_are_refused_with_a_way_out(tmp_path: Path) -> None:
    path = write_table(tmp_path, "x,y\n" + "".join(f"{x},{('2005-06', '2006-07')[y]}\n" for x, y in ROWS))
    with pytest.raises(TableError, match=r"found dates or times; name another --target, or say --categorical y$"):
        read_table(path, "y")
    assert read_table(path, "y", categorical=["y"]).classes == ("2005-06", "2006-07")


def test_a_sentinel_in_a_target_of_numbers_is_pointed_out(tmp_path: Path) -> None:
    rows = "".join(f"{index % 7},{-999 if index % 9 == 0 else index / 8}\n" for index in range(90))
    notes = read_table(write_table(tmp_path, f"x,y\n{rows}"), "y").notes
    assert notes == ("-999 in y, in 10 rows, may stand for a missing value; --missing y=-999 reads it as missing",)


def test_a_row_of_values_that_occurs_twice_is_no_header_that_is_repeated(tmp_path: Path) -> None:
    path = write_table(tmp_path, "1,2.5,7\n" + "3,4.5,6\n" * 5 + "1,2.5,7\n")
    assert layout_of(path).header == b""


def test_of_many_equal_names_the_first_are_told_and_the_others_counted(tmp_path: Path) -> None:
    layout = layout_of(write_table(tmp_path, ",".join(["a"] * 200) + "\n" + ",".join(["1"] * 200) + "\n"))
    assert layout.names[:3] == ("a", "a_2", "a_3")
    assert len(set(layout.names)) == 200
    assert layout.notes[-1] == "194 more columns are renamed, because their names are missing or repeated"
