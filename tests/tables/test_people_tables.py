"""Tables as people have them: each is read as a person says, or refused in one sentence."""

from pathlib import Path

import pytest

from tests.tables.people_not_yet import NOT_YET
from tests.tables.people_reading import differences, write_case
from tests.tables.people_tables import CASES, REPORTED, VARIATIONS


def _named(name: str) -> object:
    reason = NOT_YET.get(name)
    return pytest.param(name, marks=pytest.mark.xfail(reason=reason, strict=True)) if reason else name


@pytest.mark.parametrize("name", [_named(name) for name in CASES])
def test_a_file_is_read_as_a_person_would(tmp_path: Path, name: str) -> None:
    assert differences(CASES[name], write_case(CASES[name], tmp_path)) == []


def test_there_are_as_many_variations_as_reports() -> None:
    assert len(REPORTED) == 81
    assert len(VARIATIONS) >= 81
    assert len(CASES) == len(REPORTED) + len(VARIATIONS)
    assert NOT_YET.keys() <= CASES.keys()
