"""A TableError gets the name of its file from the function that reads the file."""

import pytest

from model import TableError
from model.tables.errors import naming_file

ERROR = TableError("a table", "no file", "name one that is there")


def test_naming_file_adds_the_name_of_the_file() -> None:
    with pytest.raises(TableError) as caught, naming_file("table.csv"):
        raise ERROR
    assert str(caught.value) == "table.csv: expected a table, found no file; name one that is there"
    assert str(ERROR) == "expected a table, found no file; name one that is there"


def test_a_file_that_is_already_named_stays() -> None:
    with pytest.raises(TableError) as caught, naming_file("outer.csv"), naming_file("inner.csv"):
        raise ERROR
    assert caught.value.path == "inner.csv"


def test_other_errors_pass_unchanged() -> None:
    error = ValueError("something else")
    with pytest.raises(ValueError, match="something else") as caught, naming_file("table.csv"):
        raise error
    assert caught.value is error
