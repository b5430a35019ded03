"""gunicorn's application for the service, which works beside anyone's model.py, serve.py or gunicorn.conf.py."""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication


class ServiceApplication(WSGIApplication):
    """Serves `serve:create_app()` with the configuration in serve/gunicorn_conf.py."""

    def init(self, parser: Any, opts: Any, args: Any) -> None:
        """Name the application and its configuration, unless the options name others."""
        opts.config = opts.config or "python:serve.gunicorn_conf"
        super().init(parser, opts, args or ["serve:create_app()"])  # type: ignore[no-untyped-call]

    def chdir(self) -> None:
        """Change the directory, but leave it off sys.path, where gunicorn would put it first."""
        assert self.cfg is not None
        os.chdir(self.cfg.chdir)

    def run(self) -> None:
        """Serve until a signal ends it."""
        # The command that gunicorn runs for its next master, after SIGUSR2.
        sys.argv = ["-P", "-m", "serve", *sys.argv[1:]]
        super().run()  # type: ignore[no-untyped-call]
