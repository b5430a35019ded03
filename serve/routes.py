"""Which route a request takes. Flask's table of routes says it, also for requests that Flask does not answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from werkzeug.exceptions import NotFound
from werkzeug.routing import Map

# Paths of health.
HEALTH_PREFIX = "/v2/health/"
# Paths of pages and of their files.
PAGE_PATHS = re.compile(r"/|/learn|/models(?:/[^/]+)?|/static/.+")
# Paths that another process answers.
LEARN_PREFIX = "/learn/"


class Route(NamedTuple):
    """The route of a request.

    Attributes:
        endpoint: its name in Flask.
        rule: its pattern, such as /models/<name>/predict, for the log and the counts.
        arguments: the values in the path by their names.
    """

    endpoint: str
    rule: str
    arguments: Mapping[str, Any]


class Routes:
    """Finds the routes of requests.

    Args:
        url_map: the routes of the application.
    """

    def __init__(self, url_map: Map) -> None:
        self._adapter = url_map.bind("service")
        # The same few paths come again and again. Errors are not kept.
        self.find = lru_cache(maxsize=512)(self._find)

    def _find(self, path: str, method: str) -> Route:
        """The route of a path and a method. Raises werkzeug's NotFound or MethodNotAllowed."""
        if "//" in path:  # Werkzeug would ignore a second slash at the beginning
            raise NotFound
        rule, arguments = self._adapter.match(path, method, return_rule=True)
        return Route(rule.endpoint, rule.rule, arguments)
