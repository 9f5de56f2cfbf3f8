"""The part of `moto_seams` for what belongs to one name of a function: policy and event handling.

A function, each of its versions and each of its aliases have a resource policy and settings for
asynchronous events of their own; moto keeps one of either for all of them. Rules: Lambda API,
AddPermission, PutFunctionEventInvokeConfig (read 2026-11-21): what is not qualified is `$LATEST`'s.
"""

from typing import Any
from urllib.parse import unquote

from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams.function_names import LATEST, Named, plain_arn


def install_policies() -> None:
    """Keep policies and event handling by qualifier."""
    _patch_permissions()
    _patch_event_handling()


def forget_qualifier(backend: Any, named: Named) -> None:
    """Drop what belongs to a version or an alias that is gone."""
    group = backend._lambdas._functions.get(named.name, {})
    for kind in ("localaws_policies", "localaws_events"):
        group.get(kind, {}).pop(named.qualifier, None)


def statements_of(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of all policies of one of moto's functions; each names its resource."""
    policies = group.get("localaws_policies", {}).values()
    return [statement for policy in policies for statement in policy.statements]


def event_handling(function: Any) -> dict[str, Any]:
    """MaximumRetryAttempts and so on, for the name under which moto's function was called."""
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[function.account_id][function.region]
    group = backend._lambdas._functions.get(function.function_name, {})
    found = group.get("localaws_events", {}).get(function.localaws_qualifier or LATEST)
    return dict(found.config) if found is not None else {}


def _group(backend: Any, named: Named) -> dict[str, Any]:
    """What moto keeps of a function; raises its error if there is no such name."""
    backend.get_function(named.name, named.qualifier or None)
    group: dict[str, Any] = backend._lambdas._functions[named.name]
    return group


def _policy(backend: Any, named: Named) -> Any:
    from moto.awslambda.policy import Policy

    group = _group(backend, named)
    policies = group.setdefault("localaws_policies", {})
    qualifier = "" if named.qualifier == LATEST else named.qualifier
    if qualifier not in policies:
        policies[qualifier] = Policy(group["latest"])
    return policies[qualifier]


def _patch_permissions() -> None:
    from moto.awslambda.models import LambdaBackend
    from moto.awslambda.responses import LambdaResponse

    def add_permission(self: Any, function_name: str, qualifier: str | None, raw: str) -> Any:
        named = Named.of(function_name, qualifier)
        policy = _policy(self, named)
        statement, _ = policy.add_statement(raw, named.qualifier.removeprefix(LATEST) or None)
        return statement

    def get_policy(self: Any, function_name: str, qualifier: str | None = None) -> Any:
        return _policy(self, Named.of(function_name, qualifier)).wire_format()

    def remove_permission(self: Any) -> Any:
        parts = self.path.split("/")
        named = Named.of(unquote(parts[-3]), self._get_param("Qualifier"))
        revision = self._get_param("RevisionId") or ""
        _policy(self.backend, named).del_statement(unquote(parts[-1]), revision)
        return 204, {"status": 204}, "{}"

    moto_patches.replace(LambdaBackend, "add_permission", add_permission)
    moto_patches.replace(LambdaBackend, "get_policy", get_policy)
    moto_patches.replace(LambdaResponse, "remove_permission", remove_permission)


def _patch_event_handling() -> None:
    from moto.awslambda.responses import LambdaResponse
    from moto.core.responses import ActionResult

    def put_function_event_invoke_config(self: Any) -> Any:
        return ActionResult(_put(self, self.json_body))

    def update_function_event_invoke_config(self: Any) -> Any:
        before = _found(self)
        return ActionResult(_put(self, {**before.config, **self.json_body}))

    def get_function_event_invoke_config(self: Any) -> Any:
        return ActionResult(_found(self).response())

    def delete_function_event_invoke_config(self: Any) -> Any:
        _found(self)
        named = _asked(self)
        del _group(self.backend, named)["localaws_events"][named.qualifier or LATEST]
        return 204, {"status": 204}, "{}"

    def list_function_event_invoke_configs(self: Any) -> Any:
        group = _group(self.backend, _asked(self))
        found = [config.response() for config in group.get("localaws_events", {}).values()]
        return ActionResult({"FunctionEventInvokeConfigs": found})

    for function in (
        put_function_event_invoke_config,
        update_function_event_invoke_config,
        get_function_event_invoke_config,
        delete_function_event_invoke_config,
        list_function_event_invoke_configs,
    ):
        moto_patches.replace(LambdaResponse, function.__name__, function)


def _asked(response: Any) -> Named:
    """The function that a request about its event handling names."""
    function = response.path.partition("/functions/")[2].partition("/")[0]
    return Named.of(unquote(function), response._get_param("Qualifier"))


def _found(response: Any) -> Any:
    from moto.awslambda.exceptions import UnknownEventConfig

    named = _asked(response)
    group = _group(response.backend, named)
    found = group.get("localaws_events", {}).get(named.qualifier or LATEST)
    if found is None:
        raise UnknownEventConfig(f"{plain_arn(group['latest'])}:{named.qualifier or LATEST}")
    return found


def _put(response: Any, config: dict[str, Any]) -> dict[str, Any]:
    from moto.awslambda.models import EventInvokeConfig

    named = _asked(response)
    group = _group(response.backend, named)
    arn = f"{plain_arn(group['latest'])}:{named.qualifier or LATEST}"
    kept = {key: value for key, value in config.items() if key in _SETTINGS}
    wanted = EventInvokeConfig(arn, group["latest"].last_modified, kept)
    group.setdefault("localaws_events", {})[named.qualifier or LATEST] = wanted
    answer: dict[str, Any] = wanted.response()
    return answer


_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
