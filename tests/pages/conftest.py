"""Fixtures of the tests of pages: the service as a process, and a browser that forgives no error."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from model import Checkpoint
from tests.pages.browser import chromium, skip_or_fail
from tests.pages.models import save_models
from tests.pages.reading import settle
from tests.serve.serving import get, serving, wait_until, wait_until_ready

WIDE = {"width": 1280, "height": 900}
StartService = Callable[..., str]


class Visit:
    """A tab of the browser, and what went wrong in it.

    Attributes:
        page: Playwright's page.
        faults: errors in the console, errors of scripts, and requests to other services.
        allowed: the statuses of answers that are expected, which the browser calls errors.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.faults: list[str] = []
        self.allowed: set[int] = set()
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.faults.append(f"error of a script: {error}"))
        page.on("request", self._note_request)

    def _note_console(self, message: Any) -> None:
        is_allowed = any(f"the server responded with a status of {status} " in message.text for status in self.allowed)
        if message.type in ("error", "warning") and not is_allowed:
            self.faults.append(f"{message.type} in the console: {message.text}")

    def _note_request(self, request: Any) -> None:
        if not request.url.startswith((f"{self.address}/", "data:", "blob:")):
            self.faults.append(f"request elsewhere: {request.url}")


OpenPage = Callable[..., Visit]


def open_model(open_page: OpenPage, address: str, name: str, **options: Any) -> Visit:
    """Open the page of a model, and wait for all its numbers."""
    visit = open_page(address, f"/models/{name}", **options)
    settle(visit.page)
    return visit


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory, solved: Checkpoint) -> Path:
    """A directory with models of every task, with one of very many columns, and with a broken one."""
    directory = tmp_path_factory.mktemp("models")
    save_models(directory, solved)
    return directory


@pytest.fixture(scope="session")
def address(start_service: StartService, directory: Path) -> str:
    """The address of a service that has loaded these models."""
    address = start_service(directory, POLL="0.1")
    port = int(address.rsplit(":", 1)[1])
    wait_until(lambda: '"loading"' not in json.dumps(get(port, "/models.json")[1]))
    return address


@pytest.fixture(scope="session")
def start_service(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartService]:
    """A function that starts the service with a directory of models and settings such as LEARN="1".

    It returns the address. The services end with the tests.
    """
    with ExitStack() as stack:

        def start(checkpoints: Path, **settings: str) -> str:
            variables = {f"NUDGE_{name}": value for name, value in settings.items()}
            variables["NUDGE_CHECKPOINTS"] = str(checkpoints)
            folder = tmp_path_factory.mktemp("service")
            _, port = stack.enter_context(serving(environment | variables, folder))
            wait_until_ready(port)
            return f"http://127.0.0.1:{port}"

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window. Its loop of asyncio ends with the module, so that other tests can have their own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail("there is no playwright; install the extra dev")
    executable = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """A function that opens a page of the service in a tab of its own. The test fails if anything goes wrong there."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def open_page(address: str, path: str = "/", route: Any = None, **options: Any) -> Visit:
            context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce"} | options)
            stack.callback(context.close)
            context.set_default_timeout(60_000)  # it waits for what is there at once on an idle machine
            visit = Visit(context.new_page(), address)
            visits.append(visit)
            if route:  # what answers requests in the place of the service
                visit.page.route(*route)
            visit.page.goto(f"{address}{path}")
            return visit

        yield open_page
    assert [fault for visit in visits for fault in visit.faults] == []


@pytest.fixture(scope="session")
def learning(start_service: StartService, checkpoints: Path) -> str:
    """The address of a service that learners may use, and whose process for them answers."""
    address = start_service(checkpoints, LEARN="1")
    port = int(address.rsplit(":", 1)[1])
    wait_until(lambda: get(port, "/learn/presets")[0] == 200)
    return address
