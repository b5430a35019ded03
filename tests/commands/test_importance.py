"""`nudge importance`: which columns predictions depend on."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.commands.examples import run_main
from tests.conftest import Nudge


def test_importance_ranks_the_columns_and_draws_them(
    animals: Path, animals_checkpoint: str, nudge: Nudge, tmp_path: Path
) -> None:
    run = nudge("importance", animals_checkpoint, str(animals / "animals.csv"), "--plot", "bars.svg")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[1].startswith("size, cm")
    assert re.search(r"^constant +\+0 +0 +0$", run.stdout, re.MULTILINE)
    assert lines[-1] == "Written: bars.svg"
    words = [element.text for element in ElementTree.parse(tmp_path / "bars.svg").iter() if element.text]
    assert "rise of the log loss when shuffled" in words
    assert "size, cm" in words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('"size, cm",color,wild,constant,kind\n1,grün,true,7,\n', "expected a value of kind in some row, found none;"),
        ('"size, cm",color,wild,constant\n1,grün,true,7\n', "expected the target kind, found no such column;"),
        ('"size, cm",color,wild,constant,kind\n1,grün,true,7,\n2,grün,true,7,elk\n', "found 'elk' in row 2;"),
    ],
)
def test_a_file_without_known_targets_is_refused(
    animals_checkpoint: str, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "new.csv").write_text(content)
    status, errors = run_main("importance", animals_checkpoint, str(tmp_path / "new.csv"))
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors
