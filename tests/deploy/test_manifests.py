"""The manifests in docs/deploy, against the published definitions of the resources that they describe."""

import json
import re
from copy import deepcopy
from typing import Any

import pytest

from model.commands.train import train
from tests.conftest import ROOT
from tests.deploy.definitions import DEFINITIONS, MANIFESTS, resources

# Both are in the group dev, through its clients and through schemathesis, on one Python alone.
yaml = pytest.importorskip("yaml")
jsonschema_rs = pytest.importorskip("jsonschema_rs")

RESOURCES = [each for path in MANIFESTS for each in resources(path)]
SCHEMAS = json.loads(DEFINITIONS.read_text())
STARTED = {
    "trainjob.yaml": ["--coordinator", "--processes", "--process-id"],
    "jobset.yaml": ["--coordinator", "--processes", "--process-id"],
    "nudge.sbatch": ["--distributed"],
    "many-processes.sh": ["--coordinator", "--processes", "--process-id"],
}


def faults(resource: dict[str, Any]) -> list[str]:
    schema = SCHEMAS[f"{resource['apiVersion']} {resource['kind']}"]
    validator = jsonschema_rs.validator_for(schema)
    return [error.message for error in validator.iter_errors(resource)]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each["kind"])
def test_a_manifest_has_only_fields_that_are_published(resource: dict[str, Any]) -> None:
    assert faults(resource) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "failurePolicy", "restartStrategy"), "Blocking"),
        (("spec", "failurePolicy", "maxRestart"), 3),
        (("spec", "failurePolicy", "maxRestarts"), "3"),
        (("spec", "replicatedJobs", 0, "template", "spec", "template", "spec", "containers"), [{"image": "nudge"}]),
    ],
)
def test_a_mistake_is_found(place: tuple[str | int, ...], value: object) -> None:
    (jobset,) = (deepcopy(each) for each in RESOURCES if each["kind"] == "JobSet")
    *path, last = place
    inner = jobset
    for step in path:
        inner = inner[step]
    inner[last] = value
    assert len(faults(jobset)) == 1


def test_both_kinds_of_pods_are_alike() -> None:
    """What Kubeflow sets is written out in the JobSet, and the rest is the same."""
    kinds = {each["kind"]: each for each in RESOURCES}
    jobset, runtime = kinds["JobSet"]["spec"], kinds["TrainingRuntime"]["spec"]["template"]["spec"]
    (alone,), (under_kubeflow,) = (each["replicatedJobs"] for each in (jobset, runtime))
    job, other = alone["template"]["spec"], under_kubeflow["template"]["spec"]
    trainer = kinds["TrainJob"]["spec"]["trainer"]
    (container,), (bare,) = (each["template"]["spec"]["containers"] for each in (job, other))
    assert job["completions"] == job["parallelism"] == trainer["numNodes"]
    assert {each["name"]: each.get("value") for each in container["env"]}["PROCESSES"] == str(job["completions"])
    assert container["resources"] == trainer["resourcesPerNode"]
    assert container["command"] == trainer["command"]
    assert {*container} - {*bare} == {"command", "args", "ports", "resources"}
    bare["env"] = container["env"]
    assert bare == {name: container[name] for name in bare}
    assert other == {name: job[name] for name in other} | {"template": other["template"]}
    assert jobset["failurePolicy"] == runtime["failurePolicy"]


def test_the_coordinator_is_the_first_pod_of_the_service_that_jobset_makes() -> None:
    (jobset,) = (each for each in RESOURCES if each["kind"] == "JobSet")
    (job,) = jobset["spec"]["replicatedJobs"]
    (container,) = job["template"]["spec"]["template"]["spec"]["containers"]
    name, (port,) = jobset["metadata"]["name"], container["ports"]
    address = f"{name}-{job['name']}-0-0.{name}:{port['containerPort']}"
    assert f"--coordinator={address}" in container["args"]


@pytest.mark.parametrize("name", STARTED)
def test_a_file_starts_nudge_with_options_that_it_has(name: str) -> None:
    lines = (ROOT / "docs" / "deploy" / name).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    known = {option for parameter in train.params for option in parameter.opts}
    of_others = {"--kill-on-bad-exit"}
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - of_others
    assert used - known == set()
    assert {*STARTED[name], "--resume"} <= used
