"""Ask MLServer for the same rows over and over through gRPC, with raw tensors, and count the answers, as load.c does.

    python -m bench.serving.load_grpc PORT CONNECTIONS SECONDS ROWS [ANSWER]

Runs in MLServer's environment, for its messages. ROWS is a .npy file of [rows, 2]; ANSWER, where it is given, another
that the predictions of one answer are written to, and nothing is measured.
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
    request = serialized(np.load(sys.argv[4]))
    if len(sys.argv) > 5:
        with grpc.insecure_channel(address) as channel:
            answer = channel.unary_unary(METHOD)(request, timeout=10)
        raw = messages.ModelInferResponse.FromString(answer).raw_output_contents[0]
        np.save(sys.argv[5], np.frombuffer(raw, np.float32))
    else:
        print(json.dumps(measure(address, connections, seconds, request)))


def serialized(rows: np.ndarray) -> bytes:
    tensor = messages.ModelInferRequest.InferInputTensor(name="input", datatype="FP32", shape=rows.shape)
    request = messages.ModelInferRequest(model_name="xor", inputs=[tensor], raw_input_contents=[rows.tobytes()])
    return bytes(request.SerializeToString())


def measure(address: str, connections: int, seconds: float, request: bytes) -> dict[str, float]:
    latencies: list[list[float]] = [[] for _ in range(connections)]
    errors = [0] * connections
    started, used = time.perf_counter(), processor_seconds()

    def ask(index: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]  # else all channels would share a connection
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
    ordered = sorted(latency for some in latencies for latency in some)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] if ordered else 0.0 for share in (0.5, 0.99))
    return {
        "requests": len(ordered),
        "errors": sum(errors),
        "reconnects": 0,
        "seconds": elapsed,
        "p50": p50,
        "p99": p99,
        "busy": (processor_seconds() - used) / elapsed,
    }


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
