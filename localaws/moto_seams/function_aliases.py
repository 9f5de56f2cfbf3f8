"""The part of `moto_seams` for aliases of functions: checked as Lambda does, and told about.

Rules: Lambda Developer Guide, "Create a routing configuration for a Lambda alias"; Lambda API,
CreateAlias, UpdateAlias, AliasRoutingConfiguration (read 2026-11-21). Every private name of moto's
awslambda package that is used here has a smoke test in tests/localaws/test_lambdas_seams.py.
"""

import copy
import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams.function_names import LATEST, Named, conflict, invalid, outside
from localaws.moto_seams.function_policies import forget_qualifier
from localaws.moto_seams.function_versions import aliases_of, weights_of

_ALIAS_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}")
_VERSION = re.compile(r"\$LATEST|\d+")

Told = Callable[[Any], None]


def install_aliases(aliased: Told, abandoned: Callable[[str], None]) -> None:
    """Name versions as AWS does.

    `aliased` is told moto's function of each version that an alias came to lead to, `abandoned`
    the ARN, with the version, of one that no alias leads to any more.
    """
    _patch_aliases(_Watch(aliased, abandoned))
    _patch_answers()


class _Watch:
    """Tells which versions aliases came to lead to, and which they left."""

    def __init__(self, aliased: Told, abandoned: Callable[[str], None]) -> None:
        self._aliased = aliased
        self._abandoned = abandoned

    def compare(self, backend: Any, name: str, before: set[str], *, made: bool = True) -> None:
        """Tell of what differs from the versions `before`; with `made` False of the left ones."""
        now = reached(backend, name)
        for version in sorted(now - before if made else ()):
            self._aliased(backend.get_function(name, version))
        arn = f"arn:aws:lambda:{backend.region_name}:{backend.account_id}:function:{name}"
        for version in sorted(before - now):
            self._abandoned(f"{arn}:{version}")


def reached(backend: Any, name: str) -> set[str]:
    """The versions that a function's aliases lead to; of one without aliases, $LATEST."""
    aliases = aliases_of(backend, name).values()
    found = {version for a in aliases for version in (str(a.function_version), *weights_of(a))}
    return found or {LATEST}


def _patch_aliases(watch: _Watch) -> None:
    from moto.awslambda.models import LambdaAlias, LambdaBackend

    deleted = LambdaBackend.delete_alias

    def create_alias(self: Any, name: str, function_name: str, **given: Any) -> Any:
        named = Named.of(function_name)
        named.refuse_qualified()
        before, version = reached(self, named.name), str(given["function_version"])
        _check_alias_name(name)
        self.get_function(named.name)
        aliases = aliases_of(self, named.name)
        if name in aliases:
            raise conflict(f"Alias already exists: {aliases[name].arn}")
        alias = LambdaAlias(
            self.account_id,
            self.region_name,
            name,
            named.name,
            version,
            given["description"] or "",
            given["routing_config"],
        )
        _check_routing(self, named.name, alias)
        aliases[name] = alias
        watch.compare(self, named.name, before)
        return alias

    def update_alias(self: Any, name: str, function_name: str, **given: Any) -> Any:
        named = Named.of(function_name)
        alias = self.get_alias(name, named.name)
        wanted, before = copy.copy(alias), reached(self, named.name)
        wanted.update(given["description"], given["function_version"], given["routing_config"])
        _check_routing(self, named.name, wanted)
        wanted.revision_id = str(uuid.uuid4())
        alias.__dict__.update(wanted.__dict__)
        watch.compare(self, named.name, before)
        return alias

    def delete_alias(self: Any, name: str, function_name: str) -> None:
        named = Named.of(function_name)
        before = reached(self, named.name)
        deleted(self, name, named.name)
        forget_qualifier(self, Named(named.name, name))
        watch.compare(self, named.name, before, made=False)

    for function in (create_alias, update_alias, delete_alias):
        moto_patches.replace(LambdaBackend, function.__name__, function)


def _check_alias_name(name: str) -> None:
    if not _ALIAS_NAME.fullmatch(name):
        raise outside(name, "name", "(?!^[0-9]+$)([a-zA-Z0-9-_]+)")


def _check_routing(backend: Any, name: str, alias: Any) -> None:
    """Both versions exist, and the second one is another published version with a share of 0-1."""
    version, weights = str(alias.function_version), weights_of(alias)
    if not _VERSION.fullmatch(version):
        raise outside(version, "functionVersion", r"(\$LATEST|[0-9]+)")
    first = backend.get_function(name, version)
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for second, weight in weights.items():
        _check_second(version, second, weight)
        _check_alike(first, backend.get_function(name, second))


def _check_second(version: str, second: str, weight: float) -> None:
    where = "routingConfig.additionalVersionWeights"
    if not second.isdigit():
        raise outside(f"{{{second}={weight}}}", where, "[0-9]+")
    if not 0.0 <= weight <= 1.0:
        raise outside(f"{{{second}={weight}}}", where, "a share from 0.0 to 1.0")
    if version == LATEST:
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if version == second:
        raise invalid(
            f"Invalid function version {second}. Function version {second} is already included in "
            "routing configuration."
        )


def _check_alike(first: Any, second: Any) -> None:
    """Both versions of an alias have one role and one dead-letter target."""
    letters = [v.localaws_settings.get("DeadLetterConfig") for v in (first, second)]
    if first.role != second.role or letters[0] != letters[1]:
        raise invalid(
            f"Versions {first.version} and {second.version} of {first.function_name} differ in "
            "their role or dead-letter target; an alias can share calls out between alike ones only"
        )


def _patch_answers() -> None:
    """The parts of the API that moto leaves out: revisions, the list of one version's aliases."""
    from moto.awslambda.responses import LambdaResponse

    updated = LambdaResponse.update_alias

    def update_alias(self: Any) -> Any:
        function, name = (unquote(self.path.split("/")[place]) for place in (-3, -1))
        alias = self.backend.get_alias(name, Named.of(function).name)
        _check_revision(self._get_param("RevisionId"), alias.revision_id)
        return updated(self)

    def list_aliases(self: Any) -> Any:
        version = self._get_param("FunctionVersion")
        found = self.backend.list_aliases(Named.of(unquote(self.path.split("/")[-2])).name)
        shown = [a.to_json() for a in found if version in (None, a.function_version)]
        return 200, {}, json.dumps({"Aliases": shown})

    for function in (update_alias, list_aliases):
        moto_patches.replace(LambdaResponse, function.__name__, function)


def _check_revision(wanted: str | None, current: str) -> None:
    from moto.awslambda.exceptions import PreconditionFailedException

    if wanted not in (None, current):
        raise PreconditionFailedException(
            f"The RevisionId provided, {wanted}, does not match the latest RevisionId. Call the "
            "GetAlias API to retrieve the latest RevisionId for your resource."
        )
