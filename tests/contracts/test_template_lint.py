"""cfn-lint has nothing to say, on the template as written and as CloudFormation would get it."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contracts import repository


def lint(path: Path, *options: str) -> str:
    command = [repository.tool("cfn-lint"), "--regions", repository.REGION, "--format", "parseable"]
    done = subprocess.run(
        [*command, *options, "--", path], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What cfn-lint says, by what it read: both at once, as each takes seconds of one core."""
    folder = tmp_path_factory.mktemp("lint")
    expanded = folder / "expanded.json"
    expanded.write_text(json.dumps(repository.expanded(folder)), encoding="utf-8")
    with ThreadPoolExecutor() as pool:
        written = pool.submit(lint, repository.TEMPLATE)
        # W1020: the translator puts a layer's literal name into an Fn::Sub that it no longer needs.
        # W2001: it resolves the parameter that names a function's deployment configuration.
        inlined = pool.submit(lint, expanded, "--ignore-checks", "W1020,W2001")
        return {"written": written.result(), "expanded": inlined.result()}


def test_cfn_lint_has_nothing_to_say_on_the_template(findings: dict[str, str]) -> None:
    assert findings["written"] == ""


def test_cfn_lint_has_nothing_to_say_on_the_expanded_template_with_the_asl_inlined(
    findings: dict[str, str],
) -> None:
    assert findings["expanded"] == ""


def test_the_template_uses_no_yaml_alias() -> None:
    """CloudFormation refuses them ("YAML aliases are not allowed in CloudFormation templates")."""
    lines = repository.TEMPLATE.read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if re.search(r"(^|[:\-] +)[&*][A-Za-z]\w*\s*$", line)] == []


def test_no_serverless_type_is_left_in_the_expanded_template(tmp_path: Path) -> None:
    types = {r["Type"] for r in repository.expanded(tmp_path)["Resources"].values()}

    assert [kind for kind in types if kind.startswith("AWS::Serverless")] == []
