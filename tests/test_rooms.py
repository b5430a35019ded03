"""What may import what, and the public names."""

import subprocess
import sys

import pytest

import model
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import model", ("flask", "serve", "click", "rich", "gunicorn")),
        ("import serve.gunicorn_conf", ("jax", "model", "numpy")),
        ("from serve import create_app", ("jax", "model", "numpy")),
        ("import serve.predict, serve.registry, serve.health, serve.errors", ("rich", "click.testing", "polars")),
    ],
)
def test_imports_stay_within_their_layer(program: str, absent: tuple[str, ...]) -> None:
    check = f"{program}; import sys; print([name for name in {absent!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    allowed = {"click"} if "serve" in program else set()  # Flask's own
    assert set(eval(run.stdout)) <= allowed


def test_every_bench_can_be_started() -> None:
    names = sorted(path.stem for path in (ROOT / "bench").glob("*.py"))
    program = "; ".join(f"import bench.{name}" for name in names)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_importing_the_model_starts_no_computation() -> None:
    check = "import model; from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_every_public_name_is_there_and_documented() -> None:
    for name in model.__all__:
        value = getattr(model, name)
        assert value.__doc__ or name == "Params", name
    assert sorted(model.__all__) == model.__all__
