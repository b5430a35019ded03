"""Tables as people have them: each is read as a person says, or refused in one sentence."""

from pathlib import Path

import pytest

from tests.tables.people_reading import differences, write_case
from tests.tables.people_tables import CASES, REPORTED, VARIATIONS


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_as_a_person_would(tmp_path: Path, name: str) -> None:
    assert differences(CASES[name], write_case(CASES[name], tmp_path)) == []


def test_there_are_as_many_variations_as_reports() -> None:
    assert len(REPORTED) == 81
    assert len(VARIATIONS) >= 81
    assert len(CASES) == len(REPORTED) + len(VARIATIONS)
