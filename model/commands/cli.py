"""The command line `nudge`: its commands, and its exit status."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import NoReturn

import click

from model.messages import DISTRIBUTION, RefusalError, describe_error, escape_unprintable, refusing_variables_of_jax

# Each is a module of this package, imported when the command is run.
COMMANDS = ("ask", "check", "explain", "importance", "inspect", "predict", "report", "show", "sweep", "train")
# These check the platform themselves, when all processes are joined.
MANY_PROCESSES = ("sweep", "train")
# Other packages add commands here, as the service does.
ENTRY_POINTS = "nudge.commands"

FAILED, BAD_INPUT = 1, 2


class CommandGroup(click.Group):
    """The commands of this package and those that other packages add, each imported only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*COMMANDS, *(entry.name for entry in entry_points(group=ENTRY_POINTS))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name in COMMANDS:
            with refusing_variables_of_jax():
                command: click.Command = getattr(import_module(f"model.commands.{cmd_name}"), cmd_name)
            return command
        for entry in entry_points(group=ENTRY_POINTS, name=cmd_name):
            added: click.Command = entry.load()
            return added
        return None


@click.group(cls=CommandGroup, invoke_without_command=True, subcommand_metavar="COMMAND [ARGS]...")
@click.version_option(package_name=DISTRIBUTION, prog_name="nudge")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train a small neural network on a table, check its gradients, and serve it."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(BAD_INPUT)
    if context.invoked_subcommand in COMMANDS:
        from model.commands.jax_setup import check_platform, configure_jax

        configure_jax()
        if context.invoked_subcommand not in MANY_PROCESSES:
            check_platform()


def main() -> NoReturn:
    """Run the command line, and exit.

    The status is 0 when all is done, 1 if training diverged or a gradient is wrong, 2 for bad input, and 130 after
    Ctrl-C.
    """
    try:
        sys.exit(cli.main(prog_name="nudge", standalone_mode=False))
    except OSError as error:  # of standard output: the commands handle the errors of all files that they read or write
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            sys.exit(FAILED)
        _exit(f"standard output cannot be written to: {describe_error(error)}; send it elsewhere", FAILED)
    except (click.ClickException, RefusalError, ArithmeticError, RuntimeError) as error:
        if (ending := ending_of(error)) is None:
            raise
        _exit(*ending)


def ending_of(error: BaseException) -> tuple[str, int] | None:
    """What is said of an error, and the exit status; None if nobody expected it.

    Args:
        error: what a command has raised.

    Returns:
        The sentence and the status.
    """
    if isinstance(error, click.ClickException):
        return error.format_message(), BAD_INPUT
    if isinstance(error, RefusalError):
        return str(error), BAD_INPUT
    # Their modules load too slowly for the top.
    from jax.errors import JaxRuntimeError

    from model.training.result import DivergedError

    if isinstance(error, DivergedError):
        return f"{error}. Nothing was written.", FAILED
    if isinstance(error, JaxRuntimeError):
        return f"JAX cannot compute this: {str(error).splitlines()[0]}; ask for less", FAILED
    return None


def _exit(message: str, status: int) -> NoReturn:
    click.echo(f"nudge: {escape_unprintable(message)}", err=True)
    sys.exit(status)
