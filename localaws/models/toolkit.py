"""Stands in for `sagemaker_containers`, which published scikit-learn scripts import at their top.

The scikit-learn image ships that package; a laptop does not. Scripts use three things of it: the
names of content types, `encoders.encode/decode` and `worker.Response`. A real one is preferred.
# parity: nothing else of the package is here; using it is an AttributeError that names it.
"""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from localaws.models import codecs as model_codecs

_ROOT = "sagemaker_containers"
_FRAMEWORK = f"{_ROOT}.beta.framework"
_PACKAGES = (_ROOT, f"{_ROOT}.beta", _FRAMEWORK)


class Response:
    """What output_fn may return: a body and its type."""

    def __init__(
        self, response: Any = b"", status: int = 200, headers: Any = None, mimetype: str = ""
    ) -> None:
        self.response = response
        self.status_code = status
        self.headers = headers
        self.mimetype = mimetype or model_codecs.JSON

    def get_data(self, as_text: bool = False) -> Any:
        """The body."""
        body = self.response
        if isinstance(body, str) and not as_text:
            return body.encode()
        return body.decode() if isinstance(body, bytes) and as_text else body


def _content_types(module: Any) -> None:
    module.JSON, module.CSV, module.NPY = model_codecs.JSON, model_codecs.CSV, model_codecs.NPY
    module.OCTET_STREAM, module.ANY = "application/octet-stream", "*/*"
    module.UTF8_TYPES = [model_codecs.JSON, model_codecs.CSV]


def _encoders(module: Any) -> None:
    module.encode, module.decode = model_codecs.encode, model_codecs.decode


def _worker(module: Any) -> None:
    module.Response = Response


def _nothing(_module: Any) -> None:
    """Imported by scripts out of habit."""


_MODULES: dict[str, Callable[[Any], None]] = {
    **dict.fromkeys(_PACKAGES, _nothing),
    f"{_FRAMEWORK}.content_types": _content_types,
    f"{_FRAMEWORK}.encoders": _encoders,
    f"{_FRAMEWORK}.worker": _worker,
    **{f"{_FRAMEWORK}.{name}": _nothing for name in ("env", "modules", "transformer", "errors")},
}


class _Finder(MetaPathFinder, Loader):
    """Makes the modules when a script asks for them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Only the names above."""
        if fullname not in _MODULES:
            return None
        return ModuleSpec(fullname, self, is_package=fullname in _PACKAGES)

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        _MODULES[module.__name__](module)


def install() -> None:
    """Offer the stand-in in this process, unless the real package is there."""
    if importlib.util.find_spec(_ROOT) is None:
        sys.meta_path.append(_Finder())
