"""`python -m model` is `nudge`. It listens for Ctrl-C before it imports the commands, and JAX with them."""

from typing import NoReturn

from model.commands.interrupts import interrupts


def main() -> NoReturn:
    """Run the command line."""
    interrupts.listen()
    from model.commands import cli

    cli.main()


if __name__ == "__main__":
    main()
