"""`nudge show`: what is in a checkpoint."""

import re
from pathlib import Path

from model import save
from tests.conftest import Nudge
from tests.examples import checkpoint_of, with_bins


def test_show_prints_how_a_truth_table_was_learned(nudge: Nudge, checkpoints: Path) -> None:
    run = nudge("show", str(checkpoints / "xor.safetensors"))
    assert run.returncode == 0
    for text in ("2-2-1, relu, binary, 9 parameters", "20,000 of 20,000", "sgd, learning rate 0.01", "0.weight[0,0]"):
        assert text in run.stdout


def test_show_prints_the_columns_and_the_rows_of_a_file(animals_checkpoint: str, nudge_here: Nudge) -> None:
    printed = nudge_here("show", animals_checkpoint).stdout
    for line in (
        r"size, cm +number +\S+ to \S+ +3 asinh\(\(x - \S+\) / \S+\) +2 +in training",
        r"wild +boolean +false, true +one-hot +2 +answered with a note",
        r"constant +number +7 to 7 +constant, not used +1 +answered with a note",
        r"rows +\d+, of which \d+ were held out; \d+ had no target",
    ):
        assert re.search(f"^{line}$", printed, re.MULTILINE), line


def test_show_prints_the_networks_of_each_encoding(nudge_here: Nudge, tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", with_bins(checkpoint_of("binary")))
    printed = nudge_here("show", "x.safetensors").stdout
    assert re.findall(r"^network +(.*)$", printed, re.MULTILINE) == [
        "6-3-1, tanh, binary, 25 parameters, 2 of them",
        "9-3-1, tanh, binary, 34 parameters, sees bins, 2 of them",
    ]
