"""The Condition block of a policy statement: operators, set qualifiers, policy variables.

Rules: IAM User Guide, "IAM JSON policy elements: Condition operators", "Creating a condition with
multiple keys or values", "Policy variables" (read 2026-11). Values in, values out.

>>> holds = compile_condition("StringLike", "s3:prefix", ["runs/*"])
>>> holds({"s3:prefix": ("runs/1/",)}), holds({"s3:prefix": ("other",)}), holds({})
(True, False, False)
"""

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from localaws.errors import UnsupportedByLocalAws

Values = tuple[str, ...]
Context = Mapping[str, Values]
"""Condition keys in lower case; a key that the request does not have is absent."""
Condition = Callable[[Context], bool]
Match = Callable[[str, str], bool]
"""(value of the policy, value of the request) -> whether they match."""


class MissingVariableError(Exception):
    """A policy variable has no value in this request, so the text that holds it matches nothing."""


_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "\uf000", "?": "\uf001", "$": "$"}
"""`${*}` means the character itself; private-use characters carry it past the wildcards."""


def fill_variables(text: str, context: Context) -> str:
    """`text` with its policy variables replaced; raises MissingVariableError."""
    return _VARIABLE.sub(lambda found: _variable(found.group(1), context), text)


def _variable(inner: str, context: Context) -> str:
    if inner in _LITERALS:
        return _LITERALS[inner]
    name, _, default = inner.partition(",")
    values = context.get(name.strip().lower())
    if values and len(values) == 1:
        return values[0].replace("*", _LITERALS["*"]).replace("?", _LITERALS["?"])
    if default:
        return default.strip().strip("'")
    raise MissingVariableError(inner)


@lru_cache(maxsize=8192)
def wildcard(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression for a pattern with ``*`` (any text) and ``?`` (one character)."""
    return re.compile(translate(pattern), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def translate(pattern: str, any_text: str = ".*", any_one: str = ".") -> str:
    """The source of that regular expression."""
    pieces = {"*": any_text, "?": any_one, _LITERALS["*"]: r"\*", _LITERALS["?"]: r"\?"}
    return "".join(pieces.get(character) or re.escape(character) for character in pattern)


@lru_cache(maxsize=8192)
def arn_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression for an ARN whose six parts may each hold wildcards.

    >>> bool(arn_pattern("arn:aws:sqs:*:*:q*").fullmatch("arn:aws:sqs:us-east-1:1:queue"))
    True
    """
    parts = pattern.split(":", 5)
    parts += ["*"] * (6 - len(parts))
    heads = [translate(part, "[^:]*", "[^:]") for part in parts[:5]]
    return re.compile(":".join([*heads, translate(parts[5])]), re.DOTALL)


def _literal(pattern: str) -> str:
    return pattern.replace(_LITERALS["*"], "*").replace(_LITERALS["?"], "?")


def _arn_like(pattern: str, value: str) -> bool:
    return pattern == "*" or arn_pattern(pattern).fullmatch(value) is not None


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _numbers(compare: Callable[[float, float], bool]) -> Match:
    def matches(policy: str, value: str) -> bool:
        try:
            return compare(float(value), float(policy))
        except ValueError:
            return False

    return matches


def _dates(compare: Callable[[datetime, datetime], bool]) -> Match:
    def matches(policy: str, value: str) -> bool:
        try:
            return compare(_moment(value), _moment(policy))
        except ValueError:
            return False

    return matches


def _address_in(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _same_text(policy: str, value: str) -> bool:
    return _literal(policy) == value


def _same_text_any_case(policy: str, value: str) -> bool:
    return _literal(policy).lower() == value.lower()


def _like(policy: str, value: str) -> bool:
    return wildcard(policy).fullmatch(value) is not None


_OPERATORS: dict[str, tuple[Match, bool]] = {
    "StringEquals": (_same_text, False),
    "StringNotEquals": (_same_text, True),
    "StringEqualsIgnoreCase": (_same_text_any_case, False),
    "StringNotEqualsIgnoreCase": (_same_text_any_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "Bool": (_same_text_any_case, False),
    "BinaryEquals": (_same_text, False),
    "IpAddress": (_address_in, False),
    "NotIpAddress": (_address_in, True),
    "NumericEquals": (_numbers(operator.eq), False),
    "NumericNotEquals": (_numbers(operator.eq), True),
    "NumericLessThan": (_numbers(operator.lt), False),
    "NumericLessThanEquals": (_numbers(operator.le), False),
    "NumericGreaterThan": (_numbers(operator.gt), False),
    "NumericGreaterThanEquals": (_numbers(operator.ge), False),
    "DateEquals": (_dates(operator.eq), False),
    "DateNotEquals": (_dates(operator.eq), True),
    "DateLessThan": (_dates(operator.lt), False),
    "DateLessThanEquals": (_dates(operator.le), False),
    "DateGreaterThan": (_dates(operator.gt), False),
    "DateGreaterThanEquals": (_dates(operator.ge), False),
}
"""Operator -> (how two values match, whether the operator is a negated one)."""

_BY_LOWER_NAME = {name.lower(): rule for name, rule in _OPERATORS.items()}


def compile_condition(operator_name: str, key: str, wanted: Sequence[str]) -> Condition:
    """A function from a request's context to whether the condition holds."""
    name, key = operator_name.lower(), key.lower()
    qualifier, _, rest = name.rpartition(":")
    optional = rest.endswith("ifexists")
    rest = rest.removesuffix("ifexists")
    if rest == "null":
        return _null(key, wanted)
    if rest not in _BY_LOWER_NAME or qualifier not in ("", "forallvalues", "foranyvalue"):
        raise UnsupportedByLocalAws("iam", operator_name, "condition operator")
    matches, negated = _BY_LOWER_NAME[rest]
    test = _tester(matches, tuple(wanted))
    when_missing = optional or (negated and qualifier != "foranyvalue")
    if qualifier == "forallvalues":
        return _for_all(key, test, negated=negated)
    return _for_any(key, test, negated=negated, qualified=bool(qualifier), absent=when_missing)


def _tester(matches: Match, wanted: Values) -> Callable[[str, Context], bool]:
    def test(value: str, context: Context) -> bool:
        return any(_matches_filled(matches, policy, value, context) for policy in wanted)

    return test


def _matches_filled(matches: Match, policy: str, value: str, context: Context) -> bool:
    try:
        return matches(fill_variables(policy, context) if "${" in policy else policy, value)
    except MissingVariableError:
        return False


def _for_all(key: str, test: Callable[[str, Context], bool], *, negated: bool) -> Condition:
    def holds(context: Context) -> bool:
        return all(test(value, context) != negated for value in context.get(key, ()))

    return holds


def _for_any(
    key: str,
    test: Callable[[str, Context], bool],
    *,
    negated: bool,
    qualified: bool,
    absent: bool,
) -> Condition:
    def holds(context: Context) -> bool:
        values = context.get(key)
        if not values:
            return absent
        if negated and not qualified:
            return not any(test(value, context) for value in values)
        return any(test(value, context) != negated for value in values)

    return holds


def _null(key: str, wanted: Sequence[str]) -> Condition:
    missing = [text.lower() == "true" for text in wanted]

    def holds(context: Context) -> bool:
        return (not context.get(key)) in missing

    return holds


def texts(value: object) -> Values:
    """A policy's scalar or list as texts, the way IAM writes them.

    >>> texts([True, 5, "a"])
    ('true', '5', 'a')
    """
    values: Iterable[object] = value if isinstance(value, list) else [value]
    return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
