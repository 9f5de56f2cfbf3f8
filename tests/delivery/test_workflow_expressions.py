"""The runner's own expressions: what GitHub's documentation says of each."""

from typing import Any

import pytest

from tests.delivery.workflow_expressions import evaluate, filled, is_met

CONTEXT = {
    "github": {"ref_name": "prod/1", "sha": "4f2a"},
    "inputs": {"acceptance": False, "environment": "prod"},
    "needs": {"allowed": {"outputs": {"environment": "prod"}, "result": "success"}},
    "steps": {},
}


def good(name: str) -> bool:
    return name in ("success", "always")


def bad(name: str) -> bool:
    return name in ("failure", "always")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.sha", "4f2a"),
        ("${{ github.nothing.at.all }}", None),
        ("needs.allowed.outputs.environment == 'prod'", True),
        ("needs.allowed.outputs.environment == 'PROD'", True),
        ("'it''s'", "it's"),
        ("startsWith(github.ref_name, 'prod') && 'prod' || 'staging'", "prod"),
        ("startsWith(github.ref_name, 'staging') && 'a' || 'b'", "b"),
        ("!(inputs.acceptance || false)", True),
        ("always() && inputs.acceptance", False),
        ('fromJSON(\'["a", "b"]\')', ["a", "b"]),
    ],
)
def test_an_expression_has_its_value(text: str, value: Any) -> None:
    assert evaluate(text, CONTEXT, good) == value


@pytest.mark.parametrize("text", ["contains(a, b)", "github.sha ==", "secret.x", "1 +", "'a' 'b'"])
def test_what_the_runner_does_not_know_is_an_error_and_never_false(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        evaluate(text, CONTEXT, good)


@pytest.mark.parametrize(
    ("condition", "after_success", "after_failure"),
    [
        (None, True, False),
        ("inputs.environment == 'prod'", True, False),
        ("always()", True, True),
        ("always() && inputs.acceptance", False, False),
        ("failure()", False, True),
        ("${{ !inputs.acceptance }}", True, False),
    ],
)
def test_a_step_runs_after_a_failure_only_if_it_says_so(
    condition: str | None, after_success: bool, after_failure: bool
) -> None:
    assert is_met(condition, CONTEXT, good) is after_success
    assert is_met(condition, CONTEXT, bad) is after_failure


def test_a_text_is_filled_as_github_writes_values() -> None:
    text = "${{ inputs.environment }}-${{ github.sha }} ${{ inputs.acceptance }}${{ github.none }}"

    assert filled(text, CONTEXT) == "prod-4f2a false"
    assert filled(None, CONTEXT) == ""
