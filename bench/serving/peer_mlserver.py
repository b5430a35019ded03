"""MLServer with a custom runtime in its own process, asked by REST and gRPC. Metrics and the access log are off."""

from __future__ import annotations

import asyncio
import os

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.serving.forward import Forward


class Xor(MLModel):
    """Answers a tensor [rows, 2] of numbers, or of the base64 of their bytes, in the same form."""

    async def load(self) -> bool:
        self.forward = Forward.from_environment()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensor = payload.inputs[0]
        if tensor.datatype == "BYTES":
            x = np.frombuffer(Base64Codec.decode_input(tensor)[0], np.float32).reshape(-1, 2)
            output = Base64Codec.encode_output("prediction", [self.forward(x).tobytes()], use_bytes=False)
        else:
            output = NumpyCodec.encode_output("prediction", self.forward(NumpyCodec.decode_input(tensor)))
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main() -> None:
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=int(os.environ["PORT"]),
        grpc_port=int(os.environ["GRPC_PORT"]),
        parallel_workers=0,
        metrics_endpoint=None,
        gzip_enabled=False,
        load_models_at_startup=False,
    )
    await MLServer(settings).start([ModelSettings(name="xor", implementation=Xor)])


if __name__ == "__main__":
    asyncio.run(main())
