"""Words for people, and the one kind of error that the command line prints."""

import pytest

from model import CheckpointError, TableError
from model.atomic_write import NotWrittenError
from model.checking.errors import NotCheckableError
from model.messages import RefusalError, align_columns, join_names, quote, quote_names, split_names
from serve.settings import SettingError


@pytest.mark.parametrize("error", [CheckpointError, NotCheckableError, NotWrittenError, SettingError, TableError])
def test_every_refusal_is_of_one_kind(error: type[Exception]) -> None:
    assert issubclass(error, RefusalError)
    assert issubclass(error, ValueError)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert align_columns([["a", "bb"], ["ccc", "d"]]) == "a    bb\nccc  d"


def test_a_long_value_is_cut_and_an_empty_one_is_named() -> None:
    assert quote("x" * 41) == repr("x" * 40 + "…")
    assert quote("") == "nothing"


def test_a_long_list_of_names_is_counted() -> None:
    assert join_names([f"c{index}" for index in range(13)]) == "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 3 more"
    assert join_names(["x" * 50]) == "x" * 40 + "…"


@pytest.mark.parametrize("names", [["a"], ["a", "b, c"], ['say "hi"', ""], ["ä b", "'"]])
def test_names_survive_the_way_through_an_option(names: list[str]) -> None:
    import shlex

    (option,) = shlex.split(quote_names(names))
    assert list(split_names(option)) == names
