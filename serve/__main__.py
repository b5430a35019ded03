"""`python -m serve`: gunicorn with the service's configuration. All options are gunicorn's."""

from __future__ import annotations

import os

from serve import gunicorn_conf


def main() -> None:
    """Serve until a signal ends it."""
    # gunicorn reads this variable when it is imported, and fails if it is empty.
    os.environ["WEB_CONCURRENCY"] = str(gunicorn_conf.workers)
    from serve.gunicorn_app import ServiceApplication

    ServiceApplication().run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
