"""JAX's settings for the command line: the cache of compiled programs, and the platform."""

from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"JAX_NUM_CPU_DEVICES": "many"}, '"many" for JAX flag jax_num_cpu_devices; correct or unset it'),
        ({"JAX_ENABLE_X64": "perhaps"}, "'perhaps' for environment 'JAX_ENABLE_X64'; correct or unset it"),
        ({"JAX_NUM_CPU_DEVICES": "0"}, "must be at least 1, not 0; set it to 1 or unset it"),
        ({"JAX_NUM_CPU_DEVICES": "0", "JAX_PLATFORMS": "cpu"}, "must be at least 1, not 0; set it to 1 or unset it"),
    ],
)
@pytest.mark.parametrize("command", [TRAIN, ("show", "checkpoints/xor.safetensors")], ids=["train", "show"])
def test_a_variable_that_jax_does_not_understand_is_one_sentence(
    nudge: Nudge, command: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    run = nudge(*command, **variables)
    assert run.returncode == 2
    assert run.stderr.startswith("nudge: JAX")
    assert run.stderr.endswith(f"{words}\n")
    assert run.stderr.count("\n") == 1
