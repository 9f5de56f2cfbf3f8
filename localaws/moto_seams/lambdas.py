"""The part of `moto_seams` that belongs to Lambda: moto stores functions, the laptop runs them.

Every private name of moto's awslambda package is used here and has a smoke test in
tests/localaws/test_lambdas_seams.py. moto itself would run functions in Docker; it never gets to.
"""

import base64
import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from localaws.errors import UnsupportedByLocalAws
from localaws.lambdas.function import Archive, AsyncPolicy, FunctionSpec
from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams.function_aliases import install_aliases
from localaws.moto_seams.function_names import plain_arn
from localaws.moto_seams.function_policies import event_handling, install_policies
from localaws.moto_seams.function_versions import (
    called_arn,
    install_versions,
    latest_of,
    routed,
)

_KEPT = ("LoggingConfig", "DeadLetterConfig")
"""Settings that moto drops."""


@dataclass(frozen=True)
class InvokeRequest:
    """An Invoke call as it came over the wire."""

    function: Any
    """moto's function; give it to `spec_of` and `policy_of`."""
    payload: bytes
    kind: str
    """RequestResponse, Event or DryRun."""
    invoked_arn: str
    client_context: str
    wants_log: bool
    find: Callable[[], Any]
    """Looks the function up again, for a later try; the share of an alias it falls to stays."""


Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class LambdaHooks:
    """What the laptop does instead of moto."""

    invoke: Callable[[InvokeRequest], Answer]
    run: Callable[[Any, bytes], tuple[bytes, bool, str]]
    """Payload, whether it failed, and the log of one run of moto's function."""
    changed: Callable[[Any], None]
    """Told a function that was made or configured anew."""
    aliased: Callable[[Any], None]
    """Told moto's function of a version that an alias came to lead to."""
    deleted: Callable[[str], None]
    """Told the ARN of a function that is gone, or of a version that no alias leads to any more."""


_hooks: LambdaHooks | None = None


def install_lambdas(hooks: LambdaHooks) -> None:
    """Run functions through `hooks` from now on."""
    global _hooks  # noqa: PLW0603 - one server at a time, as every part of the laptop
    _hooks = hooks
    _patch_settings()
    _patch_running()
    _patch_backend()
    _patch_responses()
    install_versions()
    install_policies()
    install_aliases(hooks.aliased, hooks.deleted)


def uninstall_lambdas() -> None:
    """Refuse to run functions until the next installation."""
    global _hooks  # noqa: PLW0603 - see install_lambdas
    _hooks = None


def _active() -> LambdaHooks:
    if _hooks is None:
        raise UnsupportedByLocalAws("lambda", "Invoke", "the laptop's AWS is not running")
    return _hooks


def _tell_changed(function: Any) -> None:
    if _hooks is not None:
        _hooks.changed(function)


def _tell_deleted(arn: str) -> None:
    if _hooks is not None:
        _hooks.deleted(arn)


def _patch_settings() -> None:
    """Keep what moto drops of a function's configuration."""
    from moto.awslambda.models import LambdaFunction

    created, configured = LambdaFunction.__init__, LambdaFunction.update_configuration
    described = LambdaFunction.get_configuration

    def __init__(
        self: Any, account_id: str, spec: dict[str, Any], *rest: Any, **named: Any
    ) -> None:
        self.localaws_settings = {key: spec[key] for key in _KEPT if spec.get(key)}
        created(self, account_id, spec, *rest, **named)

    def update_configuration(self: Any, updates: dict[str, Any]) -> dict[str, Any]:
        _refuse_what_would_do_nothing("UpdateFunctionConfiguration", updates)
        kept = {key: updates[key] for key in _KEPT if key in updates}
        self.localaws_settings = {**self.localaws_settings, **kept}
        self.tracing_config = updates.get("TracingConfig", self.tracing_config)
        self.kms_key_arn = updates.get("KMSKeyArn", self.kms_key_arn)
        if "EphemeralStorage" in updates:
            self.ephemeral_storage = updates["EphemeralStorage"]["Size"]
        answer: dict[str, Any] = configured(self, updates)
        _tell_changed(self)
        return answer

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        return {**described(self, on_create), **_described_settings(self)}

    def __deepcopy__(self: Any, _memo: dict[int, Any]) -> Any:
        """moto copies functions to list them; copied deeply, the log of the account came along."""
        return copy.copy(self)

    for function in (__init__, update_configuration, get_configuration, __deepcopy__):
        moto_patches.add(LambdaFunction, function.__name__, function)


def _patch_running() -> None:
    """Run functions by the hooks, also when moto itself delivers a message of SNS or SQS."""
    from moto.awslambda.models import LambdaFunction

    def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
        payload, failed, log = _active().run(self, _as_payload(event))
        return payload.decode(), failed, log

    def invoke(self: Any, body: Any, _request: Any, response_headers: Any) -> bytes:
        payload, failed, _ = _active().run(self, _as_payload(body))
        if failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return payload

    for function in (_invoke_lambda, invoke):
        moto_patches.replace(LambdaFunction, function.__name__, function)


def _described_settings(function: Any) -> dict[str, Any]:
    settings = function.localaws_settings
    logging = {
        "LogFormat": "Text",
        "LogGroup": f"/aws/lambda/{function.function_name}",
        **settings.get("LoggingConfig", {}),
    }
    target = settings.get("DeadLetterConfig", {}).get("TargetArn")
    return {
        "LoggingConfig": logging,
        **({"DeadLetterConfig": {"TargetArn": target}} if target else {}),
    }


def _as_payload(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event or b"{}"
    text = event if isinstance(event, str) else json.dumps(event or {})
    return (text or "{}").encode()


def _patch_backend() -> None:
    from moto.awslambda.models import LambdaBackend

    made, coded, deleted = (
        LambdaBackend.create_function,
        LambdaBackend.update_function_code,
        LambdaBackend.delete_function,
    )

    def create_function(self: Any, spec: dict[str, Any]) -> Any:
        _refuse_what_would_do_nothing("CreateFunction", spec)
        function = made(self, spec)
        _tell_changed(self.get_function(spec["FunctionName"]))
        return function

    def update_function_code(self: Any, name: str, qualifier: str, body: dict[str, Any]) -> Any:
        function = self.get_function(name, qualifier)
        if body.get("Architectures"):
            function.architectures = body["Architectures"]
        answer = coded(self, name, qualifier, body)
        _tell_changed(self.get_function(name, qualifier))
        return answer

    def delete_function(self: Any, name: str, qualifier: str | None = None) -> None:
        arn = self.get_function(name, qualifier).function_arn
        deleted(self, name, qualifier)
        _tell_deleted(arn)

    def create_function_url_config(self: Any, *_: Any) -> None:
        raise UnsupportedByLocalAws("lambda", "CreateFunctionUrlConfig")

    for function in (
        create_function,
        update_function_code,
        delete_function,
        create_function_url_config,
    ):
        moto_patches.replace(LambdaBackend, function.__name__, function)


def _refuse_what_would_do_nothing(operation: str, wanted: dict[str, Any]) -> None:
    """moto would store these settings, and no invocation would ever be different for them."""
    asked = {
        "images": wanted.get("PackageType") == "Image",
        "SnapStart": (wanted.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions",
        "a VPC": bool((wanted.get("VpcConfig") or {}).get("SubnetIds")),
    }
    for what in (name for name, is_asked in asked.items() if is_asked):
        raise UnsupportedByLocalAws("lambda", operation, what)


def _patch_responses() -> None:
    from moto.awslambda.responses import LambdaResponse

    def invoke(self: Any) -> Answer:
        status, headers, body = _active().invoke(_request_of(self))
        return status, {**headers, "status": str(status)}, body

    moto_patches.replace(LambdaResponse, "invoke", invoke)


def _request_of(response: Any) -> InvokeRequest:
    name = unquote(response.path.rsplit("/", 2)[-2])
    qualifier = response._get_param("Qualifier")
    backend = response.backend

    draw = random.random()  # noqa: S311 - shares calls out, keeps no secret

    def find() -> Any:
        return routed(backend, name, qualifier, draw)

    function = find()
    body = response.body
    headers = response.headers
    context = headers.get("X-Amz-Client-Context", "")
    return InvokeRequest(
        function=function,
        payload=(body.encode() if isinstance(body, str) else bytes(body or b"")) or b"{}",
        kind=headers.get("X-Amz-Invocation-Type", "RequestResponse"),
        invoked_arn=called_arn(function),
        client_context=base64.b64decode(context).decode() if context else "",
        wants_log=headers.get("X-Amz-Log-Type") == "Tail",
        find=find,
    )


def spec_of(function: Any) -> FunctionSpec:
    """moto's function as the runtime takes it."""
    logging = _described_settings(function)["LoggingConfig"]
    return FunctionSpec(
        arn=plain_arn(function),
        name=function.function_name,
        version=str(function.version),
        account=function.account_id,
        region=function.region,
        handler=function.handler or "",
        runtime=function.run_time or "python",
        role_arn=function.role,
        timeout_s=float(function.timeout),
        memory_mb=int(function.memory_size),
        environment=tuple(sorted((function.environment_vars or {}).items())),
        code=Archive(getattr(function, "code_digest", ""), function.code_bytes),
        layers=tuple(_layer(function, layer["Arn"]) for layer in function.layers),
        log_group=logging["LogGroup"],
        log_format=logging["LogFormat"],
        application_log_level=logging.get("ApplicationLogLevel", ""),
    )


def _layer(function: Any, arn: str) -> Archive:
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[function.account_id][function.region]
    version = backend.layers_versions_by_arn(arn)
    if version is None:
        raise UnsupportedByLocalAws("lambda", "Invoke", f"layer {arn} was deleted")
    return Archive(version.code_digest, version.code_bytes)


def policy_of(function: Any) -> AsyncPolicy:
    """How asynchronous events of moto's function are tried and where failed ones go."""
    config = event_handling(function)
    destinations = config.get("DestinationConfig", {})
    return AsyncPolicy(
        retries=config.get("MaximumRetryAttempts", AsyncPolicy.retries),
        longest_age_s=float(config.get("MaximumEventAgeInSeconds", AsyncPolicy.longest_age_s)),
        on_failure=destinations.get("OnFailure", {}).get("Destination", ""),
        on_success=destinations.get("OnSuccess", {}).get("Destination", ""),
        dead_letters=function.localaws_settings.get("DeadLetterConfig", {}).get("TargetArn", ""),
    )


def reserved_concurrency(function: Any) -> int | None:
    """How many invocations of moto's function may run at once, when that is limited."""
    limit = latest_of(function).reserved_concurrency
    return None if limit is None else int(limit)
