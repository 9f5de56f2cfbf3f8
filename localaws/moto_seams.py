"""The only file that touches private names of moto; each has a smoke test in test_moto_seams.py.

Each section belongs to one part of the laptop's AWS and says which name it uses and why. moto is
pinned exactly, so a name that moved shows as a failing smoke test and not at run time.
"""

import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any, Protocol

from localaws.context import WsgiApplication

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


def configure_moto() -> None:
    """Let state machines execute; authentication stays with the laptop's own evaluator."""
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def backend_application(backend: str) -> WsgiApplication:
    """moto's WSGI application for one of its packages, for example `stepfunctions`."""
    from moto.moto_server.werkzeug_app import create_backend_app

    application: WsgiApplication = create_backend_app(backend)
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


# --- iam: reading what the IAM service stores -----------------------------------------------------


class StoredRole(Protocol):
    """What the evaluator reads of a role in moto's IAM."""

    id: str
    arn: str
    name: str
    path: str
    assume_role_policy_document: str
    policies: dict[str, str]
    managed_policies: dict[str, Any]
    permissions_boundary_arn: str | None
    tags: dict[str, dict[str, str]]
    max_session_duration: str | None


def iam_store(account: str) -> Any:
    """moto's IAM of one account."""
    from moto.iam.models import iam_backends

    return iam_backends[account]["aws"]


def iam_accounts() -> list[str]:
    """Accounts in which IAM has been used."""
    from moto.iam.models import iam_backends

    return list(iam_backends)


def find_role(account: str, name: str) -> StoredRole | None:
    """The role called `name` (without path) in `account`."""
    roles: Iterator[StoredRole] = iter(list(iam_store(account).roles.values()))
    return next((role for role in roles if role.name == name), None)


def find_access_key(key_id: str) -> tuple[str, dict[str, Any], str] | None:
    """Account, user (name, arn, id, tags) and secret of an active access key of an IAM user."""
    for account in iam_accounts():
        for user in list(iam_store(account).users.values()):
            for key in user.access_keys:
                if key.access_key_id == key_id and key.status == "Active":
                    tags = {
                        t["Key"]: t["Value"] for t in iam_store(account).list_user_tags(user.name)
                    }
                    described = {"name": user.name, "arn": user.arn, "id": user.id, "tags": tags}
                    return account, described, key.secret_access_key
    return None
