"""JAX's settings for the command line: a cache of compiled programs, and one flag of XLA."""

from __future__ import annotations

import os

import click
import jax

from model.inference import keep_programs

# Up to this size XLA compiles the body of a loop into one function; a chunk of restarts needs the larger limit.
XLA_LOOP_FLAG = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1048576"


def configure_jax() -> None:
    """Keep compiled programs in the user's cache directory, and let XLA compile a chunk's loop into one function."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {XLA_LOOP_FLAG}".strip()
    keep_programs()


def check_platform() -> None:
    """Start JAX's devices.

    Raises:
        click.UsageError: if there are none of those that JAX_PLATFORMS and JAX_NUM_CPU_DEVICES ask for.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        if (count := os.environ.get("JAX_NUM_CPU_DEVICES", "1")) == "0":
            words = f"JAX_NUM_CPU_DEVICES must be at least 1, not {count}; set it to 1 or unset it"
        else:
            platform = os.environ.get("JAX_PLATFORMS")
            words = f"JAX_PLATFORMS is {platform}, and JAX cannot compute on it here; set it to cpu"
        raise click.UsageError(words) from None
