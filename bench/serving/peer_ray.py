"""Ray Serve with one replica behind its HTTP proxy. The dashboard and the access log are off."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from bench.serving.forward import Forward


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Xor:
    """Answers {"rows": [[a, b], …]} with {"predictions": […]}."""

    def __init__(self) -> None:
        self.forward = Forward.from_environment()

    async def __call__(self, request: Request) -> dict[str, Any]:
        body = await request.json()
        return {"predictions": self.forward(np.array(body["rows"], np.float32)).tolist()}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    try:
        serve.start(
            http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])},
            logging_config={"enable_access_log": False, "log_level": "ERROR"},
        )
        serve.run(Xor.bind(), route_prefix="/", blocking=True)
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
