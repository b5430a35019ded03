"""How long health takes to answer, and how much memory a worker takes, while clients send 8 MB of hostile traffic.

    python -m bench.serving.hostile

Each kind of traffic, see `traffic`, is sent by many connections at once to a service with one worker. Meanwhile a
client asks for health over new connections.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from socket import create_connection, socket

from bench.serving.footprint import running
from model.messages import align_columns

TRAFFIC_BYTES = 8_000_000
P99_BAR, WORST_BAR, MEMORY_BAR = 0.1, 1.0, 805  # seconds, seconds, megabytes (768 MiB)
# How long health is asked for after the traffic is sent, and the pause between two questions.
SECONDS_AFTER, PAUSE = 2.0, 0.005
SENDERS = 2
CHUNKED = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
HEALTH = b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def request(path: str, body: bytes, *fields: str, method: str = "POST") -> bytes:
    """A request with a body."""
    head = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *fields, "", ""]).encode() + body


def infer(model: str, rows: int, datatype: str, body: bytes, parameters: str = "{}") -> bytes:
    """A request for predictions of raw tensors."""
    sizes = {"shape": [rows, 2], "datatype": datatype, "parameters": {"binary_data_size": len(body)}}
    message = json.dumps({"parameters": 0, "inputs": [{"name": "input"} | sizes]}).replace("0", parameters, 1).encode()
    fields = f"Inference-Header-Content-Length: {len(message)}"
    return request(f"/v2/models/{model}/infer", message + body, fields)


def traffic() -> dict[str, list[bytes]]:
    """What each connection sends, for each kind of traffic; together about 8 MB."""
    get, values = b"GET /predict?a=1&b=0 HTTP/1.1\r\nHost: x\r\n\r\n", TRAFFIC_BYTES - 1000
    lists = b'{"inputs":[],"parameters":{"x":[' + b"[]," * ((values - 100) // 3) + b"[]]}}"
    metadata = b"GET /v2/models/xor HTTP/1.1\r\nHost: x\r\n\r\n"
    rows = json.dumps([{"a": 1, "b": 0}] * 100_000).encode()
    return {
        "2,000 connections with one GET each": [get] * 2000,
        "40 connections that pipeline GET /predict": [get * (200_000 // len(get))] * 40,
        "40 connections that pipeline metadata": [metadata * (200_000 // len(metadata))] * 40,
        "200 bodies that never end": [request("/predict", b"x" * 8_000_000)[:40_000]] * 200,
        "3 bodies of 100,000 rows in JSON": [request("/predict", rows)] * 3,
        "a body of zeros, no rows": [request("/predict", b"[" + b"0," * (values // 2) + b"0]")],
        "a body of empty rows": [request("/predict", b"[" + b"{}," * (values // 3) + b"{}]")],
        "a body of empty lists": [request("/predict", b"[" + b"[]," * (values // 3) + b"[]]")],
        "a body of one text": [request("/predict", b'{"a":"' + b"x" * values + b'","b":0}')],
        "62 KB of gzip, lists in parameters": [
            request("/v2/models/xor/infer", gzip.compress(lists), "Content-Encoding: gzip")
        ]
        * 100,
        "250 × 16,000 rows of INT8 through 1024³": [infer("wide", 16_000, "INT8", bytes(32_000))] * 250,
        "4 × 1,000,000 rows of INT8": [infer("xor", 1_000_000, "INT8", bytes(2_000_000))] * 4,
        "heads that never end": [b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 8000] * 1000,
        "4,000 TLS hellos": [b"\x16\x03\x01" + bytes(2000)] * 4000,
        "40 bodies in chunks of one byte": [CHUNKED + b"1\r\nx\r\n" * (200_000 // 6)] * 40,
        "answers that nobody reads": [request("/predict", rows[: 20 * 25_000 - 2] + b"]")] * 16,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (("xor", []), ("wide", ["--hidden", "1024,1024,1024"])):
            command = [sys.executable, "-m", "model", "train", "xor", "--epochs", "1", "--restarts", "1", *options]
            command += ["--out", f"{folder}/{name}.safetensors"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = [["traffic", "p99, ms", "worst, ms", "memory, MB", ""]]
        for kind, connections in traffic().items():
            with running(folder) as (port, worker):
                seconds, memory = measure(port, worker, connections)
            p99, worst = seconds[int(len(seconds) * 0.99)], seconds[-1]
            is_met = p99 <= P99_BAR and worst <= WORST_BAR and memory <= MEMORY_BAR
            rows.append([kind, f"{p99 * 1e3:.0f}", f"{worst * 1e3:.0f}", f"{memory:.0f}", "" if is_met else "MISSED"])
            print(rows[-1], file=sys.stderr, flush=True)
    print(align_columns(rows))
    print(f"\nBars: p99 {P99_BAR * 1e3:.0f} ms, worst {WORST_BAR * 1e3:.0f} ms, {MEMORY_BAR} MB (768 MiB).")


def measure(port: int, worker: int, connections: list[bytes]) -> tuple[list[float], float]:
    """The sorted seconds of all answers of health during the traffic, and the peak of the worker's memory.

    The traffic comes from processes of its own, so that it does not delay the client that asks for health.
    """
    seconds, is_over = list[float](), threading.Event()
    watcher = threading.Thread(target=ask_for_health, args=(port, seconds, is_over))
    watcher.start()
    sent, is_measured = multiprocessing.Barrier(SENDERS + 1), multiprocessing.Event()
    senders = [
        multiprocessing.Process(target=send, args=(port, connections[part::SENDERS], sent, is_measured))
        for part in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    sent.wait()
    time.sleep(SECONDS_AFTER)
    is_over.set()
    is_measured.set()
    for process in (watcher, *senders):
        process.join()
    return sorted(seconds), peak_megabytes(worker)


def ask_for_health(port: int, seconds: list[float], is_over: threading.Event) -> None:
    while not is_over.wait(PAUSE):
        started = time.perf_counter()
        with create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(HEALTH)
            answer = b"".join(iter(lambda client=client: client.recv(4096), b""))
        seconds.append(time.perf_counter() - started)
        assert answer.startswith(b"HTTP/1.1 200"), answer


def send(port: int, connections: list[bytes], sent: Barrier, is_over: Event) -> None:
    """Send on all connections, and keep them open without reading until it is over."""
    opened = list[socket]()
    for data in connections:
        client = create_connection(("127.0.0.1", port))
        client.settimeout(1)
        opened.append(client)
        try:
            client.sendall(data)
        except OSError:  # refused, or no longer read
            continue
    sent.wait()
    is_over.wait()
    for client in opened:
        client.close()


def peak_megabytes(pid: int) -> float:
    """The largest resident memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


if __name__ == "__main__":
    main()
