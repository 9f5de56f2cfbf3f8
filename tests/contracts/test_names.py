"""One name runs through: file, handler, logical id, function name, example event, test file."""

import ast
import json
import re

import pytest

from tests.contracts import repository

FUNCTIONS = sorted(path.stem for path in repository.python_files("functions"))
DEPLOYED = repository.resources("AWS::Serverless::Function")


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def test_every_function_file_is_deployed_and_nothing_else() -> None:
    handlers = {properties["Handler"] for properties in DEPLOYED.values()}

    assert handlers == {f"{name}.handler" for name in FUNCTIONS}


def test_every_example_event_belongs_to_a_function() -> None:
    events = {path.stem for path in repository.committed_files() if path.parts[0] == "events"}

    assert events == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_name_of_a_function_runs_through(name: str) -> None:
    logical_id = f"{pascal(name)}Function"
    kebab = name.replace("_", "-")

    assert DEPLOYED[logical_id]["Handler"] == f"{name}.handler"
    assert DEPLOYED[logical_id]["FunctionName"] == {
        "Fn::Sub": f"${{AppName}}-${{EnvironmentName}}-{kebab}"
    }
    assert (repository.ROOT / "tests" / "functions" / f"test_{name}.py").is_file()
    json.loads((repository.ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_file_defines_its_handler(name: str) -> None:
    tree = ast.parse((repository.ROOT / "functions" / f"{name}.py").read_text(encoding="utf-8"))

    assert "handler" in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("logical_id", sorted(DEPLOYED))
def test_a_function_has_its_own_role_and_log_group(logical_id: str) -> None:
    stem = logical_id.removesuffix("Function")
    properties = DEPLOYED[logical_id]

    assert properties["Role"] == {"Fn::GetAtt": [f"{stem}Role", "Arn"]}
    assert properties["LoggingConfig"]["LogGroup"] == {"Ref": f"{stem}LogGroup"}


def test_every_function_that_a_machine_calls_is_named_in_its_substitutions() -> None:
    for machine in repository.resources("AWS::Serverless::StateMachine").values():
        for key, value in machine["DefinitionSubstitutions"].items():
            assert value == {"Ref": f"{key.removesuffix('Arn')}.Alias"}


@pytest.mark.parametrize(
    "logical_id", ["TrainingStateMachine", "InferenceStateMachine", "PromotionStateMachine"]
)
def test_a_machine_uses_each_substitution_and_substitutes_each_placeholder(logical_id: str) -> None:
    machine = repository.resources("AWS::Serverless::StateMachine")[logical_id]

    placeholders = set(re.findall(r"\$\{(\w+)\}", repository.definition_of(machine)))

    assert placeholders == set(machine["DefinitionSubstitutions"])


def test_every_machine_file_is_deployed() -> None:
    files = {f"statemachines/{p.name}" for p in (repository.ROOT / "statemachines").glob("*.json")}
    machines = repository.resources("AWS::Serverless::StateMachine").values()

    assert files == {machine["DefinitionUri"] for machine in machines}
