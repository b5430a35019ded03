"""The messages of the Open Inference Protocol, REST, version 2: what they may hold, and how a body is taken apart."""

from __future__ import annotations

from typing import Any

import msgspec

from model.messages import quote
from serve.errors import RequestError
from serve.json_bytes import nan_to_null, without_mark
from serve.tensors import InputTensor, OutputTensor

# The header with the length of a message's JSON, after which its raw tensors begin.
JSON_LENGTH = "Inference-Header-Content-Length"


class RequestedOutputParameters(msgspec.Struct, gc=False):
    """What is read of the parameters of an output. msgspec skips the others."""

    binary_data: bool | None = None
    classification: int | None = None


class RequestedOutput(msgspec.Struct, gc=False):
    """An output that a request asks for."""

    name: str
    parameters: RequestedOutputParameters | None = None


class InferParameters(msgspec.Struct, gc=False):
    """What is read of the parameters of a request."""

    binary_data_output: bool | None = None


class InferRequest(msgspec.Struct, gc=False):
    """The JSON of a request for predictions."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: InferParameters | None = None
    outputs: list[RequestedOutput] | None = None


class ResponseParameters(msgspec.Struct):
    """The parameters of an answer."""

    notes: str


class InferResponse(msgspec.Struct, omit_defaults=True):
    """The JSON of an answer."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None
    parameters: ResponseParameters | None = None


_DECODER = msgspec.json.Decoder(InferRequest)


def split_body(body: bytes, json_length: str | None) -> tuple[InferRequest, dict[int, memoryview]]:
    """Take a body apart.

    Args:
        body: the body of a request for predictions.
        json_length: the request's header Inference-Header-Content-Length; None if it has none.

    Returns:
        The JSON of the request, and the bytes of its raw tensors by their index.

    Raises:
        RequestError: if the body does not fit the protocol.
    """
    if json_length is None:
        length = len(body)
    elif json_length.isascii() and json_length.isdigit() and len(json_length) < 16 and int(json_length) <= len(body):
        length = int(json_length)
    else:
        expected = f"{JSON_LENGTH}: a number of bytes up to the body's {len(body):,} was expected"
        raise RequestError(f"{expected}, and {quote(json_length)} was found")
    request: InferRequest = decode_request(_DECODER, body[:length] if length < len(body) else body)
    raw_tensors, start = {}, length
    for index, tensor in enumerate(request.inputs):
        size = tensor.parameters.binary_data_size if tensor.parameters else None
        if size is None:
            continue
        if not 0 <= size <= len(body) - start:
            left = f"a binary_data_size up to the {len(body) - start:,} bytes that are left was expected"
            raise RequestError(f"tensor {quote(tensor.name)}: {left}, and {quote(size)} was found")
        raw_tensors[index] = memoryview(body)[start : start + size]
        start += size
    if start != len(body):
        raise RequestError(f"a body of {start:,} bytes was expected by its JSON, and {len(body):,} were found")
    return request, raw_tensors


def decode_request(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode a body's JSON. Raises RequestError if the decoder refuses it."""
    body = without_mark(body)
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:
        with_null = nan_to_null(body)
        if with_null != body:
            return decode_request(decoder, with_null)
        expected = "a request of the Open Inference Protocol was expected"
        raise RequestError(f"{expected}, and found was: {error}") from None
