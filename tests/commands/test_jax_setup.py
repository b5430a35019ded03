"""JAX's settings for the command line: the cache of compiled programs, and the platform."""

from pathlib import Path

from tests.conftest import Nudge

TRAIN = ("train", "--epochs", "100")


def test_compiled_programs_are_kept_in_the_cache_of_the_user(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge(*TRAIN, XDG_CACHE_HOME=str(tmp_path / "cache")).returncode == 0
    assert list((tmp_path / "cache" / "nudge").iterdir())


def test_a_command_works_without_a_cache(nudge: Nudge, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = nudge(*TRAIN, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert run.returncode == 0
    assert run.stderr == ""


def test_a_cache_with_a_url_is_left_to_jax(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge(*TRAIN, JAX_COMPILATION_CACHE_DIR="gs://nudge/cache").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_an_unknown_platform_is_one_sentence_and_status_2(nudge: Nudge, checkpoints: Path) -> None:
    run = nudge("show", str(checkpoints / "xor.safetensors"), JAX_PLATFORMS="nonsense")
    assert run.returncode == 2
    assert run.stderr == "nudge: JAX_PLATFORMS is nonsense, and JAX cannot compute on it here; set it to cpu\n"
