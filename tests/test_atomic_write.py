"""A file appears whole or not at all."""

from pathlib import Path

import pytest

from model import CheckpointError
from model.atomic_write import NotWrittenError, atomic_write


def test_a_finished_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in (b"first", b"second"):
        with atomic_write(path, "name another") as (file, finish):
            file.write(content)
            finish()
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_a_file_that_is_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path, "name another") as (file, _):
        file.write(b"new")
    with pytest.raises(ZeroDivisionError), atomic_write(path, "name another"):
        _ = 1 / 0
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error_type", [NotWrittenError, CheckpointError])
def test_a_file_that_cannot_be_written_is_refused_in_one_sentence(tmp_path: Path, error_type: type[ValueError]) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "below"
    with pytest.raises(error_type) as caught, atomic_write(path, "name another", error_type):
        pass
    assert type(caught.value) is error_type
    assert str(caught.value) == f"{path}: expected a place to write to, found file exists; name another"
