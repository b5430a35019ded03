"""`python -m model` is `nudge`."""

from model.cli import main

main()
