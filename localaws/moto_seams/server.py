"""The only file that touches private names of moto; each has a smoke test in test_moto_seams.py.

Each section belongs to one part of the laptop's AWS and says which name it uses and why. moto is
pinned exactly, so a name that moved shows as a failing smoke test and not at run time.
"""

import copy
import functools
import importlib
import sys
import threading
import types
from typing import Any

from localaws.context import WsgiApplication
from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams import storage as moto_seams_storage

# --- server: start-up ---------------------------------------------------------------------------

_BATCH_MODULE = (
    "moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_batch"
)


def stub_batch() -> None:
    """Keep moto's Step Functions from importing AWS Batch, and through it all of EC2's tables.

    Must run before anything of moto's Step Functions is imported; halves start-up time and memory.
    """
    if _BATCH_MODULE in sys.modules:
        return
    stub = types.ModuleType(_BATCH_MODULE)

    class StateTaskServiceBatch:
        """Stands in for the Batch integration, which no machine here uses."""

        def __init__(self) -> None:
            from localaws.errors import UnsupportedByLocalAws

            raise UnsupportedByLocalAws("states", "batch:submitJob", "state machine task")

    stub.StateTaskServiceBatch = StateTaskServiceBatch  # type: ignore[attr-defined]
    sys.modules[_BATCH_MODULE] = stub


def stub_ec2() -> None:
    """Keep moto's SSM from importing EC2 (0.3 s, 50 MB), of which it only lists instances."""
    if "moto.ec2" not in sys.modules:
        stub = types.ModuleType("moto.ec2")
        stub.ec2_backends = {}  # type: ignore[attr-defined]
        sys.modules["moto.ec2"] = stub


def configure_moto() -> None:
    """Let state machines execute; authentication stays with the laptop's own evaluator."""
    from moto.core.config import default_user_config

    moto_patches.put(default_user_config, "stepfunctions", {"execute_state_machine": True})
    _leave_bucket_policies_to_iam()
    _list_versions_without_their_content()
    moto_seams_storage.tell_whether_eventbridge_hears()
    _look_for_operations_once()
    _read_addresses_one_at_a_time()


# Werkzeug reads the pattern of an address with `ast.parse`, which in Python 3.11 is not safe in two
# threads at once: "AST constructor recursion depth mismatch" (python/cpython#106905).
_reading_addresses = threading.Lock()


def _read_addresses_one_at_a_time() -> None:
    """moto makes a service's router at its first request, in whichever thread that is served."""
    from moto.core.routing import ServiceOperationRouter

    def made_once(router: Any, protocol: str) -> Any:
        if protocol in router._routers:
            return router._routers[protocol]
        with _reading_addresses:
            return made(router, protocol)

    made = moto_patches.replace(ServiceOperationRouter, "_get_router", made_once)


def _leave_bucket_policies_to_iam() -> None:
    """Stop moto from reading bucket policies: it knows no condition, so TLS-only denies all."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    moto_patches.replace(
        FakeBucket, "get_permission", lambda _bucket, _action, _resource: PermissionResult.NEUTRAL
    )


def _list_versions_without_their_content() -> None:
    """Stop moto from reading and copying every object of a bucket to list some of its versions.

    A listing marks the latest versions on copies; they share the content and never let go of it.
    """
    from moto.s3 import models

    class ListedVersion(models.FakeKey):  # type: ignore[misc]
        """A version as far as a listing needs it."""

        def __del__(self) -> None:
            """Leave the content to the stored version."""

    def listed(version: Any) -> Any:
        if not isinstance(version, models.FakeKey):
            return copy.copy(version)
        made = object.__new__(ListedVersion)  # moto would remember an instance made otherwise
        made.__dict__.update(version.__dict__)
        return made

    stand_in = types.SimpleNamespace(
        copy=copy.copy, deepcopy=lambda versions: [listed(version) for version in versions]
    )
    moto_patches.replace(models, "copy", stand_in)


def _look_for_operations_once() -> None:
    """moto asks Python's introspection for the methods of a service in every single request."""
    from moto.core import responses

    names = functools.lru_cache(maxsize=None)(responses.method_names_from_class)
    moto_patches.replace(responses, "method_names_from_class", names)


def backend_application(backend: str) -> WsgiApplication:
    """moto's WSGI application for one of its packages, for example `stepfunctions`."""
    from moto import settings

    moto_patches.replace(settings, "DISABLE_GLOBAL_CORS", True)
    from moto.moto_server.werkzeug_app import create_backend_app

    with _reading_addresses:
        made = create_backend_app(backend)
    # Neither cross-origin headers nor Flask's debugging aids are of use; errors must reach us.
    made.debug = False
    made.config["PROPAGATE_EXCEPTIONS"] = True
    application: WsgiApplication = made
    return application


def forget_everything(backends: list[str]) -> None:
    """Empty the stores of the given packages, in all accounts and regions."""
    for backend in backends:
        module = importlib.import_module(f"moto.{backend}")
        for regions in list(_backend_dict(module, backend).values()):
            for store in list(regions.values()):
                store.reset()


def _backend_dict(module: types.ModuleType, backend: str) -> dict[str, dict[str, Any]]:
    models = importlib.import_module(f"{module.__name__}.models")
    name = {"awslambda": "lambda"}.get(backend, backend)
    for candidate in (f"{backend}_backends", f"{name}_backends"):
        if hasattr(models, candidate):
            found: dict[str, dict[str, Any]] = getattr(models, candidate)
            return found
    raise LookupError(f"moto.{backend} has no backends dictionary")
