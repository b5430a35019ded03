"""What each package loads, and the public face of `model`."""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest

import model
from tests.conftest import ROOT

# Type aliases, which have no docstring of their own.
ALIASES = {"Params"}


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import model", ("jax", "flask", "serve", "click", "rich", "gunicorn")),
        ("import model.commands.cli", ("jax", "numpy", "optax", "polars", "rich", "matplotlib", "model.training")),
        ("import serve.gunicorn_conf", ("jax", "model.network", "numpy")),
        ("from serve import create_app", ("jax", "model.network", "numpy")),
        (
            "import serve.predict, serve.registry, serve.health, serve.open_inference, serve.errors",
            ("optax", "rich", "click.testing", "polars", "matplotlib", "model.checking", "model.training"),
        ),
    ],
)
def test_a_package_does_not_load_what_it_does_not_need(program: str, absent: tuple[str, ...]) -> None:
    check = f"{program}; import sys; print([name for name in {absent!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_every_benchmark_can_be_imported() -> None:
    names = sorted(path.stem for path in (ROOT / "bench").glob("*.py"))
    program = "; ".join(f"import bench.{name}" for name in names)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_importing_every_public_name_starts_no_computation() -> None:
    check = "from model import *; from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_the_public_names_are_sorted_and_can_be_imported() -> None:
    assert sorted(model.__all__) == model.__all__
    for name in model.__all__:
        assert getattr(model, name) is not None


@pytest.mark.parametrize("name", sorted(set(model.__all__) - ALIASES))
def test_every_public_name_has_a_docstring_in_googles_style(name: str) -> None:
    assert docstring_faults(getattr(model, name)) == []


def docstring_faults(value: Any) -> list[str]:
    """What a public function or class lacks in its docstring."""
    written = written_docstring(value)
    if written is None:
        return ["a docstring of its own"]
    sections = sections_of(written)
    if inspect.isclass(value):
        described = entries(sections.get("Attributes", "")) | entries(sections.get("Args", ""))
        return [f"attribute {field}" for field in sorted(fields_of(value) - described)]
    signature = inspect.signature(value)
    described, expected = entries(sections.get("Args", "")), set(signature.parameters)
    faults = [f"argument {each}" for each in sorted(expected ^ described)]
    if signature.return_annotation not in (None, "None") and not {"Returns", "Yields"} & sections.keys():
        faults.append("Returns")
    return faults if "Example" in sections else [*faults, "Example"]


def written_docstring(value: Any) -> str | None:
    """The docstring that stands in the source; dataclasses and named tuples have a generated one otherwise."""
    (definition,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(value))).body
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    return ast.get_docstring(definition)


def sections_of(docstring: str) -> dict[str, str]:
    parts = re.split(r"^(Args|Attributes|Returns|Yields|Raises|Example):\n", docstring, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(section: str) -> set[str]:
    return set(re.findall(r"^    (\w+): \S", section, re.MULTILINE))


def fields_of(value: Any) -> set[str]:
    """The fields that a class itself adds to those of its bases."""
    if dataclasses.is_dataclass(value) or issubclass(value, msgspec.Struct | tuple):
        return {name for name in inspect.get_annotations(value) if not name.startswith("_")}
    return set(inspect.signature(value).parameters) - {"args", "kwargs"} if "__init__" in vars(value) else set()


def undocumented(x: int) -> int:
    return x


def half_documented(x: int, *, y: int = 0) -> int:
    """Add two numbers.

    Args:
        x: a number.
        z: another one.
    """
    return x + y


@dataclasses.dataclass
class Generated:
    x: int


@dataclasses.dataclass
class Incomplete:
    """A pair.

    Attributes:
        x: the first.
    """

    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        (undocumented, ["a docstring of its own"]),
        (half_documented, ["argument y", "argument z", "Returns", "Example"]),
        (Generated, ["a docstring of its own"]),
        (Incomplete, ["attribute y"]),
    ],
)
def test_a_faulty_docstring_is_found(value: Any, faults: list[str]) -> None:
    assert docstring_faults(value) == faults
