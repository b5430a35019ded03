"""JAX's settings for the command line: a cache of compiled programs, and one flag of XLA."""

from __future__ import annotations

import os
from pathlib import Path

import click
import jax

# Up to this size XLA compiles the body of a loop into one function; a chunk of restarts needs the larger limit.
XLA_LOOP_FLAG = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1048576"


def configure_jax() -> None:
    """Keep compiled programs in the user's cache directory, and let XLA compile a chunk's loop into one function.

    Raises:
        click.UsageError: if this machine does not have the platform that JAX_PLATFORMS names.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {XLA_LOOP_FLAG}".strip()
    cache = _cache_directory()
    if cache is not None:
        settings = {
            "jax_compilation_cache_dir": cache,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": 0,
        }
        for name, value in settings.items():
            jax.config.update(name, value)  # type: ignore[no-untyped-call]
    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        platform = os.environ.get("JAX_PLATFORMS")
        raise click.UsageError(
            f"JAX_PLATFORMS is {platform}, and JAX cannot compute on it here; set it to cpu"
        ) from None


def _cache_directory() -> str | None:
    """JAX's own setting, which may be a URL, or a folder in the user's cache directory; None if it is not writable."""
    setting = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if setting and "://" in setting:
        return setting
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    cache = Path(setting) if setting else user / "nudge"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(cache) if os.access(cache, os.W_OK | os.X_OK) else None
