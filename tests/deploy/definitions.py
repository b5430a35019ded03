"""The published definitions of Kubernetes resources, reduced to the fields that the files in docs/deploy use.

    python -m tests.deploy.definitions DEFINITION.yaml…

The arguments are the files of a release that define the resources: of Kubeflow Trainer in manifests/base/crds, of
JobSet in config/components/crd/bases. The result is definitions.json. So a field that it does not have is a misspelt
one, or one that is new in docs/deploy: then run this again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

MANIFESTS = sorted((ROOT / "docs" / "deploy").glob("*.yaml"))
DEFINITIONS = Path(__file__).with_name("definitions.json")
# What a schema says of a value itself.
KEPT = ("type", "enum", "required", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "pattern")

Schema = dict[str, Any]


def resources(path: Path) -> list[dict[str, Any]]:
    """The documents of a file."""
    import yaml

    return list(yaml.safe_load_all(path.read_text()))


def reduced(schema: Schema, value: Any) -> Schema:
    """A JSON schema that accepts what the published one does, of those fields that the value has.

    Kubernetes refuses a field that it does not know, so the result does too.
    """
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {name: schema[name] for name in KEPT if name in schema}
    if isinstance(value, list):
        parts = [reduced(schema["items"], each) for each in value]
        return kept | {"items": merged(parts)} if parts else kept
    if not isinstance(value, dict) or not {"properties", "additionalProperties"} & schema.keys():
        return kept
    if "properties" not in schema:
        return kept | {"additionalProperties": reduced(schema["additionalProperties"], None)}
    fields = {name: reduced(schema["properties"][name], each) for name, each in value.items()}
    return kept | {"properties": fields, "additionalProperties": False}


def merged(parts: list[Schema]) -> Schema:
    """One schema for the elements of a list, of which each has other fields."""
    whole: Schema = {}
    for part in parts:
        for name, value in part.items():
            whole[name] = merged([whole.get(name, {}), value]) if isinstance(value, dict) else value
    return whole


def main() -> None:
    definitions = {}
    for path in map(Path, sys.argv[1:]):
        (definition,) = resources(path)
        (version,) = definition["spec"]["versions"]
        found = [each for manifest in MANIFESTS for each in resources(manifest)]
        kind = definition["spec"]["names"]["kind"]
        schema = version["schema"]["openAPIV3Schema"]
        schema["properties"]["metadata"] = {
            "type": "object",
            "properties": {"name": {"type": "string"}, "labels": {"additionalProperties": {"type": "string"}}},
        }
        parts = [reduced(schema, each) for each in found if each["kind"] == kind]
        definitions[f"{definition['spec']['group']}/{version['name']} {kind}"] = merged(parts)
    DEFINITIONS.write_text(json.dumps(definitions, indent=1) + "\n")


if __name__ == "__main__":
    main()
