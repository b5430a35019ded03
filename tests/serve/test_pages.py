"""How pages and their files are answered, and what the service says of models for them."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from model import Checkpoint, load, save
from model.tables.columns import CategoricalColumn, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import read_date
from model.tables.parsing import parse_json
from tests.conftest import ROOT
from tests.examples import checkpoint_of
from tests.pages.models import COLUMNS
from tests.pages.models import checkpoint_of as checkpoint_of_all_kinds
from tests.serve.examples import application

pytestmark = pytest.mark.core

STATIC = ROOT / "serve" / "static"
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
SERVED = [name for name in FILES if not name.endswith(".d.ts")]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
MAX_COMPRESSED = 150 * 1024


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    directory = tmp_path_factory.mktemp("models")
    save(directory / "xor.safetensors", solved)
    for task in ("binary", "multiclass", "regression"):
        save(directory / f"{task}.safetensors", checkpoint_of_all_kinds(task))
    save(directory / "sizes.safetensors", checkpoint_of("regression"))
    (directory / "broken.safetensors").write_bytes(b"no checkpoint")
    return directory


@pytest.fixture(scope="module")
def client(directory: Path) -> FlaskClient:
    app = application(directory)
    app.extensions["nudge"].scan()  # a file counts as broken after two looks
    return app.test_client()


def described(client: FlaskClient, name: str) -> Any:
    return client.get(f"/models/{name}/description").json


def test_every_file_is_sent_as_it_is_with_the_headers_of_pages(client: FlaskClient) -> None:
    types = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for name in SERVED:
        reply = client.get(f"/static/{name}")
        assert reply.status_code == (404 if name == "learn.html" else 200)
        if name == "learn.html":
            continue
        assert reply.data == (STATIC / name).read_bytes()
        assert reply.mimetype == types.get(name.rsplit(".", 1)[1], "text/plain")
        assert reply.headers.getlist("Content-Security-Policy") == [POLICY]
        assert reply.headers.getlist("Cache-Control") == ["no-cache"]
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Vary"] == "Accept-Encoding"
        assert reply.headers["X-Request-ID"]


def test_the_pages_are_files_too(client: FlaskClient) -> None:
    for path, name in (("/models", "models.html"), ("/models/xor", "model.html"), ("/models/nothing", "model.html")):
        assert client.get(path).data == (STATIC / name).read_bytes()
    start = client.get("/", headers={"Host": "elsewhere.example"})
    assert (start.status_code, start.headers["Location"], start.data) == (303, "/models", b"")


def test_the_page_for_learners_is_there_if_it_is_asked_for(directory: Path) -> None:
    client = application(directory, LEARN="1").test_client()
    assert client.get("/").headers["Location"] == "/learn"
    assert client.get("/learn").status_code == (200 if "learn.html" in FILES else 404)
    assert described(client, "xor")["has_learning"] is True
    assert (client.get("/models.json").json or {})["has_learning"] is True


def test_without_pages_their_paths_are_as_unknown_as_any(directory: Path) -> None:
    client = application(directory, PAGES="0", LEARN="1").test_client()
    paths = ("/", "/learn", "/models", "/models/xor", "/models.json", "/models/xor/description", "/static/pages.css")
    for path in paths:
        reply = client.get(path)
        assert reply.status_code == 404
        assert reply.json == {"error": f"there is nothing at '{path}'; predictions are at /predict"}
    assert not [path for path in (client.get("/openapi.json").json or {})["paths"] if path in paths]
    with_keys = application(directory, PAGES="0", API_KEYS="k").test_client()
    assert {with_keys.get(path).status_code for path in paths} == {401}


def test_gzip_is_sent_to_those_who_take_it(client: FlaskClient) -> None:
    plain = (STATIC / "pages.css").read_bytes()
    for accepted in ("gzip", "br, gzip;q=0.5", "*", "GZIP"):
        reply = client.get("/static/pages.css", headers={"Accept-Encoding": accepted})
        assert reply.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(reply.data) == plain
        assert int(reply.headers["Content-Length"]) == len(reply.data) < len(plain)
    for accepted in ("", "br", "gzip;q=0", "identity", "*;q=0", ",;="):
        reply = client.get("/static/pages.css", headers={"Accept-Encoding": accepted})
        assert reply.data == plain


def test_a_browser_that_has_a_file_is_told_so(client: FlaskClient) -> None:
    tags = []
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        tag = client.get("/models", headers=headers).headers["ETag"]
        tags.append(tag)
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            reply = client.get("/models", headers={**headers, "If-None-Match": sent})
            assert (reply.status_code, reply.data) == (304, b"")
            assert reply.headers["ETag"] == tag
            assert reply.headers["Content-Security-Policy"] == POLICY
            assert "Content-Length" not in reply.headers
        assert client.get("/models", headers={**headers, "If-None-Match": '"other"'}).status_code == 200
    assert len({*tags, client.get("/static/pages.css").headers["ETag"]}) == 3


def test_head_has_the_headers_of_get(client: FlaskClient) -> None:
    for path in ("/models", "/models/xor", "/static/pages.css", "/"):
        head, get = client.head(path), client.get(path)
        assert head.data == b""
        for name in ("ETag", "Content-Length", "Content-Type", "Location"):
            assert head.headers.get(name) == get.headers.get(name)


def test_only_get_and_head_are_taken(client: FlaskClient) -> None:
    for path in ("/", "/models", "/models/xor", "/static/pages.css", "/models.json", "/models/xor/description"):
        for method in ("POST", "PUT", "DELETE"):
            reply = client.open(path, method=method)
            assert reply.status_code == 405
            assert reply.json == {"error": f"'{path}' takes GET, not '{method}'"}


def test_nothing_outside_of_the_folder_is_sent(client: FlaskClient, directory: Path) -> None:
    for path in (
        *("..", "../pages.py", "../../pyproject.toml", "%2e%2e/pages.py", "..%2fpages.py", "%2fetc%2fpasswd"),
        *("/etc/passwd", "vendor/../pages.css", "./pages.css", "vendor", "vendor/", "pages.css/", "PAGES.CSS"),
        *("pages.css%00", "vendor/uplot.d.ts", "vendor\\uplot.js", "%ff", "x" * 3000),
    ):
        reply = client.get(f"/static/{path}")
        assert reply.status_code == 404
        assert list(reply.json or {}) == ["error"]
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_pages_need_no_key_and_what_they_ask_for_needs_one(directory: Path) -> None:
    client = application(directory, API_KEYS="secret").test_client()
    for path in ("/", "/models", "/models/xor", "/models/nothing", "/static/pages.css"):
        assert client.get(path).status_code in (200, 303)
        assert client.head(path).status_code in (200, 303)
        assert client.post(path).status_code == 401
    for path in ("/models.json", "/models/xor/description", "/models/xor/predict?a=1&b=0", "/static", "/models/", "/x"):
        assert client.get(path).status_code == 401
    assert client.get("/models.json", headers={"X-API-Key": "secret"}).status_code == 200


def test_the_routes_of_pages_are_few_labels(client: FlaskClient) -> None:
    def counts() -> dict[str, float]:
        found = re.findall(r'nudge_request_seconds_count\{route="([^"]*)".* (\S+)', client.get("/metrics").text)
        totals = dict[str, float]()
        for route, count in found:
            totals[route] = totals.get(route, 0.0) + float(count)
        return totals

    before = counts()
    for path in ("/static/pages.css", "/static/nothing", "/static/a/b", "/models/xor", "/models/x", "/models", "/"):
        client.get(path)
    grown = {route for route, count in counts().items() if count > before.get(route, 0.0)} - {"/metrics"}
    assert grown == {"/", "/models", "/models/<name>", "/static/<path:page>"}


def files_of(page: str) -> set[str]:
    """The files that a page loads: those that it names, and those that they import."""
    found, left = set[str](), {page}
    while left:
        name = left.pop()
        found.add(name)
        text, folder = (STATIC / name).read_text(), (STATIC / name).parent
        named = {part.removeprefix("/static/") for part in re.findall(r'(?:src|href)="(/static/[^"]+)"', text)}
        if name.endswith(".js"):
            for imported in re.findall(r'(?:from|import)\s*\(?\s*"(\.{1,2}/[^"]+)"', text):
                named.add((folder / imported).resolve().relative_to(STATIC).as_posix())
        left |= named - found
    return found


@pytest.mark.parametrize("page", [name for name in SERVED if name.endswith(".html")])
def test_a_page_with_all_that_it_loads_is_small(page: str) -> None:
    names = files_of(page)
    assert len(names) > 3
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes(), mtime=0)) for name in names}
    assert sum(sizes.values()) <= MAX_COMPRESSED, sizes


def test_every_file_of_others_has_its_version_and_its_licence() -> None:
    text = (STATIC / "vendor" / "README.md").read_text()
    for path in (STATIC / "vendor").glob("*.*"):
        assert path.name == "README.md" or path.name.endswith(".d.ts") or f"| `{path.name}` |" in text
    for licence in re.findall(r"`(licences/[\w.]+)`", text):
        assert "opyright" in (STATIC / "vendor" / licence).read_text()
    assert "uPlot 1.6.32" in text
    assert "(v1.6.32)" in (STATIC / "vendor" / "uplot.js").read_text()[:100]


def test_the_list_says_which_models_answer(client: FlaskClient, directory: Path) -> None:
    listed = {model["name"]: model for model in (client.get("/models.json").json or {})["models"]}
    assert list(listed) == ["binary", "broken", "multiclass", "regression", "sizes", "xor"]
    assert listed["xor"] == {
        **{"name": "xor", "state": "ready", "is_default": True, "target": "xor", "task": "binary"},
        **{"version": load(directory / "xor.safetensors").version, "columns": 2, "classes": [0, 1]},
    }
    assert (listed["broken"]["state"], listed["broken"]["is_default"]) == ("broken", False)
    assert listed["broken"]["failure"].startswith("broken.safetensors: expected a safetensors file")
    assert str(directory) not in str(listed)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_description_is_that_of_the_checkpoint(client: FlaskClient, directory: Path, task: str) -> None:
    checkpoint, found = load(directory / f"{task}.safetensors"), described(client, task)
    record = checkpoint.training
    assert (found["name"], found["version"], found["task"]) == (task, checkpoint.version, task)
    assert (found["target"], tuple(found["classes"])) == ("y", checkpoint.classes)
    assert found["threshold"] == (0.375 if task == "binary" else None)
    assert found["target_range"] == ([15.0, 250.0] if task == "regression" else None)
    assert (found["has_spread"], found["has_interval"]) == (True, task == "regression")
    assert {metric["name"]: metric["value"] for metric in found["metrics"]} == record.metrics
    for metric in found["metrics"]:
        assert tuple(metric["interval"]) == record.intervals[metric["name"]]
        assert metric["baseline"] == record.baseline[metric["name"]]
    assert (found["training"]["rows"], found["training"]["split"]) == (480, "120 rows, drawn at random")
    network = checkpoint.network
    assert found["training"]["networks"] == [
        {"sizes": list(network.sizes), "activation": "tanh", "count": 3, "sees_bins": False}
    ]
    assert found["limits"]["bytes"] == 8 * 1024 * 1024


def test_the_columns_of_a_description_are_those_of_the_checkpoint(client: FlaskClient) -> None:
    columns = described(client, "binary")["columns"]
    assert [column["name"] for column in columns] == list(COLUMNS)
    for column, spec in zip(columns, COLUMNS.values(), strict=True):
        assert column["takes_missing"] == (spec.missing or spec.is_open)
        # Every value that is named is one that the service takes, and lies in the range of training.
        numbers = [parse_json(spec, each) for each in (column["usual"], *column["values"])]
        assert not np.isnan(numbers).any()
        if isinstance(spec, CategoricalColumn):
            assert tuple(column["values"]) == spec.categories
            assert column["takes_others"] == (spec.is_pooled or spec.is_open)
            continue
        assert (column["low"], column["high"]) == (spec.minimum, spec.maximum)
        assert min(numbers) >= column["low"]
        assert max(numbers) <= column["high"]
        assert sorted(numbers[1:]) == numbers[1:]
        assert column["kind"] == ("date" if isinstance(spec, DateColumn) else "number")
    by_name = {column["name"]: column for column in columns}
    assert by_name["size (cm)"]["values"] == [4.0, 9.0, 10.0, 15.0]
    assert (by_name["colour"]["usual"], by_name["price"]["unit"]) == ("red", "$")
    day = COLUMNS["day"]
    assert isinstance(day, DateColumn)
    edges = np.array(day.edges) * day.scale + day.mean
    # The days at the edges of the bins, without the first and the last.
    assert [read_date(text, "ymd") for text in by_name["day"]["values"]] == pytest.approx(edges[1:-1], abs=43_200)


def test_columns_without_a_range_have_one_to_try(client: FlaskClient) -> None:
    first, _ = described(client, "xor")["columns"]
    assert (first["low"], first["high"], first["values"], first["is_known"]) == (0.0, 1.0, [0.0, 1.0], True)
    size = described(client, "sizes")["columns"][0]
    spec = NumericColumn(10.0, 4.0)
    assert (size["low"], size["high"], size["is_known"]) == (spec.center - 8, spec.center + 8, False)
    constant = described(client, "sizes")["columns"][2]
    assert (constant["low"], constant["high"], constant["values"]) == (5.0, 5.0, [5.0])


def test_an_unknown_or_broken_model_has_no_description(client: FlaskClient) -> None:
    for name, status in (("nothing", 404), ("broken", 503)):
        reply = client.get(f"/models/{name}/description")
        assert reply.status_code == status
        assert name in (reply.json or {})["error"]
        assert ("Retry-After" in reply.headers) == (status == 503)


def test_the_usual_row_can_be_predicted(client: FlaskClient) -> None:
    for name in ("xor", "binary", "multiclass", "regression", "sizes"):
        row = {column["name"]: column["usual"] for column in described(client, name)["columns"]}
        reply = client.post(f"/models/{name}/predict", json=row)
        assert reply.status_code == 200
        assert "notes" not in (reply.json or {})
