"""What the worst bodies of 8 MiB cost: memory at the peak, and how long no other thread can run.

    python -m tests.serve.worst_bodies DIRECTORY

It saves some models in the directory, and prints a line of JSON for each body.
"""

import gzip
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from model import CategoricalColumn, Checkpoint, Layer, Network, NumericColumn, save
from model.ensembles import Members
from model.tables.columns import ColumnSpec, count_inputs
from serve import create_app
from serve.open_inference_messages import JSON_LENGTH
from serve.settings import Settings
from tests.examples import RECORD

LIMIT = Settings.max_body_bytes
MEGABYTE = 1e6
ROWS = 100_000
# The interpreter lets other threads run after this time, unless a single operation takes longer.
SWITCH_SECONDS = 0.0005
MODELS: dict[str, tuple[list[ColumnSpec], tuple[str, ...]]] = {
    "narrow": ([NumericColumn(), NumericColumn()], ("no", "yes")),
    "wide": ([NumericColumn(missing=True)] * 1000, ("no", "yes")),
    "numbers": ([NumericColumn(is_open=True)] * 20, ("no", "yes")),
    "texts": ([CategoricalColumn(("x", "y"), is_open=True)] * 20, ("no", "yes")),
    "classes": ([NumericColumn(), NumericColumn()], tuple(f"class number {index}" for index in range(1000))),
}


def save_models(directory: Path) -> None:
    """Save a checkpoint for each of MODELS. Their params are 0."""
    for name, (specs, classes) in MODELS.items():
        task, outputs = ("binary", 1) if len(classes) == 2 else ("multiclass", len(classes))
        network = Network((count_inputs(tuple(specs)), outputs), "relu", task)
        params = [Layer(np.zeros(network.sizes, np.float32), np.zeros(outputs, np.float32))]
        columns = tuple(f"c{index}" for index in range(len(specs)))
        checkpoint = Checkpoint((Members(network, params),), columns, "y", classes, RECORD, tuple(specs))
        save(directory / f"{name}.safetensors", checkpoint)


def fill(item: str, before: str = "[", after: str = "]", count: int | None = None) -> bytes:
    """JSON of an item again and again, separated by commas, as often as the limit or `count` allows."""
    most = (LIMIT - len(before) - len(after)) // (len(item.encode()) + 1)
    return f"{before}{','.join([item] * min(most, count or most))}{after}".encode()


def tensors(*, shape: list[int], name: str = "input", datatype: str = "FP32", size: int | None = None) -> str:
    """The beginning of a request with one tensor, up to its data or its end."""
    fields = f'"name":"{name}","shape":{shape},"datatype":"{datatype}"'
    return f'{{"inputs":[{{{fields},' + (
        '"data":' if size is None else f'"parameters":{{"binary_data_size":{size}}}}}]'
    )


def rows_of(model: str, value: str) -> str:
    """A row of a model in JSON, with the same value in all columns."""
    return "{" + ",".join(f'"c{index}":{value}' for index in range(len(MODELS[model][0]))) + "}"


def bodies_of_rows() -> dict[tuple[str, str], Callable[[], bytes]]:
    """Bodies for /models/NAME/predict, by the name of the model and what they are."""
    row = '{"c0":1,"c1":0}'
    return {
        ("narrow", "empty objects"): lambda: fill("{}"),
        ("narrow", "zeros"): lambda: fill("0"),
        ("narrow", "empty arrays"): lambda: fill("[]"),
        ("narrow", "too many rows"): lambda: fill(row),
        ("narrow", "as many rows as it takes"): lambda: fill(row, count=ROWS),
        ("narrow", "rows of long numbers"): lambda: fill(
            '{"c0":1.234567890123456789012345,"c1":0.1234567890123456789}', count=ROWS
        ),
        ("narrow", "rows of missing numbers"): lambda: fill('{"c0":NaN,"c1":NaN}', count=ROWS),
        ("narrow", "rows of which the last is wrong"): lambda: fill(row, after=",{}]", count=ROWS - 1),
        ("narrow", "objects in one object"): lambda: fill('"c0":{}', "{", "}"),
        ("narrow", "values of one name"): lambda: fill('"c0":1', "{", "}"),
        ("narrow", "many names"): lambda: (
            "{" + ",".join(f'"{index}":0' for index in range(LIMIT // 12)) + "}"
        ).encode(),
        ("narrow", "numbers in a row"): lambda: fill("0", '[{"c0":[', "]}]"),
        ("narrow", "strings in a row"): lambda: fill('"ab"', '[{"c0":[', "]}]"),
        ("narrow", "strings with braces"): lambda: fill('{"c0":"{[,:"}'),
        ("narrow", "arrays in arrays"): lambda: b"[" * LIMIT,
        ("narrow", "objects in objects"): lambda: b'{"c0":' * (LIMIT // 6),
        ("narrow", "a long text"): lambda: b'{"c0":"' + b"x" * (LIMIT - 10) + b'"}',
        ("narrow", "a long text of escapes"): lambda: b'{"c0":"' + b"\\u00ff" * (LIMIT // 6 - 3) + b'"}',
        ("narrow", "a long name"): lambda: b'{"' + b"\\ud83d\\ude00" * (LIMIT // 12 - 3) + b'":1}',
        ("narrow", "a long number"): lambda: b'{"c0":' + b"9" * (LIMIT - 20) + b',"c1":0}',
        ("narrow", "NaN"): lambda: fill("NaN"),
        ("wide", "empty objects"): lambda: fill("{}"),
        ("wide", "as many rows as it takes"): lambda: fill("{}", count=2097),
        ("numbers", "rows of missing numbers"): lambda: fill(rows_of("numbers", "null"), count=ROWS),
        ("texts", "rows of new texts"): lambda: fill(rows_of("texts", '"é"'), count=ROWS),
        ("texts", "rows of texts with colons"): lambda: fill(rows_of("texts", '":"'), count=ROWS),
        ("classes", "as many rows as it takes"): lambda: fill(row, count=2097),
    }


def bodies_of_tensors() -> dict[tuple[str, str], Callable[[], bytes]]:
    """JSON for /v2/models/NAME/infer, by the name of the model and what it is."""
    row, end = tensors(shape=[1, 2]) + "[1,0]}]", "}]}"
    pairs = tensors(shape=[ROWS, 2])
    return {
        ("narrow", "lists in parameters"): lambda: fill("[]", f'{row},"parameters":{{"x":[', "]}}"),
        ("narrow", "lists in parameters of a tensor"): lambda: fill("[]", '{"inputs":[{"parameters":{"x":[', "]}}]}"),
        ("narrow", "nested parameters"): lambda: (f'{row},"parameters":' + '{"x":' * (LIMIT // 6)).encode(),
        ("narrow", "tensors"): lambda: fill(
            '{"name":"ab","shape":[300],"datatype":"ab","parameters":{}}', '{"inputs":[', "]}"
        ),
        ("narrow", "requests in one"): lambda: fill('"inputs":[{"name":"","shape":[],"datatype":""}]', "{", "}"),
        ("narrow", "a long shape"): lambda: fill(
            "999", '{"inputs":[{"name":"input","shape":[', '],"datatype":"FP32","data":[]}]}'
        ),
        ("narrow", "a shape of long numbers"): lambda: fill(
            "9" * 4000, '{"inputs":[{"name":"input","shape":[', '],"datatype":"FP32"}]}'
        ),
        ("narrow", "more values than the shape"): lambda: fill("0", pairs + "[", "]" + end),
        ("narrow", "empty lists as values"): lambda: fill("[]", pairs + "[", "]" + end),
        ("narrow", "as many values as it takes"): lambda: fill(
            "0.12345678901234567", pairs + "[", "]" + end, count=2 * ROWS
        ),
        ("narrow", "nested values"): lambda: fill("[0.5,0.25]", pairs + "[", "]" + end, count=ROWS),
        ("narrow", "missing values"): lambda: fill("NaN", pairs + "[", "]" + end, count=2 * ROWS),
        ("narrow", "outputs"): lambda: fill('{"name":"label"}', f'{row},"outputs":[', "]}"),
        ("narrow", "unknown outputs"): lambda: fill('{"name":"ab"}', f'{row},"outputs":[', "]}"),
        ("narrow", "a long id"): lambda: (f'{row},"id":"' + "\\u0001" * (LIMIT // 6 - 30) + '"}').encode(),
        ("numbers", "as many values as it takes"): lambda: fill(
            "0.5", tensors(shape=[ROWS, 20]) + "[", "]" + end, count=20 * ROWS
        ),
        ("texts", "new texts"): lambda: fill(
            '"aé"', tensors(shape=[65_000, 20], datatype="BYTES") + "[", "]" + end, count=1_300_000
        ),
        ("texts", "too many texts"): lambda: fill('""', tensors(shape=[ROWS, 20], datatype="BYTES") + "[", "]" + end),
        ("texts", "texts with commas"): lambda: fill(
            '",[,"', tensors(shape=[1, 20], datatype="BYTES") + "[", "]" + end
        ),
        ("classes", "as many rows as it takes"): lambda: fill(
            "1", tensors(shape=[2097, 2]) + "[", "]" + end, count=2 * 2097
        ),
        ("wide", "a column for all"): lambda: fill("1", tensors(shape=[2097], name="c0") + "[", "]" + end, count=2097),
        ("wide", "a column for too many"): lambda: fill(
            "1", tensors(shape=[ROWS], name="c0") + "[", "]" + end, count=ROWS
        ),
    }


def raw_bodies() -> dict[tuple[str, str], Callable[[], tuple[str, bytes]]]:
    """JSON and raw tensors for /v2/models/NAME/infer, by the name of the model and what they are."""

    def raw(shape: list[int], datatype: str, data: bytes) -> tuple[str, bytes]:
        return tensors(shape=shape, datatype=datatype, size=len(data)) + "}", data

    return {
        ("numbers", "8 MB of numbers"): lambda: raw([ROWS, 20], "FP32", bytes(80 * ROWS)),
        ("numbers", "missing numbers"): lambda: raw(
            [ROWS, 20], "FP16", np.full(20 * ROWS, np.nan, np.float16).tobytes()
        ),
        ("numbers", "too many numbers"): lambda: raw([LIMIT // 20 - 20, 20], "INT8", bytes(LIMIT - 400)),
        ("texts", "empty texts"): lambda: raw([ROWS, 20], "BYTES", bytes(80 * ROWS)),
        ("texts", "new texts"): lambda: raw([65_000, 20], "BYTES", b"\x01\0\0\0z" * 20 * 65_000),
        ("texts", "more texts than the shape"): lambda: raw([1, 20], "BYTES", bytes(80 * ROWS)),
    }


def compressed_bodies() -> dict[tuple[str, str], Callable[[], bytes]]:
    """Bodies in gzip for /models/NAME/predict, by the name of the model and what they are."""
    return {
        ("narrow", "64 MB of zeros"): lambda: gzip.compress(b"[" + b"0," * 2**25),
        ("narrow", "empty members"): lambda: gzip.compress(b"") * (LIMIT // 20),
        ("narrow", "empty objects"): lambda: gzip.compress(fill("{}")),
    }


def requests() -> Iterator[tuple[str, str, Callable[[], tuple[bytes, dict[str, str]]]]]:
    """A name, a path, and a function that makes the body and the headers, for each request."""
    kind, coding = {"CONTENT_TYPE": "application/json"}, {"HTTP_CONTENT_ENCODING": "gzip"}
    for (model, name), make in bodies_of_rows().items():
        yield f"{model}: {name}", f"/models/{model}/predict", lambda make=make: (make(), kind)
    for (model, name), make in bodies_of_tensors().items():
        yield f"{model}, tensors: {name}", f"/v2/models/{model}/infer", lambda make=make: (make(), kind)
    for (model, name), make_raw in raw_bodies().items():
        yield f"{model}, raw tensors: {name}", f"/v2/models/{model}/infer", partial(join, make_raw)
    for (model, name), make in compressed_bodies().items():
        yield f"{model}, gzip: {name}", f"/models/{model}/predict", lambda make=make: (make(), kind | coding)


def join(make: Callable[[], tuple[str, bytes]]) -> tuple[bytes, dict[str, str]]:
    """The body with raw tensors, and the header with the length of its JSON."""
    head, raw = make()
    return head.encode() + raw, {f"HTTP_{JSON_LENGTH.upper().replace('-', '_')}": str(len(head))}


@contextmanager
def longest_wait() -> Iterator[Callable[[], float]]:
    """Run a thread that wants to run all the time. Yields a function: the longest time, in ms, that it could not."""
    longest, has_ended = 0.0, False

    def run() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not has_ended:
            time.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.001), now

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: longest * 1000
    finally:
        has_ended = True
        thread.join()


def memory(key: str) -> float:
    """A number in /proc/self/status, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise KeyError(key)


def measure(app: Any, path: str, body: bytes, headers: dict[str, str], before: float) -> dict[str, Any]:
    """Send a body, and measure what it costs: `megabytes` above those `before`, and `milliseconds` without the lock."""
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "wsgi.input": io.BytesIO(body)}
    environ |= {"CONTENT_LENGTH": str(len(body)), **headers}
    statuses: list[str] = []
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    started = time.perf_counter()
    with longest_wait() as wait:
        answer = b"".join(app.wsgi_app(environ, lambda status, _: statuses.append(status)))
    seconds = time.perf_counter() - started
    return {
        "status": int(statuses[0][:3]),
        "megabytes": round(memory("VmHWM") - before, 1),
        "milliseconds": round(wait(), 1),
        "seconds": round(seconds, 2),
        "bytes": len(answer),
        "start": answer[:150].decode(errors="replace") if len(answer) < 1000 else "",
    }


def main() -> None:
    directory = Path(sys.argv[1])
    save_models(directory)
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app({"NUDGE_CHECKPOINTS": str(directory), "NUDGE_MODEL": "narrow"})
    before, chosen = memory("VmRSS"), sys.argv[2:]
    for name, path, make in requests():
        if not chosen or any(text in name for text in chosen):
            body, headers = make()
            assert len(body) <= LIMIT, name
            print(json.dumps({"name": name} | measure(app, path, body, headers, before)), flush=True)


if __name__ == "__main__":
    main()
