"""The part of `moto_seams` that belongs to CodePipeline: its operations are served by the laptop.

moto keeps nothing of CodePipeline; only its dispatch of requests is used. Every private name has a
smoke test in `tests/localaws/test_events_seams.py`.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from localaws.iam import identity as iam_identity
from localaws.moto_seams import patches as moto_patches
from localaws.pipelines.api import Caller
from localaws.wire import AwsError

Serve = Callable[[str, Caller, dict[str, Any]], dict[str, Any]]


def install(operations: list[str], serve: Serve) -> None:
    """Answer each of `operations` (as `CreatePipeline`) with `serve`."""
    from moto.codepipeline.responses import CodePipelineResponse

    for operation in operations:
        moto_patches.add(CodePipelineResponse, method_name(operation), _method(operation, serve))


def method_name(operation: str) -> str:
    """moto's name for an operation: `CreatePipeline` is `create_pipeline`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def _method(operation: str, serve: Serve) -> Callable[[Any], str]:
    def method(self: Any) -> str:
        from moto.core.exceptions import JsonRESTError

        try:
            return json.dumps(serve(operation, _caller(self), json.loads(self.body or "{}")))
        except AwsError as error:
            raise JsonRESTError(error.code, error.message) from error

    return method


def _caller(handler: Any) -> Caller:
    found = re.search(r"Credential=([^/]+)/", handler.headers.get("Authorization", ""))
    arn = iam_identity.arn_of(found[1] if found else "")
    return Caller(arn, handler.current_account, handler.region)
