"""The rules of the house: which room imports which, how large modules and functions are, and names in the documents."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAX_TOP_MODULES, MAX_MODULE_LINES, MAX_FUNCTION_LINES, MAX_LOCALS, MAX_CLASS_LINES = 18, 300, 50, 15, 150
# Functions and classes above a limit, each with its reason.
EXCEPTIONS: dict[str, str] = {}

FACE = "model"  # the public face, which hands on names of every room
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("model", "serve")
    for path in sorted((ROOT / package).rglob("*.py"))
}
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
DOCUMENTS += [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "bench").rglob("*.md"))]


def imported_modules(source: str, sources: dict[str, Path] = SOURCES) -> Iterator[str]:
    """Every module of ours that a source imports, at its top or in a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in sources)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                if module in sources or node.module in sources:
                    yield module if module in sources else node.module


def allowed_imports() -> tuple[dict[str, str], dict[str, set[str]]]:
    """The table in CONTRIBUTING.md: the room of each module or folder, and the rooms that each room may import."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(
        r"^\| (\w+) \| ([^|]+) \|([^|]*)\|$", text.split("## The rooms")[1].split("\n## ")[0], re.MULTILINE
    )
    rooms, allowed = {}, {}
    for room, members, imports in rows:
        if room == "room":
            continue
        rooms |= {member.strip("/"): room for member in re.findall(r"`([\w/]+)`", members)}
        allowed[room] = {room, *filter(None, imports.replace(" ", "").split(","))}
    return rooms, allowed


def room_of(module: str, rooms: dict[str, str]) -> str:
    package, _, rest = module.partition(".")
    if module == FACE:
        return "the public face"
    if package == "serve":
        return rooms["serve/learning" if rest.split(".")[0] == "learning" else "serve"]
    return rooms[rest.split(".")[0]]


def forbidden_imports(sources: dict[str, str]) -> list[str]:
    """The imports that the table does not allow, each as text."""
    rooms, allowed = allowed_imports()
    return [
        f"{module} ({room_of(module, rooms)}) imports {imported} ({room_of(imported, rooms)})"
        for module, source in sources.items()
        if module != FACE
        for imported in imported_modules(source)
        if room_of(imported, rooms) not in allowed[room_of(module, rooms)]
    ]


def test_each_room_imports_only_what_the_table_allows() -> None:
    assert forbidden_imports({module: path.read_text() for module, path in SOURCES.items()}) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.network", "from model.checkpoint import load"),
        ("model.checkpoint", "def f():\n    from model.training import fit"),
        ("model.tables.files", "import model.checking.check"),
        ("serve.predict", "from model.training.fit import train"),
        ("serve.app", "from serve.learning.checks import check_range"),
        ("serve.learning.training", "from model.commands.train import train"),
        ("model.inference", "from serve import app"),
        ("model.metrics", "from model import fit"),
    ],
)
def test_an_import_against_the_table_is_found(module: str, source: str) -> None:
    assert len(forbidden_imports({module: source})) == 1


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: set(imported_modules(path.read_text())) for module, path in SOURCES.items() if module != FACE}
    while graph:
        leaves = {module for module, imported in graph.items() if not imported & graph.keys() - {module}}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {module: imported for module, imported in graph.items() if module not in leaves}


def test_the_init_of_a_room_imports_nothing() -> None:
    for path in ROOT.glob("model/*/__init__.py"):
        assert len(ast.parse(path.read_text()).body) == 1, path


def test_the_top_of_model_stays_small() -> None:
    assert len(list((ROOT / "model").glob("*.py"))) <= MAX_TOP_MODULES


def test_modules_classes_and_functions_stay_small() -> None:
    found = []
    for module, path in SOURCES.items():
        source = path.read_text()
        if source.count("\n") > MAX_MODULE_LINES:
            found.append(f"{module}: {source.count(chr(10))} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found += [f"{module}.{node.name}: {excess}" for excess in excesses(node)]
    assert [each for each in found if each.split(":")[0] not in EXCEPTIONS] == []


def excesses(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
    first = node.body[0]
    is_documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    assert node.end_lineno is not None
    assert first.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1 - (first.end_lineno - first.lineno + 1 if is_documented else 0)
    if isinstance(node, ast.ClassDef):
        if lines > MAX_CLASS_LINES:
            yield f"{lines} lines"
        return
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    if lines > MAX_FUNCTION_LINES:
        yield f"{lines} lines"
    if len(names) > MAX_LOCALS:
        yield f"{len(names)} locals"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    for name in re.findall(r"\b[\w./-]+\.(?:py|md|c|toml|txt|svg|cff)\b", text):
        if name in USERS_FILES or name.startswith(("http", "//")):
            continue
        folders = [ROOT, document.parent, *(path for path in ROOT.glob("*/") if path.name in FOLDERS)]
        assert any((folder / name).exists() for folder in folders) or list((ROOT / "model").rglob(name)), name


# Files that belong to the reader, and folders in which a bare name is looked for.
USERS_FILES = {"error.svg", "my_module.py", "model.py", "serve.py", "gunicorn.conf.py"}
FOLDERS = {"model", "serve", "tests", "bench", "docs"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_dotted_name_that_a_document_names_is_there(document: Path) -> None:
    for name in set(re.findall(r"\b((?:model|serve|bench)(?:\.\w+)+)", document.read_text())):
        if not name.endswith((".py", ".md", ".c")):
            resolve(name)


def resolve(name: str) -> object:
    """The module or attribute of a dotted name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if (ROOT / module.replace(".", "/")).with_suffix(".py").exists() or (ROOT / module.replace(".", "/")).is_dir():
            found: object = importlib.import_module(module)
            for part in parts[length:]:
                found = getattr(found, part)
            return found
    raise AssertionError(f"there is no {name}")


def test_the_questions_of_contributing_name_files_that_are_there() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Where does it go?")[1].split("\n## ")[0]
    answers = re.findall(r"\| `([\w/.]+)` \|$", section, re.MULTILINE)
    assert len(answers) == 10
    assert all((ROOT / answer).exists() for answer in answers)
