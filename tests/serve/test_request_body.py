"""Bodies: lengths, codings and members of gzip."""

import gzip
import io
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.errors import RequestError
from serve.request_body import MAX_MEMBERS, check_body_headers, read_body

pytestmark = pytest.mark.core


def request(body: bytes, coding: str = "", **more: Any) -> dict[str, Any]:
    """A request in WSGI."""
    head = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return head | ({"HTTP_CONTENT_ENCODING": coding} if coding else {}) | more


@given(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5), coding=st.sampled_from(["gzip", "x-gzip", "GZip "])
)
def test_gzip_may_have_several_members(parts: list[bytes], coding: str) -> None:
    body = b"".join(map(gzip.compress, parts))
    assert read_body(request(body, coding), 10_000) == b"".join(parts)
    with pytest.raises(RequestError, match="was expected, and"):
        read_body(request(body[:-1], coding), 10_000)


def test_the_members_of_gzip_are_limited_in_number_and_together_in_length() -> None:
    member = gzip.compress(b"12345")
    assert read_body(request(member * MAX_MEMBERS, "gzip"), 5 * MAX_MEMBERS * 10) == b"12345" * MAX_MEMBERS
    with pytest.raises(RequestError, match="one that goes on was found"):
        read_body(request(member * (MAX_MEMBERS + 1), "gzip"), 5 * MAX_MEMBERS * 10)
    with pytest.raises(RequestError, match="the body must be of at most 99 bytes") as raised:
        read_body(request(gzip.compress(b"1" * 50) * 2, "gzip"), 99)
    assert raised.value.status == 413
    with pytest.raises(RequestError, match="one that goes on was found"):
        read_body(request(zlib.compress(b"1") * 2, "deflate"), 99)


def test_a_long_compressed_body_is_decompressed() -> None:
    """It is longer than what is decompressed at a time, before and after."""
    plain = b"".join(
        zlib.crc32(bytes([number % 256]) * number).to_bytes(4, "big").hex().encode() for number in range(50_000)
    )
    for coding, compress in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        body = compress(plain)
        assert len(body) > 65_536
        assert read_body(request(body, coding), len(plain)) == plain
        with pytest.raises(RequestError, match="the body must be of at most"):
            read_body(request(body, coding), len(plain) - 1)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ({"CONTENT_LENGTH": "101"}, 413),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "1e2"}, 400),
        ({"CONTENT_LENGTH": "٣"}, 400),
        ({"CONTENT_LENGTH": "9" * 5000}, 400),
        ({"HTTP_CONTENT_ENCODING": "br"}, 415),
        ({"HTTP_CONTENT_ENCODING": "gzip, gzip"}, 415),
    ],
)
def test_headers_that_refuse_a_body_refuse_it_unread(head: dict[str, str], status: int) -> None:
    with pytest.raises(RequestError) as raised:
        check_body_headers(request(b"x", **head), 100)
    assert raised.value.status == status
    with pytest.raises(RequestError) as raised:
        read_body(request(b"x" * 50, **head), 100)
    assert raised.value.status == status


def test_bodies_without_a_length_end_with_the_stream() -> None:
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert read_body(request(b"x" * 100, **chunked), 100) == b"x" * 100
    with pytest.raises(RequestError, match="at most 100 bytes"):
        read_body(request(b"x" * 101, **chunked), 100)
    assert read_body(request(b"x", CONTENT_LENGTH=""), 100) == b"", "without a length and an end, there is no body"
    with pytest.raises(RequestError, match="a body of 5 bytes was expected, and 3 were found"):
        read_body(request(b"abc", CONTENT_LENGTH="5"), 100)
