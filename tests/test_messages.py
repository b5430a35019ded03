"""Messages: values and names as text, and the base of all errors that the command line prints as one sentence."""

import shlex

import pytest

from model import CheckpointError, TableError
from model.atomic_write import NotWrittenError
from model.checking.errors import NotCheckableError
from model.messages import (
    RefusalError,
    align_columns,
    describe_error,
    escape_unprintable,
    join_names,
    quote,
    quote_names,
    refusal_sentence,
    split_names,
)
from serve.settings import SettingError


@pytest.mark.parametrize("error", [CheckpointError, NotCheckableError, NotWrittenError, SettingError, TableError])
def test_every_refusal_is_a_refusal_error(error: type[Exception]) -> None:
    assert issubclass(error, RefusalError)
    assert issubclass(error, ValueError)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert align_columns([["a", "bb"], ["ccc", "d"]]) == "a    bb\nccc  d"


def test_a_long_value_is_shortened_and_an_empty_one_is_nothing() -> None:
    assert quote("x" * 41) == repr("x" * 40 + "…")
    assert quote("") == "nothing"


def test_a_long_list_of_names_ends_with_their_number() -> None:
    assert join_names([f"c{index}" for index in range(13)]) == "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 3 more"
    assert join_names(["x" * 50]) == "x" * 40 + "…"


@pytest.mark.parametrize("names", [["a"], ["a", "b, c"], ['say "hi"', ""], ["ä b", "'"]])
def test_quoted_names_are_read_back_by_the_shell_and_the_option(names: list[str]) -> None:
    (option,) = shlex.split(quote_names(names))
    assert list(split_names(option)) == names


def test_an_error_of_the_system_is_described_without_its_number_and_its_file() -> None:
    assert describe_error(PermissionError(13, "Permission denied", "a.csv")) == "permission denied"
    assert describe_error(ValueError("Too Long")) == "too long"


def test_a_refusal_is_one_sentence_with_or_without_a_file() -> None:
    sentence = "expected a table, found no file; name one that is there"
    assert refusal_sentence(None, "a table", "no file", "name one that is there") == sentence
    assert refusal_sentence("a.csv", "a table", "no file", "name one that is there") == f"a.csv: {sentence}"


def test_characters_that_a_terminal_obeys_are_escaped() -> None:
    assert escape_unprintable("é\x1b[2J\r\n\u202e") == "é\\x1b[2J\\r\\n\\u202e"
