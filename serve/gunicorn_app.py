"""gunicorn's application for the service. It works in any folder, even one with a model.py or a gunicorn.conf.py."""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication

APPLICATION = "serve:create_app()"
CONFIGURATION = "python:serve.gunicorn_conf"


class ServiceApplication(WSGIApplication):
    """Serves `serve:create_app()` with the configuration in serve/gunicorn_conf.py, unless the options name others."""

    def __init__(self) -> None:
        self._arguments = sys.argv
        super().__init__("%(prog)s [OPTIONS]", prog="nudge serve")  # type: ignore[no-untyped-call]

    def init(self, parser: Any, opts: Any, args: Any) -> None:
        """Name the application and its configuration."""
        assert self.cfg is not None
        environment_options = parser.parse_args(self.cfg.get_cmd_args_from_env())
        opts.config = opts.config or environment_options.config or CONFIGURATION
        super().init(parser, opts, args or [APPLICATION])  # type: ignore[no-untyped-call]

    def load_config(self) -> None:
        """Read the options, at the start and again after SIGHUP."""
        sys.argv = self._arguments
        super().load_config()  # type: ignore[no-untyped-call]
        # gunicorn starts its next master with this after SIGUSR2. The options alone would not name `-m serve`.
        sys.argv = sys.orig_argv[1:]

    def chdir(self) -> None:
        """Change the directory. gunicorn would also put it first on sys.path, where it could hide our packages."""
        assert self.cfg is not None
        os.chdir(self.cfg.chdir)
