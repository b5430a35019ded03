"""The files in docs/deploy: the dashboard and the alerts against a real scrape, and the image against the manifest.

The tests with `promtool` are skipped where it is not installed. On Debian it is in the package prometheus.
"""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model import Checkpoint, save
from tests.conftest import ROOT
from tests.serve.serving import get, serving

DEPLOY = ROOT / "docs" / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
ALERTS = (DEPLOY / "alerts.yml").read_text()
# Labels that Prometheus adds to what it scrapes.
ADDED_LABELS = {"job", "instance"}
# Texts that training never saw are answered, and counted.
UNSEEN = "/models/open/predict?a=&b=0"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@pytest.fixture(scope="module")
def scrape(environment: dict[str, str], solved: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Prometheus gets from a service that was asked for several things."""
    directory = tmp_path_factory.mktemp("models")
    columns = tuple(msgspec.structs.replace(column, is_open=True) for column in solved.column_specs)
    save(directory / "xor.safetensors", solved)
    save(directory / "open.safetensors", replace(solved, column_specs=columns))
    settings = {"NUDGE_CHECKPOINTS": str(directory), "NUDGE_MODEL": "xor", "NUDGE_ACCESS_LOG": "1"}
    with serving(environment | settings, tmp_path_factory.mktemp("service")) as (_, port):
        for target, status in (("/predict?a=1&b=0", 200), (UNSEEN, 200), ("/predict", 400), ("/v2/health/ready", 200)):
            assert get(port, target)[0] == status
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            text: str = reply.read().decode()
    return text


@pytest.fixture(scope="module")
def labels_of(scrape: str) -> dict[str, set[str]]:
    """The names of the labels of each series in the scrape, by its name."""
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard, and the text in which its labels are shown."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["expr"], annotation["titleFormat"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
            assert found
            yield found[1], f"{{{{{found[2]}}}}}"


def alert_queries() -> Iterator[tuple[str, str]]:
    """The same of the alerts."""
    for alert in ALERTS.split("- alert: ")[1:]:
        query, summary = re.split(r"\n {8}(?:for|labels|annotations):", alert.partition("expr: >-\n")[2], maxsplit=1)
        yield query, summary.replace("$labels.", "")


QUERIES = [*dashboard_queries(), *alert_queries()]


@pytest.mark.parametrize(("query", "shown"), QUERIES, ids=[str(index) for index in range(len(QUERIES))])
def test_every_metric_and_label_of_a_query_is_scraped(query: str, shown: str, labels_of: dict[str, set[str]]) -> None:
    selectors = re.findall(r"\b(nudge_\w+)(?:\{([^}]*)\})?", query)
    assert selectors
    known = set(ADDED_LABELS)
    for name, matchers in selectors:
        assert name in labels_of
        assert (
            set(re.findall(r"(\w+) ?(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", matchers)))
            <= labels_of[name] | ADDED_LABELS
        )
        known |= labels_of[name]
    grouped = ",".join(re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right) ?\(([^)]*)\)", query))
    assert set(re.findall(r"\w+", grouped)) <= known
    assert set(re.findall(r"\{\{ ?(\w+) ?\}\}", shown)) <= known


def test_the_document_names_every_metric_and_no_other(scrape: str) -> None:
    families = {family.name for family in text_string_to_metric_families(scrape) if family.name.startswith("nudge_")}
    document = (ROOT / "docs" / "operating.md").read_text()
    named = {name.removesuffix("_total") for name in re.findall(r"\bnudge_\w+", document)}
    assert named == families


def test_every_panel_says_what_it_shows() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"${datasource}"}


@needs_promtool
def test_the_alerts_are_right_and_fire_when_they_should() -> None:
    subprocess.run(["promtool", "check", "rules", "alerts.yml"], cwd=DEPLOY, check=True)
    subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=DEPLOY, check=True)


@needs_promtool
def test_every_query_of_the_dashboard_is_right(tmp_path: Path) -> None:
    """Each query becomes a rule, which promtool can check. JSON is YAML."""
    rules = [
        {"record": f"query:{index}", "expr": query.replace("$__rate_interval", "5m")}
        for index, (query, _) in enumerate(dashboard_queries())
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    run = subprocess.run(["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"{len(rules)} rules found" in run.stdout


@needs_promtool
def test_the_metrics_are_as_prometheus_wants_them(scrape: str) -> None:
    run = subprocess.run(["promtool", "check", "metrics"], input=scrape, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_every_alert_is_tried() -> None:
    names = set(re.findall(r"- alert: (\w+)", ALERTS))
    tried = re.findall(
        r"alertname: (\w+)(?:, exp_alerts: \[\]|\n {8}exp_alerts:\n {10}- )", (DEPLOY / "alerts_test.yml").read_text()
    )
    assert names
    assert all(tried.count(name) >= 2 for name in names), "an alert must be tried when it fires and when it does not"


def test_the_manifest_fits_the_image() -> None:
    """The same user, one writable directory, and the command, port and directory of models of the image."""
    image = dict(re.findall(r"^(?:ENV )?(\w+)[= ](.+)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE))
    document = (ROOT / "docs" / "operating.md").read_text()
    manifest = document.split("kind: Deployment\n")[1].split("\n---\n")[0]
    user, _, group = image["USER"].partition(":")
    assert f"runAsUser: {user}, runAsGroup: {group}" in manifest
    assert "readOnlyRootFilesystem: true" in manifest
    assert f"{{name: run, mountPath: {image['TMPDIR']}}}" in manifest
    assert f"mountPath: {image['NUDGE_CHECKPOINTS']}, readOnly: true" in manifest
    assert set(re.findall(r"(?:port|containerPort): (\d+)", manifest)) == {image["EXPOSE"]}
    assert json.loads(image["CMD"]) == ["nudge", "serve", "--host", "0.0.0.0", "--port", image["EXPOSE"]]
    assert "command: [nudge" not in manifest
    assert image["STOPSIGNAL"] == "SIGTERM"
