"""Ask MLServer for the same rows again and again by gRPC, with raw tensors, and count the answers as load.c does.

    python -m bench.serving.load_grpc PORT CONNECTIONS SECONDS ROWS [ANSWER]

It runs in MLServer's environment, because it uses its messages. ROWS is a .npy file with an array [rows, 2]. If ANSWER
is given, nothing is measured: the predictions of one answer are written to that file.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time

import grpc
import numpy as np
from mlserver.grpc import dataplane_pb2 as messages

METHOD = "/inference.GRPCInferenceService/ModelInfer"


def main() -> None:
    address, connections, seconds = f"127.0.0.1:{sys.argv[1]}", int(sys.argv[2]), float(sys.argv[3])
    request = serialize(np.load(sys.argv[4]))
    if len(sys.argv) > 5:
        with grpc.insecure_channel(address) as channel:
            answer = channel.unary_unary(METHOD)(request, timeout=10)
        raw = messages.ModelInferResponse.FromString(answer).raw_output_contents[0]
        np.save(sys.argv[5], np.frombuffer(raw, np.float32))
    else:
        print(json.dumps(measure(address, connections, seconds, request)))


def serialize(rows: np.ndarray) -> bytes:
    """The bytes of a request for the predictions of rows."""
    tensor = messages.ModelInferRequest.InferInputTensor(name="input", datatype="FP32", shape=rows.shape)
    request = messages.ModelInferRequest(model_name="xor", inputs=[tensor], raw_input_contents=[rows.tobytes()])
    return bytes(request.SerializeToString())


def measure(address: str, connections: int, seconds: float, request: bytes) -> dict[str, float]:
    """Ask over some connections for some seconds. Returns the same numbers as load.c prints."""
    latencies: list[list[float]] = [[] for _ in range(connections)]
    errors = [0] * connections
    started, processor_started = time.perf_counter(), processor_seconds()

    def ask(index: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]  # otherwise all channels share one connection
        with grpc.insecure_channel(address, options) as channel:
            call = channel.unary_unary(METHOD)
            while (asked := time.perf_counter()) < started + seconds:
                try:
                    call(request, timeout=seconds)
                    latencies[index].append(time.perf_counter() - asked)
                except grpc.RpcError:
                    errors[index] += 1

    threads = [threading.Thread(target=ask, args=[index]) for index in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    ordered = sorted(latency for of_connection in latencies for latency in of_connection)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] if ordered else 0.0 for share in (0.5, 0.99))
    return {
        "requests": len(ordered),
        "errors": sum(errors),
        "reconnects": 0,
        "seconds": elapsed,
        "p50": p50,
        "p99": p99,
        "busy": (processor_seconds() - processor_started) / elapsed,
    }


def processor_seconds() -> float:
    """The processor time that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
