"""LitServe with one API process and one worker."""

from __future__ import annotations

import os
from typing import Any

import litserve
import numpy as np

from bench.serving.forward import Forward


class Xor(litserve.LitAPI):
    """Answers {"rows": [[a, b], …]} with {"predictions": […]}."""

    def setup(self, device: str) -> None:
        self.forward = Forward.from_environment()

    def decode_request(self, request):  # type: ignore[no-untyped-def] # LitServe would take a type for that of a query parameter
        return np.array(request["rows"], np.float32)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.forward(x)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Xor(), accelerator="cpu", devices=1, workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
