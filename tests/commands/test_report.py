"""`nudge report`: one page of HTML whose numbers are right, and which no name in a file can break."""

import csv
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

from model import Checkpoint, Predictor, default_network, fit, load, make_checkpoint, read_table, save
from model.reporting.importance import column_importances
from model.tables.further_rows import values_of_frame
from tests.commands.examples import run_main
from tests.conftest import Nudge

pytestmark = pytest.mark.usefixtures("quick_compilation")

VOID = {"meta", "br", "img", "hr", "link", "input"}
EVIL, EVIL_TEXT, EVIL_TARGET = "<script>alert(1)</script>", '"><img src=x onerror=y>', "a & b </title>"


class Page(HTMLParser):
    """A page of HTML: which elements it has, its tables, and its text. Every element must be closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags = list[str](), list[str]()
        self.attributes = list[dict[str, str | None]]()
        self.tables = list[list[list[str]]]()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, header: str) -> dict[str, list[str]]:
        """The rows below the header of the first table whose header begins so, by their first cells."""
        (rows, *_) = (rows for rows in self.tables if rows[0][0].startswith(header))
        return {row[0]: row[1:] for row in rows[1:]}


def write_houses(path: Path, rows: int = 150, seed: int = 0) -> None:
    """A regression with a skewed target, dates, missing numbers, and names and texts that are markup."""
    rng = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([EVIL, "sold", "kind", EVIL_TARGET])
        for _ in range(rows):
            size, day, kind = rng.uniform(1, 4), rng.randint(1, 28), rng.choice([EVIL_TEXT, "plain", "élan"])
            price = np.exp(size + (kind == "plain") + rng.gauss(0, 0.2))
            shown = "" if rng.random() < 0.1 else f"{size:.3f}"
            writer.writerow([shown, f"2024-{rng.randint(1, 12):02d}-{day:02d}", kind, f"{price:.3f}"])


def train(table_path: Path, target: str, out: Path, **options: object) -> Checkpoint:
    split = {name: options.pop(name) for name in ("group",) if name in options}
    table = read_table(table_path, target=target, **split)  # type: ignore[arg-type]
    result = fit(
        default_network(table, hidden=(8,)),
        table,
        key=jax.random.key(0),
        **{"epochs": 30, "restarts": 2, "ensemble": 2, "log_every": 1} | options,
    )
    return save(out, make_checkpoint(result, table, table_name=table_path.name, seed=0))


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with houses.csv, new.csv of the same kind, and houses.safetensors."""
    directory = tmp_path_factory.mktemp("houses")
    write_houses(directory / "houses.csv")
    write_houses(directory / "new.csv", rows=80, seed=1)
    train(directory / "houses.csv", EVIL_TARGET, directory / "houses.safetensors", target_scale="asinh")
    return directory


def write_report(checkpoint: Path | str, file: Path, out: Path) -> Page:
    status, errors = run_main("report", str(checkpoint), str(file), "--out", str(out))
    assert (status or 0, errors) == (0, "")
    return Page(out.read_text())


def numbers(text: str) -> list[float]:
    """All numbers in a text."""
    return [float(each.replace(",", "").replace("−", "-")) for each in re.findall(r"−?[\d,]*\.?\d+", text)]


def test_a_page_needs_nothing_from_elsewhere(animals: Path, animals_checkpoint: str, tmp_path: Path) -> None:
    page = write_report(animals_checkpoint, animals / "animals.csv", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"https?:|url\(|@import|//\w", text)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    links = [each["href"] for each in page.attributes if "href" in each]
    places = [each["id"] for each in page.attributes if "id" in each]
    assert links == [f"#{place}" for place in places]


def test_drawings_and_tables_can_be_read_aloud(animals: Path, animals_checkpoint: str, tmp_path: Path) -> None:
    page = write_report(animals_checkpoint, animals / "animals.csv", tmp_path / "report.html")
    drawings = [each for tag, each in zip(page.tags, page.attributes, strict=True) if tag == "svg"]
    seen = [each for each in drawings if each.get("role") == "img"]
    assert all(each.get("aria-hidden") == "true" for each in drawings if each not in seen)
    assert page.tags.count("desc") == len(seen) == page.tags.count("title") - 1
    headers = [each for tag, each in zip(page.tags, page.attributes, strict=True) if tag == "th"]
    assert all(each.get("scope") in ("row", "col") for each in headers)
    assert page.tags.count("caption") == page.tags.count("table")


def test_on_the_file_of_training_the_metrics_are_those_of_training(
    animals: Path, animals_checkpoint: str, tmp_path: Path
) -> None:
    page = write_report(animals_checkpoint, animals / "animals.csv", tmp_path / "report.html")
    record = load(animals_checkpoint).training
    assert "animals.csv holds the rows of training" in page.text
    assert record.split in page.text
    shown = page.table("metric")
    assert list(shown) == list(record.metrics)
    for name, value in record.metrics.items():
        assert shown[name][0] == f"{value:.3f}"
        if name in record.baseline:
            assert shown[name][2] == f"{record.baseline[name]:.3f}"
    confusion = page.table("kind ↓")
    assert [[int(cell) for cell in row[:3]] for row in confusion.values()] == [list(row) for row in record.confusion]


def test_importance_is_that_of_the_command(
    animals: Path, animals_checkpoint: str, nudge_here: Nudge, tmp_path: Path
) -> None:
    page = write_report(animals_checkpoint, animals / "animals.csv", tmp_path / "report.html")
    printed = nudge_here("importance", animals_checkpoint, str(animals / "animals.csv")).stdout.splitlines()[1:]
    rows = [re.split(r"\s{2,}", line) for line in printed]
    shown = page.table("column")
    assert list(shown) == [row[0] for row in rows]
    for name, rise, _, gradient in rows:
        assert numbers(shown[name][1])[0] == pytest.approx(abs(float(rise)), rel=0.01)
        assert numbers(shown[name][3])[0] == pytest.approx(float(gradient), rel=0.01)
    described = next(rows for rows in page.tables if rows[0][1] == "type")
    assert {row[0]: row[4] for row in described[1:]} == {name: cells[1] for name, cells in shown.items()}
    frame = pl.read_csv(animals / "animals.csv", infer_schema=False)
    missing = frame["size, cm"].fill_null("NA").is_in(["", "NA"]).sum()
    (size,) = (row for row in described if row[0] == "size, cm")
    assert size[3].startswith(f"{missing} (")


def test_on_another_file_the_metrics_are_of_its_rows(houses: Path, tmp_path: Path) -> None:
    page = write_report(houses / "houses.safetensors", houses / "new.csv", tmp_path / "report.html")
    assert "Measured on 80 rows of new.csv, which is not the file of training" in page.text
    checkpoint = load(houses / "houses.safetensors")
    frame = pl.read_csv(houses / "new.csv", infer_schema=False)
    values = values_of_frame(checkpoint.columns, checkpoint.column_specs, frame)
    y = frame[EVIL_TARGET].cast(float).to_numpy()
    estimate = Predictor(checkpoint).predict(values)
    errors = estimate.mean - y
    shown = page.table("metric")
    assert numbers(shown["RMSE"][0])[0] == pytest.approx((errors**2).mean() ** 0.5, rel=5e-3)
    assert numbers(shown["RMSE"][2])[0] == pytest.approx(y.std(), rel=5e-3)
    assert numbers(shown["MAE"][0])[0] == pytest.approx(np.abs(errors).mean(), rel=5e-3)
    assert numbers(shown["RMSE"][3])[0] == pytest.approx(checkpoint.training.metrics["RMSE"], rel=5e-3)
    assert estimate.interval is not None
    inside = ((estimate.interval[:, 0] <= y) & (y <= estimate.interval[:, 1])).mean()
    (share,) = re.findall(r"holds the actual number in ([\d.]+) %", page.text)
    assert float(share) == pytest.approx(100 * inside, abs=0.5)
    assert f"The residuals of 80 rows, from {np.min(-errors):.3g}".replace("-", "−") in page.text
    first = column_importances(checkpoint, values, y)[0]
    assert next(iter(page.table("column"))) == first.name


def test_the_rows_of_training_are_known_in_another_format_but_not_in_another_order(
    houses: Path, tmp_path: Path
) -> None:
    """The target is drawn together, which changes the table but not its inputs."""
    assert load(houses / "houses.safetensors").target_scaling.knee
    frame = pl.read_csv(houses / "houses.csv", try_parse_dates=True)
    frame.write_parquet(tmp_path / "same.parquet")
    frame[::-1].write_parquet(tmp_path / "reversed.parquet")
    same, other = (
        write_report(houses / "houses.safetensors", tmp_path / f"{name}.parquet", tmp_path / f"{name}.html")
        for name in ("same", "reversed")
    )
    assert "same.parquet holds the rows of training" in same.text
    assert "which is not the file of training" in other.text


def test_no_name_in_a_file_becomes_markup(houses: Path, tmp_path: Path) -> None:
    page = write_report(houses / "houses.safetensors", houses / "houses.csv", tmp_path / "report.html")
    assert not {"script", "img"} & set(page.tags)
    for text in (EVIL, EVIL_TEXT, EVIL_TARGET):
        assert text in page.text
    assert f"Predicting {EVIL_TARGET}" in page.text


def test_the_same_command_writes_the_same_page(houses: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_report(houses / "houses.safetensors", houses / "houses.csv", tmp_path / name / "report.html")
    assert (tmp_path / "first/report.html").read_bytes() == (tmp_path / "second/report.html").read_bytes()


def test_rows_that_training_left_out_or_kept_together_are_known_too(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [f"{rng.gauss(0, 1)},{index % 9},{rng.choice('abc')}" for index in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,patient,kind", *rows, "0.5,3,single", "0.1,4,"]) + "\n")
    train(tmp_path / "t.csv", "kind", tmp_path / "t.safetensors", group="patient")
    page = write_report(tmp_path / "t.safetensors", tmp_path / "t.csv", tmp_path / "report.html")
    assert "t.csv holds the rows of training" in page.text
    assert "of 9 values of patient" in page.text


def write_passengers(path: Path, seed: int) -> pl.DataFrame:
    """Two classes, of which each row's chance is known."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 80, 120)
    survived = np.where(rng.uniform(size=120) < 1 / (1 + np.exp(age / 10 - 4)), "yes", "no")
    frame = pl.DataFrame({"age": age, "deck": rng.choice(["A", "B"], 120), "survived": survived})
    frame.write_csv(path)
    return frame


def test_two_classes_are_measured_with_the_threshold_of_the_checkpoint(tmp_path: Path) -> None:
    write_passengers(tmp_path / "t.csv", seed=0)
    frame = write_passengers(tmp_path / "new.csv", seed=1)
    checkpoint = train(tmp_path / "t.csv", "survived", tmp_path / "t.safetensors", threshold=0.3)
    page = write_report(tmp_path / "t.safetensors", tmp_path / "new.csv", tmp_path / "report.html")
    values = values_of_frame(checkpoint.columns, checkpoint.column_specs, frame)
    probability = Predictor(checkpoint).predict(values).mean.astype(float)
    is_one, label = frame["survived"].to_numpy() == "yes", probability >= 0.3
    counts = [[int((label[is_one == row] == column).sum()) for column in (False, True)] for row in (False, True)]
    confusion = page.table("survived ↓")
    assert [[int(cell) for cell in row[:2]] for row in confusion.values()] == counts
    log_loss = -np.log(np.where(is_one, probability, 1 - probability)).mean()
    share = is_one.mean()
    baseline = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert page.table("metric")["log loss"][0] == f"{log_loss:.3f}"
    assert page.table("metric")["log loss"][2] == f"{baseline:.3f}"
    assert "The network is better than the baseline: its log loss is " in page.text
    assert f"it is {100 * (1 - log_loss / baseline):.0f} % smaller" in page.text
    assert "The label is yes from a probability of 0.300 on." in page.text


def test_rows_that_were_learned_from_prove_nothing(tmp_path: Path) -> None:
    write_passengers(tmp_path / "t.csv", seed=0)
    train(tmp_path / "t.csv", "survived", tmp_path / "t.safetensors", validation=0.0, folds=1)
    page = write_report(tmp_path / "t.safetensors", tmp_path / "t.csv", tmp_path / "report.html")
    assert "On rows that the network has learned from, its log loss is" in page.text
    assert "none of them were held out" in page.text
    assert "verdict good" not in [each.get("class") for each in page.attributes]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('"size, cm",color,wild,constant\n1,grün,true,7\n', "expected the target kind, found no such column; name"),
        ('"size, cm",color,wild,constant,kind\n1,grün,true,7,\n', "expected a value of kind in some row, found none;"),
        ('"size, cm",color,wild,constant,kind\n1,grün,true,7,cat\n2,grün,true,7,elk\n', "found 'elk' in row 2; leave"),
        ('"size, cm",wild,constant,kind\n1,true,7,cat\n', "found no color; name a file that has it"),
    ],
)
def test_a_file_that_cannot_be_measured_on_is_refused(
    animals_checkpoint: str, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "new.csv").write_text(content)
    out = tmp_path / "report.html"
    status, errors = run_main("report", animals_checkpoint, str(tmp_path / "new.csv"), "--out", str(out))
    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors
    assert f"{tmp_path}/new.csv: expected" in errors
    assert not out.exists()


def test_other_wrong_input_is_refused(
    animals: Path, animals_checkpoint: str, checkpoints: Path, tmp_path: Path
) -> None:
    file, out = str(animals / "animals.csv"), str(tmp_path / "report.html")
    (tmp_path / "folder.html").mkdir()
    for arguments, message in (
        (
            (animals_checkpoint, file, "--out", "report.pdf"),
            "--out: expected a name that ends in .html, found 'report.pdf'",
        ),
        ((str(checkpoints / "xor.safetensors"), file, "--out", out), "found one of a truth table; see it with"),
        ((animals_checkpoint, file, "--out", str(tmp_path / "folder.html")), "expected a place to write to, found"),
        ((animals_checkpoint, str(tmp_path / "none.csv"), "--out", out), "none.csv"),
    ):
        status, errors = run_main("report", *arguments)
        assert (status, errors.count("\n")) == (2, 1), errors
        assert message in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.html"]
