"""MLflow with a pyfunc model, in the application that `mlflow models serve` starts. The access log is off."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow.pyfunc import scoring_server

from bench.serving.forward import Forward


class Xor(mlflow.pyfunc.PythonModel):
    """Answers {"inputs": [[a, b], …]} with {"predictions": […]}."""

    def load_context(self, context: Any) -> None:
        self.forward = Forward(context.artifacts["parameters"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # MLflow reads type hints
        return self.forward(np.asarray(model_input, np.float32))


if __name__ == "__main__":
    folder = os.path.join(tempfile.mkdtemp(dir=os.environ["FOLDER"]), "model")
    mlflow.pyfunc.save_model(
        folder, python_model=Xor(), artifacts={"parameters": os.environ["PARAMETERS"]}, pip_requirements=[]
    )
    os.environ[scoring_server._SERVER_MODEL_PATH] = folder
    address = ["--host", "127.0.0.1", "--port", os.environ["PORT"]]
    options = ["--workers", "1", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", *address, *options, "mlflow.pyfunc.scoring_server.app:app"]
    os.execv(sys.executable, command)
