"""The worst bodies that the service takes: none needs more memory than docs/operating.md says, and none is a 500."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

# docs/operating.md: what a body of 8 MiB takes, above the memory of a worker that has answered nothing.
MEGABYTES = 300


def test_no_body_takes_more_memory_than_the_docs_say(environment: dict[str, str], tmp_path: Path) -> None:
    assert f"takes at most {MEGABYTES} MB more" in (ROOT / "docs" / "operating.md").read_text()
    command = [sys.executable, "-m", "tests.serve.worst_bodies", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(lines) > 50
    assert {line["status"] for line in lines} == {200, 400, 413}
    assert [line for line in lines if line["megabytes"] > MEGABYTES] == []
    for line in lines:
        if "as it takes" in line["name"]:
            assert line["status"] == 200, line
        if "too many" in line["name"] or "empty objects" in line["name"]:
            assert line["status"] in (400, 413), line
