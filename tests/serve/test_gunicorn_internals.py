"""What the worker takes from inside gunicorn. A new gunicorn that changes any of it fails here first."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.message import PP_V2_SIGNATURE, Request
from gunicorn.http.unreader import IterUnreader, Unreader
from gunicorn.http.wsgi import Response, create
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker as BaseWorker

from serve.gunicorn_errors import refusal
from serve.http_request import Outbox, open_answer, parse_head
from tests.conftest import ROOT

SIGNATURES: dict[Callable[..., Any], str] = {
    create: "(req, sock, client, server, cfg, response_class=None, response_args=())",
    Request: "(cfg, unreader, peer_addr, req_number=1)",
    Request.parse_request_line: "(self, line_bytes)",
    Request.force_close: "(self)",
    IterUnreader: "(iterable)",
    Unreader.unread: "(self, data)",
    Body: "(reader)",
    Body.read: "(self, size=None)",
    ChunkedReader: "(req, unreader)",
    Response.start_response: "(self, status, headers, exc_info=None)",
    Response.write: "(self, arg)",
    Response.close: "(self)",
    Response.force_close: "(self)",
    Response.should_close: "(self)",
    ssl_context: "(conf)",
    Arbiter.manage_workers: "(self)",
    BaseWorker: "(age, ppid, sockets, app, timeout, cfg, log)",
    BaseWorker.load_wsgi: "(self)",
    BaseWorker.notify: "(self)",
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_the_functions_have_the_same_arguments(function: Callable[..., Any]) -> None:
    assert str(inspect.signature(function)) == SIGNATURES[function]


def test_nothing_else_is_taken_from_inside_gunicorn() -> None:
    """Every import from gunicorn in the service is of a module that is named here."""
    imported = set()
    for path in sorted((ROOT / "serve").glob("*.py")):
        imported |= set(re.findall(r"^from (gunicorn[\w.]*) import", Path(path).read_text(), re.MULTILINE))
    assert imported == {
        "gunicorn.app.wsgiapp",
        "gunicorn.config",
        "gunicorn.http",
        "gunicorn.http.body",
        "gunicorn.http.errors",
        "gunicorn.http.message",
        "gunicorn.http.unreader",
        "gunicorn.http.wsgi",
        "gunicorn.sock",
        "gunicorn.workers",
        "gunicorn.workers.base",
        "gunicorn.workers.workertmp",
    }


def test_a_worker_has_what_the_loop_uses() -> None:
    source = inspect.getsource(BaseWorker)
    for attribute in (
        "self.PIPE",
        "self.alive",
        "self.nr",
        "self.max_requests",
        "self.ppid",
        "self.sockets",
        "self.wsgi",
    ):
        assert attribute in source, attribute
    assert "signal.set_wakeup_fd(self.PIPE[1])" in source, "a signal wakes the loop"


def test_every_error_of_the_parser_has_an_answer() -> None:
    classes = [
        each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.ParseException)
    ]
    assert len(classes) > 10
    for error_type in (*classes, errors.NoMoreData):
        error = error_type.__new__(error_type)
        assert (refusal(error) or b"").startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), error_type


def test_a_request_and_its_answer_have_what_the_worker_reads() -> None:
    data = b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    head = parse_head(Config(), data, ("127.0.0.1", 1), 1, None)
    assert (head.request.method, head.request.path, head.request.query) == ("POST", "/a", "b=1")
    assert (head.length, head.expects_continue, head.request.version) == (3, True, (1, 1))
    assert head.request.headers == [("HOST", "x"), ("CONTENT-LENGTH", "3"), ("EXPECT", "100-continue")]
    assert head.request.proxy_protocol_info is None
    assert len(PP_V2_SIGNATURE) == 12


def test_fields_that_are_the_same_as_before_give_the_same_request() -> None:
    fields = b"Host: x\r\nX-Request-ID: 1\r\n\r\n"
    first = parse_head(Config(), b"GET /a HTTP/1.1\r\n" + fields, ("127.0.0.1", 1), 1, None)
    for line in (b"GET /b?c=1 HTTP/1.1", b"HEAD /b HTTP/1.1", b"GET /b HTTP/1.0"):
        data = line + b"\r\n" + fields
        known = parse_head(Config(), data, ("127.0.0.1", 1), 2, first)
        fresh = parse_head(Config(), data, ("127.0.0.1", 1), 2, None)
        answers = []
        for incoming_head in (known, fresh):
            request = incoming_head.request
            _, environ, _ = open_answer(request, ("127.0.0.1", 1), ("127.0.0.1", 2), Config())
            answers.append({name: value for name, value in environ.items() if isinstance(value, str)})
            answers[-1] |= {"version": request.version, "closes": request.should_close()}
        assert answers[0] == answers[1]
    assert first.request.path == "/a"


@pytest.mark.parametrize("before", [b"\r\n", b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n"])
def test_a_line_before_the_first_one_is_none_of_the_next_request(before: bytes) -> None:
    config, request = Config(), b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    config.set("proxy_protocol", "auto")
    first = parse_head(config, before + request, ("127.0.0.1", 1), 1, None)
    assert first.request.path == "/a"
    with pytest.raises(errors.ParseException):
        parse_head(config, b"GET /b HTTP/1.1\r\n" + request, ("127.0.0.1", 1), 2, first)


def test_no_higher_version_than_1_1_is_spoken() -> None:
    head = parse_head(Config(), b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", ("127.0.0.1", 1), 1, None)
    assert head.request.version == (1, 1)


def test_an_answer_is_made_without_a_socket() -> None:
    head = parse_head(Config(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ("127.0.0.1", 1), 1, None)
    response, environ, outbox = open_answer(head.request, ("127.0.0.1", 1), ("127.0.0.1", 2), Config())
    assert isinstance(outbox, Outbox)
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    response.start_response("200 OK", [("Content-Length", "2")])
    response.write(b"ok")
    response.close()
    answer = b"".join(outbox.parts)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nok")
    assert not response.should_close()


def test_the_master_looks_after_its_processes_at_every_turn() -> None:
    source = inspect.getsource(Arbiter.run)
    assert source.count("self.manage_workers()") == 2
    assert "timeout=1.0" in source
    assert "self.WORKERS.pop(wpid, None)" in inspect.getsource(Arbiter.reap_workers)  # it may have other children
