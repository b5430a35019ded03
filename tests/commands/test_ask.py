"""`nudge ask`: inputs are typed, and predictions are printed."""

import re
from pathlib import Path

from tests.conftest import Nudge


def test_ask_is_the_loop_of_the_guide(nudge: Nudge, checkpoints: Path) -> None:
    path = str(checkpoints / "xor.safetensors")
    run = nudge("ask", path, input="1\n0\nnonsense\n1\n1\n0.5\nnan\n")
    assert run.returncode == 0
    assert run.stderr == ""
    assert re.fullmatch(
        r"Input a: Input b: Prediction: 0\.9\d{3}\n"
        r"Input a: Invalid input\. Please enter a numeric value\.\n"
        r"Input a: Input b: Prediction: 0\.0\d{3}\n"
        r"Input a: Input b: Invalid input\. Please enter a numeric value\.\n"
        r"Input a: \n",
        run.stdout,
    )


def test_ask_takes_texts_and_says_which_are_known(animals_checkpoint: str, nudge_here: Nudge) -> None:
    run = nudge_here("ask", animals_checkpoint, input="31\nred, dark\nTRUE\n7\nfar\n\nmauve\ntrue\n7\n")
    assert run.returncode == 0
    assert re.search(r"Prediction: cat \(0\.\d{4}\)", run.stdout)
    assert "Invalid input: a number was expected, and 'far' was found." in run.stdout
    assert "Note: color: 'mauve' was not seen in training.\nPrediction: " in run.stdout
