"""The part of `moto_seams` for versions of functions: published, deleted, found.

Rules: Lambda Developer Guide, "Manage Lambda function versions"; Lambda API, PublishVersion,
DeleteFunction (read 2026-11-21). Every private name of moto's awslambda package that is used here
has a smoke test in tests/localaws/test_lambdas_seams.py.
"""

import copy
from typing import Any
from urllib.parse import unquote

from localaws.errors import UnsupportedByLocalAws
from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams.function_names import LATEST, Named, conflict, invalid, plain_arn
from localaws.moto_seams.function_policies import forget_qualifier

_MOMENT = ("FunctionArn", "Version", "LastModified", "State", "LastUpdateStatus")
"""What a description of a function says of the version itself, not of what it runs."""


def install_versions() -> None:
    """Publish, list, delete and describe versions as AWS does."""
    _patch_publishing()
    _patch_answers()
    _refuse_changes_of_versions()


def routed(backend: Any, function: str, qualifier: str | None, draw: float) -> Any:
    """moto's function that a call runs, as a copy that knows under which name it was called.

    Of an alias with weights `draw`, at least 0 and below 1, decides on the version.
    """
    named = Named.of(function, qualifier)
    version = version_behind(backend, named, draw)
    found = copy.copy(backend.get_function(named.name, version))
    found.localaws_qualifier = named.qualifier
    return found


def version_behind(backend: Any, named: Named, draw: float) -> str | None:
    """The version that an alias leads to; anything else as it is."""
    alias = aliases_of(backend, named.name).get(named.qualifier)
    if alias is None:
        return named.qualifier or None
    for version, weight in weights_of(alias).items():
        if draw < weight:
            return version
    return str(alias.function_version)


def called_arn(function: Any) -> str:
    """The ARN under which `routed` found a function."""
    plain, qualifier = plain_arn(function), function.localaws_qualifier
    return f"{plain}:{qualifier}" if qualifier else plain


def aliases_of(backend: Any, name: str) -> dict[str, Any]:
    """moto's aliases of a function by name; none if there is no such function."""
    group = backend._lambdas._functions.get(name)
    if not group or not group["latest"]:
        return {}
    found: dict[str, Any] = backend._lambdas._aliases[plain_arn(group["latest"])]
    return found


def has_aliases(function: Any) -> bool:
    """Whether moto's function has any."""
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[function.account_id][function.region]
    return bool(aliases_of(backend, function.function_name))


def weights_of(alias: Any) -> dict[str, float]:
    """The share, 0 to 1, of the alias' second version, by version."""
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return {str(version): float(weight) for version, weight in weights.items()}


def latest_of(function: Any) -> Any:
    """moto's function as it is now, whichever version is given."""
    from moto.awslambda.models import lambda_backends

    return lambda_backends[function.account_id][function.region].get_function(
        function.function_name
    )


def _patch_publishing() -> None:
    from moto.awslambda.models import LambdaBackend, LambdaFunction

    deleted = LambdaBackend.delete_function

    def publish_version(self: Any, function_name: str, description: str = "") -> Any:
        named = Named.of(function_name)
        latest = self.get_function(named.name, named.qualifier or None)
        named.refuse_qualified()
        group = self._lambdas._functions[latest.function_name]
        state = _published_state(latest)
        if group["versions"] and group["versions"][-1].localaws_published == state:
            return group["versions"][-1]
        group["localaws_last"] = group.get("localaws_last", 0) + 1
        published = _copied(latest, group["localaws_last"])
        published.localaws_published = state
        published.description = description or latest.description
        group["versions"].append(published)
        self._lambdas._arns[published.function_arn] = published
        return published

    def delete_function(self: Any, name: str, qualifier: str | None = None) -> None:
        named = Named.of(name, qualifier)
        _refuse_deletion(self, named)
        deleted(self, named.name, named.qualifier or None)
        forget_qualifier(self, named)

    def list_versions_by_function(self: Any, function_name: str) -> list[Any]:
        latest = self.get_function(Named.of(unquote(function_name)).name)
        first = copy.copy(latest)
        first.function_arn = f"{plain_arn(latest)}:{LATEST}"
        return [first, *self._lambdas._functions[latest.function_name]["versions"]]

    for function in (publish_version, delete_function, list_versions_by_function):
        moto_patches.replace(LambdaBackend, function.__name__, function)
    moto_patches.add(LambdaFunction, "localaws_qualifier", "")


def _copied(latest: Any, number: int) -> Any:
    """A version: later changes of the function do not reach it."""
    published = copy.copy(latest)
    published.code = dict(latest.code)
    published.set_version(number)
    return published


def _published_state(latest: Any) -> dict[str, Any]:
    """What must differ from the last version for another one to be made."""
    found = latest.get_configuration()
    return copy.deepcopy({key: value for key, value in found.items() if key not in _MOMENT})


def _refuse_deletion(backend: Any, named: Named) -> None:
    """A version that an alias needs stays, and so does $LATEST; an alias has its own operation."""
    if not named.qualifier:
        return
    backend.get_function(named.name, named.qualifier)
    if not named.qualifier.isdigit():
        raise invalid(f"{named.qualifier} cannot be deleted without deleting the function.")
    users = [
        name
        for name, alias in aliases_of(backend, named.name).items()
        if named.qualifier in (str(alias.function_version), *weights_of(alias))
    ]
    if users:
        raise conflict(
            f"Unable to delete version {named.qualifier} of {named.name} because these aliases "
            f"reference it: {', '.join(sorted(users))}. Point them at another version first."
        )


def _refuse_changes_of_versions() -> None:
    from moto.awslambda.models import LambdaBackend

    for name in ("update_function_code", "update_function_configuration"):
        _refuse_for_versions(LambdaBackend, name)


def _refuse_for_versions(backend: Any, name: str) -> None:
    changed = getattr(backend, name)

    def change(self: Any, function_name: str, qualifier: Any, body: dict[str, Any]) -> Any:
        Named.of(function_name, qualifier).refuse_qualified()
        return changed(self, function_name, qualifier, body)

    moto_patches.replace(backend, name, change)


def _patch_answers() -> None:
    """The checks of PublishVersion, and the ARN of an alias where one was asked for."""
    from moto.awslambda.responses import LambdaResponse

    published = LambdaResponse.publish_version
    configured = LambdaResponse._set_configuration_qualifier

    def publish_version(self: Any) -> Any:
        wanted = self._get_param("CodeSha256")
        if self._get_param("RevisionId"):
            raise UnsupportedByLocalAws("lambda", "PublishVersion", "RevisionId")
        latest = self.backend.get_function(unquote(self.path.split("/")[-2]))
        if wanted and wanted != latest.code_sha_256:
            raise invalid(
                f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST "
                f"({latest.code_sha_256}). Please try again with the CodeSHA256 in $LATEST."
            )
        return published(self)

    def _set_configuration_qualifier(described: dict[str, Any], name: str, qualifier: Any) -> Any:
        named = Named.of(name, qualifier)
        if named.qualifier and named.qualifier not in (LATEST, described["Version"]):
            plain = ":".join(described["FunctionArn"].split(":")[:7])
            described = {**described, "FunctionArn": f"{plain}:{named.qualifier}"}
        return configured(described, name, qualifier)

    moto_patches.replace(LambdaResponse, "publish_version", publish_version)
    moto_patches.replace(
        LambdaResponse, "_set_configuration_qualifier", staticmethod(_set_configuration_qualifier)
    )
