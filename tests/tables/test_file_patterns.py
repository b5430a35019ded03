"""Which files a pattern names, and what is made from them is called."""

from pathlib import Path

import pytest

from model import TableError
from model.tables.file_patterns import expand_paths, stem_of_paths


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("part-10.csv", "part-2.csv", "part-x.txt", "deep/er/part-3.csv", "a[1].csv", "a1.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "part-folder.csv").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pattern_names_the_sorted_files_that_match(folder: Path) -> None:
    assert expand_paths("part-*.csv") == ("part-10.csv", "part-2.csv")
    assert expand_paths("part-?.*") == ("part-2.csv", "part-x.txt")
    assert expand_paths("**/part-*.csv") == ("deep/er/part-3.csv", "part-10.csv", "part-2.csv")
    assert expand_paths([folder / "part-[2x]*", "a1.csv"]) == (
        str(folder / "part-2.csv"),
        str(folder / "part-x.txt"),
        "a1.csv",
    )


def test_a_file_with_the_name_of_a_pattern_comes_first(folder: Path) -> None:
    assert expand_paths("a[1].csv") == ("a[1].csv",)
    (folder / "a[1].csv").unlink()
    assert expand_paths("a[1].csv") == ("a1.csv",)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (
            "none-*.csv",
            "none-*.csv: expected a file that matches this pattern, found none; mend the pattern, or name a",
        ),
        ("*\0", "*\0: expected a file that matches this pattern, found none; "),
        ("part-fo*", "part-fo*: expected a file that matches this pattern, found none; "),
        (["part-2.csv", "part-*.csv"], "part-2.csv: expected different files, found this one twice; name it once"),
        (["a1.csv", "./a1.csv"], "./a1.csv: expected different files, found this one twice; name it once"),
        ([], "expected a file, found none; name one"),
    ],
)
def test_no_file_or_the_same_twice_is_one_sentence(folder: Path, paths: str | list[str], message: str) -> None:
    with pytest.raises(TableError) as caught:
        expand_paths(paths)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("part-2.csv", "part-2"),
        ("part-*.csv", "part"),
        ("data/part_?.csv", "part"),
        ("data/[ab]*.csv", "data"),
        ("data/**/*.csv", "data"),
        ("2024-*/sales.csv", "sales"),
        ("*.csv", "table"),
        ("../*", "table"),
        ("/*", "table"),
        ("a[1].csv", "a[1]"),
    ],
)
def test_what_is_made_from_files_is_called_as_what_is_the_same_in_all(folder: Path, path: str, stem: str) -> None:
    assert stem_of_paths(path) == stem_of_paths([path, "other.csv"]) == stem
