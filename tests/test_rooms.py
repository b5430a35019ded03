"""What each package loads, the public names of `model`, and the docstrings of everything public in it."""

import ast
import dataclasses
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NoReturn

import click
import msgspec
import pytest

import model
from tests.conftest import ROOT

# Public names that are aliases of types. They have no docstring.
ALIASES = {"Params"}
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example")
# Public functions whose docstrings have no sections yet.
WITHOUT_SECTIONS = {
    "model.checking.gradient_programs.stack_gradients",
    "model.checking.line_programs.moved_point",
    "model.checking.line_programs.slope_or_zero",
    "model.checking.line_programs.slopes_or_zeros",
}


def run_python(program: str) -> str:
    """What a program prints in its own process."""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return run.stdout


@pytest.mark.parametrize(
    ("program", "unneeded"),
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
def test_a_package_does_not_load_what_it_does_not_need(program: str, unneeded: tuple[str, ...]) -> None:
    loaded = run_python(f"{program}; import sys; print([name for name in {unneeded!r} if name in sys.modules])")
    assert loaded == "[]\n"


def test_every_benchmark_can_be_imported() -> None:
    names = sorted(path.stem for path in (ROOT / "bench").glob("*.py"))
    assert names
    run_python("; ".join(f"import bench.{name}" for name in names))


def test_importing_the_public_names_starts_no_computation() -> None:
    program = "from model import *; from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    assert run_python(program) == "False\n"


def test_the_public_names_are_sorted_and_can_be_imported() -> None:
    assert sorted(model.__all__) == model.__all__
    for name in model.__all__:
        assert getattr(model, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'model' has no attribute 'nudges'"):
        model.nudges  # noqa: B018


@pytest.mark.parametrize("name", sorted(set(model.__all__) - ALIASES))
def test_a_public_name_has_a_docstring_with_sections_for_all_that_it_has(name: str) -> None:
    assert docstring_faults(getattr(model, name)) == []


def test_every_public_function_of_a_module_has_a_docstring_with_sections() -> None:
    all_faults = {name: docstring_faults(value, needs_example=False) for name, value in public_functions()}
    assert len(all_faults) > 200
    assert {name: faults for name, faults in all_faults.items() if faults and name not in WITHOUT_SECTIONS} == {}


def public_functions() -> Iterator[tuple[str, Any]]:
    """Every function and class with fields that a module of `model` defines, and its dotted name."""
    for module_info in pkgutil.walk_packages(model.__path__, "model."):
        module = import_module(module_info.name)
        for name, value in vars(module).items():
            is_defined_here = getattr(value, "__module__", None) == module_info.name
            if name.startswith("_") or not is_defined_here or isinstance(value, click.Command):
                continue
            if inspect.isfunction(inspect.unwrap(value)) or (inspect.isclass(value) and has_fields(value)):
                yield f"{module_info.name}.{name}", value


def docstring_faults(value: Any, *, needs_example: bool = True) -> list[str]:
    """What the docstring of a function or class lacks, and what it describes that is not there.

    It must be in Google's style. A class describes its fields, and a function its arguments and what it returns.
    """
    docstring = written_docstring(value)
    if docstring is None:
        return ["no docstring"]
    sections = sections_of(docstring)
    described = described_names(sections.get("Args", "")) | described_names(sections.get("Attributes", ""))
    if inspect.isclass(value):
        missing, unknown = fields_of(value) - described, described - fields_of(value) - known_names(value)
        return [f"{name} is missing" for name in sorted(missing)] + [f"{name} is unknown" for name in sorted(unknown)]
    signature = inspect.signature(value)
    parameters = set(signature.parameters)
    faults = [f"{name} is missing" for name in sorted(parameters - described)]
    faults += [f"{name} is unknown" for name in sorted(described - parameters)]
    returns_nothing = signature.return_annotation in (None, NoReturn, "None", "NoReturn")
    if not returns_nothing and not {"Returns", "Yields"} & sections.keys():
        faults.append("Returns is missing")
    if needs_example and "Example" not in sections:
        faults.append("Example is missing")
    return faults


def written_docstring(value: Any) -> str | None:
    """The docstring in the source. `__doc__` is not enough, because Python generates one for a dataclass."""
    (definition,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(value))).body
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    return ast.get_docstring(definition)


def sections_of(docstring: str) -> dict[str, str]:
    """The text of each section of a docstring, by the section's name."""
    parts = re.split(rf"^({'|'.join(SECTIONS)}):\n", docstring, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described_names(section: str) -> set[str]:
    """The names that a section of arguments or attributes describes."""
    return set(re.findall(r"^    (\w+): \S", section, re.MULTILINE))


def has_fields(value: type) -> bool:
    """Whether a class is a dataclass, a named tuple or a struct."""
    return dataclasses.is_dataclass(value) or issubclass(value, msgspec.Struct) or hasattr(value, "_fields")


def fields_of(value: type) -> set[str]:
    """The fields of a class without those of its bases, or the parameters of its own constructor."""
    if has_fields(value):
        return {name for name in inspect.get_annotations(value) if not name.startswith("_")}
    return set(inspect.signature(value).parameters) if "__init__" in vars(value) else set()


def known_names(value: type) -> set[str]:
    """The names that a class has, and those to which its constructor assigns."""
    return set(dir(value)) | set(re.findall(r"\bself\.(\w+)", inspect.getsource(value)))


def without_docstring(x: int) -> int:
    return x


def with_a_wrong_argument(x: int, *, y: int = 0) -> int:
    """Add two numbers.

    Args:
        x: a number.
        z: another number.
    """
    return x + y


def without_options(x: int, **options: int) -> None:
    """Add nothing.

    Args:
        x: a number.

    Example:
        >>> without_options(1)
    """


def with_everything(x: int, **options: int) -> Iterator[int]:
    """Yield a number.

    Args:
        x: the number.
        options: not used.

    Yields:
        The number.

    Example:
        >>> list(with_everything(1))
        [1]
    """
    yield x


@dataclasses.dataclass
class WithAGeneratedDocstring:
    x: int


@dataclasses.dataclass
class WithoutAField:
    """A pair.

    Attributes:
        x: the first number.
        z: another number.
    """

    x: int
    y: int


class WithoutAParameter:
    """A number.

    Args:
        x: the number.
    """

    def __init__(self, x: int, y: int) -> None:
        self.x = x + y


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        (without_docstring, ["no docstring"]),
        (with_a_wrong_argument, ["y is missing", "z is unknown", "Returns is missing", "Example is missing"]),
        (without_options, ["options is missing"]),
        (with_everything, []),
        (WithAGeneratedDocstring, ["no docstring"]),
        (WithoutAField, ["y is missing", "z is unknown"]),
        (WithoutAParameter, ["y is missing"]),
    ],
)
def test_a_faulty_docstring_is_found(value: Callable[..., Any], faults: list[str]) -> None:
    assert docstring_faults(value) == faults
