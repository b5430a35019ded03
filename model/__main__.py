"""`python -m model` is `nudge`. Ctrl-C is heard before the commands, and JAX with them, are imported."""

from typing import NoReturn

from model.commands.interrupts import interrupts


def main() -> NoReturn:
    """Run the command line."""
    interrupts.listen()
    from model.commands import cli

    cli.main()


if __name__ == "__main__":
    main()
