"""The commands, the code and the names in README.md and in docs/ work as they are printed."""

import doctest
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from model.commands.cli import COMMANDS, main
from serve import create_app
from tests.conftest import ROOT
from tests.serve.serving import serving

README = (ROOT / "README.md").read_text()


def code_blocks(language: str) -> list[str]:
    """The code blocks in README.md with this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git has. It uses the environment of these tests instead of a new one."""
    target = tmp_path_factory.mktemp("clone")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, target / name)
    for name in ("pyproject.toml", "constraints.txt"):  # older than the environment, so that make installs nothing
        os.utime(target / name, (1, 1))
    return target


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_the_commands_train_serve_and_answer_the_request(copy: Path, environment: dict[str, str]) -> None:
    train, serve = code_blocks("sh")[0].strip().splitlines()
    (curl,) = code_blocks("sh")[1].strip().splitlines()
    reply = json.loads(code_blocks("json")[0])
    venv = os.environ.get("VENV", str(ROOT / ".venv"))
    settings = environment | {"VENV": str(ROOT / venv), "PYTHONPATH": str(copy)}

    trained = subprocess.run(train.split(), cwd=copy, env=settings, capture_output=True, text=True, timeout=300)
    assert trained.returncode == 0, trained.stderr
    assert "4 of 4 rows right" in trained.stdout
    assert trained.stdout.splitlines()[-1] == "Serve it: make serve"

    port = free_port()
    with subprocess.Popen(
        [*serve.split(), f"PORT={port}"], cwd=copy, env=settings, stderr=subprocess.PIPE, start_new_session=True
    ) as service:
        try:
            assert service.stderr is not None
            for line in service.stderr:
                if b"Listening at" in line:
                    break
            command = curl.replace("localhost:8000", f"127.0.0.1:{port}").replace("curl", "curl -sS")
            answer = json.loads(
                subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60).stdout
            )
        finally:
            os.killpg(service.pid, signal.SIGTERM)
    assert list(answer) == list(reply)
    assert answer["label"] == reply["label"] == 1
    assert answer["model"] == reply["model"]
    assert answer["prediction"] == pytest.approx(reply["prediction"], abs=1e-3)


def test_the_first_python_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    script = code_blocks("python")[0]
    exec(script, {})
    printed = capsys.readouterr().out
    assert "The gradients agree" in printed
    assert "[0.002" in printed


def test_the_commands_and_the_code_for_a_file_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They run on a file with the columns that they name."""
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in code_blocks("sh") if block.startswith("nudge train")]
    train, curl = block.strip().splitlines()
    write_penguins(tmp_path / "penguins.csv")
    monkeypatch.setattr("sys.argv", [*train.split(), "--epochs", "20"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "rows held out; multiclass" in capsys.readouterr().out
    client = create_app().test_client()
    answer = client.get(curl.split("8000", 1)[1].rstrip("'")).get_json()
    expected = json.loads(code_blocks("json")[1])
    assert list(answer) == list(expected)
    assert answer["label"] == expected["label"] == "Adelie"
    assert list(answer["prediction"]) == list(expected["prediction"])
    exec(code_blocks("python")[1], {})
    assert "accuracy" in capsys.readouterr().out


def write_penguins(path: Path) -> None:
    """Write a table of penguins with random sizes."""
    rng = random.Random(0)
    lines = ["island,bill_length_mm,flipper_length_mm,body_mass_g,sex,species"]
    for species, bill, flipper in (("Adelie", 39, 190), ("Chinstrap", 49, 196), ("Gentoo", 47, 217)) * 40:
        mass = "" if rng.random() < 0.1 else round(rng.gauss(4200, 500))
        sizes = f"{rng.gauss(bill, 2):.1f},{rng.gauss(flipper, 6):.0f}"
        lines.append(f"{rng.choice(['Dream', 'Biscoe'])},{sizes},{mass},{rng.choice(['male', 'female'])},{species}")
    path.write_text("\n".join(lines))


def test_the_client_of_the_open_inference_protocol_works(
    environment: dict[str, str], checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tritonclient.http")
    with serving(environment | {"NUDGE_CHECKPOINTS": str(checkpoints)}, tmp_path) as (_, port):
        exec(code_blocks("python")[2].replace("localhost:8000", f"127.0.0.1:{port}"), {})
    assert capsys.readouterr().out == "[0 1 1 0]\n"


def test_docs_name_every_setting_of_the_service() -> None:
    sources = (ROOT / "serve" / "gunicorn_conf.py").read_text() + (ROOT / "serve" / "settings.py").read_text()
    names = set(re.findall(r"NUDGE_[A-Z_]+|WEB_CONCURRENCY", sources))
    docs = (ROOT / "docs" / "operating.md").read_text()
    for name in names - {"NUDGE_RUNTIME", "NUDGE_REPLACEMENT", "NUDGE_LEARNING_SOCKET"}:  # the configuration sets them
        assert f"`{name}`" in docs, name


def test_the_kubernetes_manifests_name_paths_that_answer(checkpoints: Path) -> None:
    yaml = pytest.importorskip("yaml")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "operating.md").read_text(), re.DOTALL | re.MULTILINE)
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    assert kinds == ["Deployment", "InferenceService"]
    client = create_app({"NUDGE_CHECKPOINTS": str(checkpoints)}).test_client()
    for path in set(re.findall(r"path: (/v2\S+?),", text)):
        assert client.get(path).status_code == 200


def test_the_readme_names_every_command_and_every_target_of_make() -> None:
    for name in COMMANDS:
        assert f"`{name} " in README, name
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in set(targets) - {"help", "core", "install"}:
        assert f"`{target}`" in README, target


def test_the_files_that_the_readme_names_are_there() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r"^  ?([a-z]+/|[a-z_]+\.py)", README, re.MULTILINE):
        places = [ROOT / name, ROOT / "model" / name, ROOT / "serve" / name]
        assert any(place.exists() for place in places), name


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_examples_in_docs_run(page: Path) -> None:
    failed, _ = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0
