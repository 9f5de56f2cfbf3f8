"""A model behind the four functions of the scikit-learn container's serving contract.

`model_fn` loads, `input_fn` reads a request, `predict_fn` predicts, `output_fn` writes the answer;
all but the first have defaults, and `transform_fn` may stand for the last three (SageMaker Python
SDK, "Using Scikit-learn", read 2026-11). Runs in a model server's or a transform job's child.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from localaws.jobs import child as job_child
from localaws.models import codecs as model_codecs
from localaws.models.codecs import UnsupportedFormat

MODEL_DIR = "/opt/ml/model"
CODE_DIR = "/opt/ml/code"


@dataclass(frozen=True)
class Answer:
    """What one request got."""

    status: int
    body: bytes
    content_type: str


class Model:
    """The loaded model and the functions around it."""

    def __init__(self, program: str, model_dir: str, code_dir: str) -> None:
        module = _import(program, code_dir)
        self._input = getattr(module, "input_fn", _default_input)
        self._predict = getattr(module, "predict_fn", _default_predict)
        self._output = getattr(module, "output_fn", model_codecs.encode)
        self._transform: Callable[..., Any] | None = getattr(module, "transform_fn", None)
        loader = getattr(module, "model_fn", None)
        if loader is None:
            raise NotImplementedError(f"{program} defines no model_fn, and there is no default")
        self._model = loader(model_dir)

    def answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Predict for one request; an error of the user's code becomes a status and a message."""
        try:
            return self._answer(body, content_type, accept)
        except UnsupportedFormat as error:
            return Answer(error.status, str(error).encode(), "text/plain")
        except Exception as error:  # noqa: BLE001 - the edge of a request: the server goes on
            traceback.print_exc()
            return Answer(500, f"{type(error).__name__}: {error}".encode(), "text/plain")

    def _answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        text = model_codecs.bare(content_type) in model_codecs.TEXT_TYPES
        received: Any = body.decode("utf-8") if text else body
        if self._transform is not None:
            return _as_answer(self._transform(self._model, received, content_type, accept), accept)
        prediction = self._predict(self._input(received, content_type), self._model)
        return _as_answer(self._output(prediction, accept), accept)


def load() -> Model:
    """The model that the container's environment describes."""
    program = os.environ.get("SAGEMAKER_PROGRAM", "")
    if not program:
        raise NotImplementedError("SAGEMAKER_PROGRAM, which names the inference script, is not set")
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    model_dir = job_child.container_path(MODEL_DIR)
    code_dir = submitted if submitted and not submitted.startswith("s3://") else CODE_DIR
    if not submitted and Path(model_dir, "code").is_dir():
        code_dir = f"{MODEL_DIR}/code"
    return Model(program, model_dir, job_child.container_path(code_dir))


def _import(program: str, code_dir: str) -> ModuleType:
    if not Path(code_dir, program).is_file():
        raise FileNotFoundError(f"the inference script {program} is not in {code_dir}")
    for name in job_child.hidden_modules(code_dir) - set(sys.stdlib_module_names):
        for loaded in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[loaded]
    sys.path.insert(0, code_dir)
    return importlib.import_module(Path(program).stem)


def _default_input(body: Any, content_type: str) -> Any:
    array = model_codecs.decode(body, content_type)
    # The container hands floats of 32 bits to predict_fn for its text formats.
    text = model_codecs.bare(content_type) in model_codecs.TEXT_TYPES
    return array.astype("float32") if text else array


def _default_predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def _as_answer(output: Any, accept: str) -> Answer:
    """Accept what output_fn may return: a body, (body, type), or a Response object."""
    content_type = accept
    if isinstance(output, tuple):
        output, content_type = output[0], output[1]
    elif hasattr(output, "get_data") and hasattr(output, "mimetype"):
        output, content_type = output.get_data(), output.mimetype
    if isinstance(output, str):
        output = output.encode()
    if not isinstance(output, bytes | bytearray):
        raise TypeError(f"output_fn returned a {type(output).__name__}, neither str nor bytes")
    return Answer(200, bytes(output), content_type)
