"""From a file to an endpoint: the commands on CSV and Parquet files, in processes as users start them."""

import csv
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jax
import numpy as np
import polars as pl
import pytest

from model import load
from model.commands.cli import main
from model.inference import BATCH_SIZES
from serve import create_app
from tests.conftest import Nudge

SMALL = ("--hidden", "8", "--restarts", "3", "--ensemble", "2", "--epochs", "30")
HEADER = ("size, cm", "colour", "wild", "constant", "kind")


def write_animals(path: Path, rows: int = 240, targets: bool = True) -> None:
    """Text with quoted commas and quotes, booleans, missing values, a constant column, and rows without a target."""
    draw = random.Random(3)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for _ in range(rows):
            kind = draw.choice(["cat", "dog, big", 'the "ox"'])
            size = {"cat": 30, "dog, big": 70, 'the "ox"': 190}[kind] + draw.gauss(0, 12)
            shown = draw.choice(["", "NA"]) if draw.random() < 0.1 else f"{size:.2f}"
            colour = draw.choice(["red, dark", "grün", "", 'so-called "blue"'])
            known = kind if targets and draw.random() > 0.05 else ""
            writer.writerow([shown, colour, draw.choice(["True", "false"]), 7, known])


@pytest.fixture(scope="session")
def animals(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A directory with animals.csv, and checkpoints/animals.safetensors trained on it."""
    directory = tmp_path_factory.mktemp("animals")
    write_animals(directory / "animals.csv")
    run = subprocess.run(
        [sys.executable, "-m", "model", "train", "animals.csv", "--target", "kind", *SMALL],
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    (directory / "said").write_text(run.stdout)
    return directory


def test_training_tells_its_losses_and_its_metrics_beside_the_baseline(animals: Path) -> None:
    said = (animals / "said").read_text()
    assert re.search(r"^Epoch 10, Loss: \d\.\d{4}, Validation: \d\.\d{4}$", said, re.MULTILINE)
    assert re.search(r"^accuracy +\d\.\d{4} +\d\.\d{4}$", said, re.MULTILINE)
    assert "rows without a target were left out" in said
    assert "Of 3 starts the best 2 are kept." in said
    assert "The gradients agree" in said
    assert "Warning" not in said


def test_service_and_scoring_agree_on_every_row(animals: Path, tmp_path: Path, nudge: Nudge) -> None:
    write_animals(tmp_path / "new.csv", rows=2 * BATCH_SIZES[0] + 3, targets=False)
    checkpoint = str(animals / "checkpoints" / "animals.safetensors")
    assert nudge("predict", checkpoint, "new.csv", "--out", "scored.parquet").returncode == 0
    scored = pl.read_parquet(tmp_path / "scored.parquet")
    printed = nudge("predict", checkpoint, "new.csv").stdout
    assert printed.splitlines()[0].startswith('"size, cm",colour,wild,constant,kind,prediction,label')
    client = create_app({"NUDGE_CHECKPOINTS": str(animals / "checkpoints")}).test_client()
    with (tmp_path / "new.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == scored.height == 2 * BATCH_SIZES[0] + 3
    body = [
        {
            "size, cm": None if row["size, cm"] in ("", "NA") else float(row["size, cm"]),
            "colour": row["colour"] or None,
            "wild": row["wild"] == "True",
            "constant": 7,
        }
        for row in rows
    ]
    by_body = client.post("/predict", json=body).get_json()
    for index, (row, at_once) in enumerate(zip(rows, by_body, strict=True)):
        if index % 16 == 0:
            given = {name: value for name, value in row.items() if name != "kind" and value}
            answer: Any = client.get("/predict", query_string=given).get_json()
            assert answer["prediction"] == pytest.approx(at_once["prediction"], abs=1e-6)
        assert at_once["label"] == scored["label"][index]
        assert at_once["spread"] == pytest.approx(scored["spread"][index], abs=1e-6)
        for name, chance in at_once["prediction"].items():
            assert chance == pytest.approx(scored[f"prediction_{name}"][index], abs=1e-6)
        assert scored["prediction"][index] == pytest.approx(max(at_once["prediction"].values()), abs=1e-6)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"wild": "true"},
            "the columns size, cm, colour, wild, constant were expected, and wild was found: constant is",
        ),
        ({"wild": "perhaps", "constant": "7"}, "column wild: one of false, true was expected, and 'perhaps' was found"),
        ({"wild": "", "constant": "7"}, "column wild: one of false, true was expected, and nothing was found"),
        (
            {"wild": "false", "constant": "7", "colour": "mauve"},
            "column colour: one of grün, red, dark, so-called \"blue\" was expected, and 'mauve' was found",
        ),
        ({"wild": "false", "constant": "7", "age": "1"}, "were expected, and 'age' was found"),
    ],
)
def test_a_wrong_query_is_a_400_that_says_why(animals: Path, query: dict[str, str], message: str) -> None:
    client = create_app({"NUDGE_CHECKPOINTS": str(animals / "checkpoints")}).test_client()
    reply = client.get("/predict", query_string=query)
    assert reply.status_code == 400
    assert message in reply.get_json()["error"]
    assert client.get("/predict", query_string={"wild": "FALSE", "constant": "8"}).status_code == 200


def test_show_and_importance(animals: Path, nudge: Nudge, tmp_path: Path) -> None:
    checkpoint = str(animals / "checkpoints" / "animals.safetensors")
    shown = nudge("show", checkpoint).stdout
    assert re.search(r"^size, cm +number +\S+ to \S+ +\(x - \S+\) / \S+ +allowed$", shown, re.MULTILINE)
    assert re.search(r"^wild +boolean +false, true +one-hot +refused$", shown, re.MULTILINE)
    assert re.search(r"^constant +number +7 to 7 +constant, not used +refused$", shown, re.MULTILINE)
    assert re.search(r"^rows +\d+, of which \d+ were held out; \d+ had no target$", shown, re.MULTILINE)
    run = nudge("importance", checkpoint, str(animals / "animals.csv"), "--plot", "bars.svg")
    lines = run.stdout.splitlines()
    assert lines[1].startswith("size, cm"), run.stderr
    assert re.search(r"^constant +\+0 +0 +0$", run.stdout, re.MULTILINE)
    words = [element.text for element in ElementTree.parse(tmp_path / "bars.svg").iter() if element.text]
    assert "rise of the log loss when shuffled" in words
    assert "size, cm" in words


def test_ask_takes_text_columns(animals: Path, nudge: Nudge) -> None:
    checkpoint = str(animals / "checkpoints" / "animals.safetensors")
    run = nudge("ask", checkpoint, input="31\nred, dark\nTRUE\n7\n\nmauve\n")
    assert re.search(r"Prediction: cat \(0\.\d{4}\)", run.stdout)
    assert (
        "Invalid input: one of grün, red, dark, so-called \"blue\" was expected, and 'mauve' was found." in run.stdout
    )
    assert run.returncode == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("size,wild,constant\n1,true,7\n", "expected the columns size, cm, colour, wild, constant, found no size, cm;"),
        (
            '"size, cm",colour,wild,constant\n1,grün,true,7\n2,mauve,true,7\n',
            "expected one of grün, red, dark, so-called \"blue\" in the column colour, found 'mauve' in row 2;",
        ),
        (
            '"size, cm",colour,wild,constant\nfar,grün,true,7\n',
            "expected a number in the column size, cm, found 'far' in row 1;",
        ),
        (
            '"size, cm",colour,wild,constant\n1,grün,,7\n',
            "expected one of false, true in the column wild, found nothing in row 1;",
        ),
        ('"size, cm",colour,wild,constant,label\n1,grün,true,7,x\n', "expected no column label, which is to be added"),
    ],
)
def test_a_file_that_cannot_be_scored(
    animals: Path, tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text(content)
    checkpoint = str(animals / "checkpoints" / "animals.safetensors")
    for out in ("scored.csv", "scored.parquet"):
        status, said = run_main(capsys, "predict", checkpoint, str(tmp_path / "new.csv"), "--out", str(tmp_path / out))
        assert status == 2
        assert said.count("\n") == 1
        assert message in said
        assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv"]


def run_main(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[Any, str]:
    """The exit status and standard error of the command line, in this process."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nudge", *args])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code, capsys.readouterr().err


LONG = 18 << 20
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "found"),
    "header only": (b"a,b,y\n", "rows"),
    "one class": (b"a,y\n1,no\n2,no\n", "expected two different values of y or more, found 'no' alone;"),
    "the same name twice": (b"a,a,y\n1,2,0\n3,4,1\n", "a"),
    "a target with 10,000 values": (
        b"a,y\n" + b"".join(b"%d,text %d\n" % (i, i) for i in range(10_000)),
        "expected at most 1,000 classes of y in 10,000 rows, found 10,000;",
    ),
    "dates": (b"a,born,y\n1,2020-01-01,0\n2,2021-05-06,1\n", "--drop born"),
    "ragged rows": (b"a,y\n1,0\n2,1,3\n", "found 3 in line 3;"),
    "not UTF-8": (b"a,y\nna\xefve,0\nb,1\n", "UTF-8"),
    "a long line": (b"a,y\n" + b"x" * LONG + b",0\n", "long"),
    "names": (b"".join([b"name,y\n", *(b"name %d,%d\n" % (i, i % 2) for i in range(100))]), "--drop name"),
    "no target": (b"a,y\n1,\n2,\n", "expected a value of y in some row, found none;"),
    "nothing beside the target": (b"y\n1\n0\n", "expected a column beside the target, found none;"),
    "beyond float32": (b"a,y\n1,0\n1e39,1\n", "expected numbers within ±3.4e38 in a, found 1.0 to 1e+39; leave it"),
    "classes beyond 2^53": (
        b"a,y\n" + b"".join(b"%d,%d\n" % (i, 2**53 + i % 3) for i in range(30)),
        "expected classes of y within \xb12^53, found 9007199254740992 to 9007199254740994;",
    ),
    "infinite": (b"a,y\n1,0\ninf,1\n", "found inf in the column 'a', row 2;"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence_and_status_2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = BAD[name]
    Path("bad.csv").write_bytes(content)
    status, said = run_main(capsys, "train", "bad.csv", "--target", "y")
    assert status == 2
    assert said.startswith("nudge: bad.csv: expected ")
    assert said.count("\n") == 1
    assert message in said
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["bad.csv"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nowhere.csv", "--target", "y"), "'nowhere.csv' is no file, and none of the truth tables"),
        (("folder.csv", "--target", "y"), "folder.csv: expected"),
        (("good.csv",), "good.csv: expected --target with one of its columns, a, b, y"),
        (("good.csv", "--target", "z"), "good.csv: expected a column 'z', found the columns a, b, y; name one of them"),
        (("good.csv", "--target", "y", "--drop", "c"), "good.csv: expected a column 'c', found the columns a, b, y;"),
        (("good.csv", "--target", "y", "--columns", "y,a"), "expected y as the target alone"),
        (("good.csv", "--target", "b", "--task", "binary"), "expected two values of b for a binary task, found 3;"),
        (("good.csv", "--target", "y", "--weight-decay", "1,x"), "'1,x' is not a list of numbers such as 1 or 3,1"),
        (("good.csv", "--target", "b", "--class-weights"), "class_weights must be left out of a regression"),
        (("good.csv", "--target", "y", "--validation", "0.9"), "validation must be a share from 0 to 0.5, not 0.9"),
        (("good.csv", "--target", "y", "--ensemble", "9", "--restarts", "3"), "ensemble must be at most restarts, 3"),
        (("good.csv", "--target", "y", "--columns", ""), "expected columns to learn from, found none;"),
        (("good.csv", "--target", "y", "--drop", '"a'), "is not a list of names such as a,b"),
        (("xor", "--target", "y"), "xor is a truth table; --target, --columns, --drop and --task are for files"),
    ],
)
def test_wrong_options_are_one_sentence_and_status_2(
    args: tuple[str, ...],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("a,b,y\n1,2,0\n3,4,1\n5,6,1\n")
    Path("folder.csv").mkdir()
    status, said = run_main(capsys, "train", *args)
    assert (status, said.count("\n")) == (2, 1)
    assert message in said
    assert not Path("checkpoints").exists() or not list(Path("checkpoints").iterdir())


def test_names_that_look_like_patterns_or_have_commas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i % 7},{i % 3},2020-01-0{i % 9 + 1},{i % 2}\n" for i in range(40))
    Path("odd.csv").write_text(f'*,^a.*$,ab,"when, start",y\n{rows}')
    status, said = run_main(capsys, "train", "odd.csv", "--target", "y", *SMALL)
    assert status == 2
    (remedy,) = re.findall("--drop ([^`]*)", said)
    (drop,) = shlex.split(remedy)
    status, said = run_main(capsys, "train", "odd.csv", "--target", "y", "--drop", drop, *SMALL)
    assert not status, said
    assert load("checkpoints/odd.safetensors").columns == ("*", "^a.*$", "ab")
    for out in ("scored.csv", "scored.parquet"):
        status, said = run_main(capsys, "predict", "checkpoints/odd.safetensors", "odd.csv", "--out", out)
        assert not status, said
    assert pl.read_parquet("scored.parquet").columns[:4] == ["*", "^a.*$", "ab", "when, start"]
    status, said = run_main(capsys, "importance", "checkpoints/odd.safetensors", "odd.csv")
    assert not status, said


def test_parquet_of_other_types_is_scored_or_refused(
    animals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(animals / "checkpoints" / "animals.safetensors")
    good = {"wild": [True, False], "colour": ["grün", None], "size, cm": [31, None], "constant": ["7", "8"]}
    pl.DataFrame(good).write_parquet(tmp_path / "good.parquet")
    status, said = run_main(capsys, "predict", checkpoint, str(tmp_path / "good.parquet"), "--out", f"{tmp_path}/s.csv")
    assert not status, said
    for name, column, message in (
        ("constant", [[1], [2]], "expected numbers or texts in constant, found List(Int64)"),
        ("more", [[1], [2]], "expected what CSV can hold in more, found List(Int64)"),
    ):
        pl.DataFrame(good | {name: column}).write_parquet(tmp_path / "bad.parquet")
        place = str(tmp_path / "bad.parquet")
        status, said = run_main(capsys, "predict", checkpoint, place, "--out", f"{tmp_path}/bad.csv")
        assert (status, said.count("\n")) == (2, 1)
        assert message in said
        assert not (tmp_path / "bad.csv").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('"size, cm",colour,wild,constant,kind\n1,grün,true,7,\n', "expected a value of kind in some row, found none;"),
        ('"size, cm",colour,wild,constant\n1,grün,true,7\n', "expected the target kind, found no such column;"),
        ('"size, cm",colour,wild,constant,kind\n1,grün,true,7,\n2,grün,true,7,elk\n', "found 'elk' in row 2;"),
    ],
)
def test_importance_needs_targets(
    animals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (tmp_path / "new.csv").write_text(content)
    checkpoint = str(animals / "checkpoints" / "animals.safetensors")
    status, said = run_main(capsys, "importance", checkpoint, str(tmp_path / "new.csv"))
    assert (status, said.count("\n")) == (2, 1)
    assert message in said


RESUMED = (
    *("train", "numbers.csv", "--target", "y", "--hidden", "4", "--restarts", "2", "--ensemble", "2"),
    *("--patience", "1000000", "--save-every", "1"),
)


def same_bits(a: Path, b: Path) -> bool:
    first, second = load(a), load(b)
    pairs = zip(
        jax.tree.leaves((first.params, first.state)), jax.tree.leaves((second.params, second.state)), strict=True
    )
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_has_the_same_bits(
    nudge: Nudge, tmp_path: Path, environment: dict[str, str]
) -> None:
    """By batches, with what adam remembers; killed at random moments, three times."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 3))
    columns = {f"x{index}": x[:, index] for index in range(3)} | {"y": (x[:, 0] * x[:, 1] > 0).astype(int)}
    pl.DataFrame(columns).write_csv(tmp_path / "numbers.csv")
    epochs = ("--epochs", "9000")
    assert nudge(*RESUMED, *epochs, "--out", "whole.safetensors").returncode == 0
    out = tmp_path / "parts.safetensors"
    kills = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "model", *RESUMED, *epochs, "--out", str(out), "--resume"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it trains
            time.sleep(draw.uniform(0, 0.5))  # any moment will do
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
        assert not out.exists() or load(out).training.epoch <= 9000
    assert kills > 0
    last = nudge(*RESUMED, *epochs, "--out", str(out), "--resume")
    assert last.returncode == 0 or "has done 9,000 epochs" in last.stderr, last.stderr
    assert load(out).training.epoch == 9000
    assert same_bits(tmp_path / "whole.safetensors", out)


def test_more_epochs_resume_and_other_settings_do_not(nudge: Nudge, tmp_path: Path) -> None:
    """All rows at once, as a truth table is learnt."""
    short = ("train", "xor", "--restarts", "70", "--optimizer", "momentum")
    assert nudge(*short, "--epochs", "1100", "--out", "whole.safetensors").returncode == 0
    assert nudge(*short, "--epochs", "500", "--out", "parts.safetensors").returncode == 0
    run = nudge(*short, "--epochs", "1100", "--out", "parts.safetensors", "--resume")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].startswith("Epoch 600, Loss: ")
    assert same_bits(tmp_path / "whole.safetensors", tmp_path / "parts.safetensors")
    before = (tmp_path / "parts.safetensors").read_bytes()
    again = nudge(*short, "--epochs", "1100", "--out", "parts.safetensors", "--resume")
    assert again.stderr == "nudge: --resume: parts.safetensors has done 1,100 epochs; ask for more with --epochs\n"
    (tmp_path / "xor.csv").write_text("a,b,xor\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    table = nudge("train", "xor.csv", "--target", "xor", "--out", "parts.safetensors", "--resume")
    assert (table.returncode, table.stderr.count("\n")) == (2, 1)
    other = nudge(*short, "--epochs", "1200", "--seed", "5", "--out", "parts.safetensors", "--resume")
    assert other.stderr == "nudge: --resume: parts.safetensors has the seed 0, and not 5; ask for the same\n"
    assert other.returncode == again.returncode == 2
    assert (tmp_path / "parts.safetensors").read_bytes() == before


def test_a_regression_and_a_binary_target_are_answered_in_their_own_words(tmp_path: Path, nudge: Nudge) -> None:
    draw = np.random.default_rng(1)
    a = draw.normal(size=200)
    price = 1000 + 50 * a + draw.normal(size=200)
    frame = pl.DataFrame({"a": a, "price": price, "sold": np.where(a > 0, "yes", "no")})
    frame.write_parquet(tmp_path / "t.parquet")
    for target, drop in (("price", "sold"), ("sold", "price")):
        run = nudge("train", "t.parquet", "--target", target, "--drop", drop, *SMALL, "--out", f"{target}.safetensors")
        assert run.returncode == 0, run.stderr
    answers = {}
    for target in ("price", "sold"):
        app = create_app({"NUDGE_CHECKPOINTS": str(tmp_path), "NUDGE_MODEL": target})
        answers[target] = app.test_client().get("/predict?a=1.5").get_json()
    assert answers["price"]["prediction"] == pytest.approx(1075, abs=15)
    assert list(answers["price"]) == ["prediction", "spread", "model", "version"]
    assert answers["sold"]["label"] == "yes"
    assert 0.5 < answers["sold"]["prediction"] <= 1
    check = nudge("check", "price.safetensors")
    assert check.returncode == 0, check.stdout


def test_noise_is_told_from_what_can_be_learnt(tmp_path: Path, nudge: Nudge) -> None:
    draw = np.random.default_rng(2)
    pl.DataFrame({"a": draw.normal(size=80), "y": draw.normal(size=80)}).write_csv(tmp_path / "noise.csv")
    run = nudge(
        "train", "noise.csv", "--target", "y", *SMALL[:6], "--epochs", "3", "--learning-rate", "3", "--clip", "0"
    )
    assert "Warning: the network does not beat the mean; the columns may not tell y." in run.stdout, run.stderr
