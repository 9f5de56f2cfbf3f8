"""Layers are shared by functions, their imports too, and nothing else of another function."""

import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.localaws.lambda_world import Laptop, laptop_for_functions, zipped


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from laptop_for_functions(tmp_path_factory.mktemp("state"))


def layer(laptop: Laptop, name: str, files: Mapping[str, str]) -> str:
    published = laptop.client.publish_layer_version(
        LayerName=name, Content={"ZipFile": zipped(files)}
    )
    return str(published["LayerVersionArn"])


def test_layers_are_importable_and_the_last_one_wins(laptop: Laptop) -> None:
    app = (
        "import shared, only_first\ndef handler(event, context): return [shared.A, only_first.B]\n"
    )
    first = layer(
        laptop, "first", {"python/shared.py": "A = 'first'", "python/only_first.py": "B = 1"}
    )
    second = layer(laptop, "second", {"python/shared.py": "A = 'second'"})

    name = laptop.make("layered", app, Layers=[first, second])

    assert laptop.call(name, "") == ["second", 1]


SHARED = {
    "python/boto3/__init__.py": "import os\nIMPORTED_BY = os.getpid()\n",
    "python/pydantic/__init__.py": "WHERE = 'layer'\n",
    "python/own/__init__.py": "import os\nSTAGE = os.environ['STAGE']\n",
}
SHARING = """
import os, sys
import boto3, own, pydantic

def handler(event, context):
    if event.get("do") == "leave":
        print("last words")
        sys.exit(4)
    return {
        "forked": boto3.IMPORTED_BY != os.getpid(), "stage": own.STAGE, "pydantic": pydantic.WHERE,
        "name": context.function_name, "home": os.environ["HOME"], "session": os.getsid(0),
        "pid": os.getpid(), "environment": sorted(os.environ), "cwd": os.getcwd(),
    }
"""
forking = pytest.mark.skipif(sys.platform != "linux", reason="functions are forked on Linux only")


@pytest.fixture(scope="module")
def shared_layer(laptop: Laptop) -> str:
    return layer(laptop, "sharing", SHARED)


def sharing(laptop: Laptop, name: str, layer_arn: str, **variables: str) -> str:
    return laptop.make(
        name, SHARING, Layers=[layer_arn], Environment={"Variables": {"STAGE": name, **variables}}
    )


@forking
def test_functions_with_the_same_layers_share_imports_but_nothing_of_their_own(
    laptop: Laptop, shared_layer: str
) -> None:
    names = [sharing(laptop, name, shared_layer) for name in ("red", "green")]

    found = [laptop.call(name, "") for name in names]

    assert [item["forked"] for item in found] == [True, True]
    assert [item["stage"] for item in found] == names
    assert [item["name"] for item in found] == names
    assert found[0]["home"] != found[1]["home"]
    assert all(item["session"] == item["pid"] for item in found)
    assert found[0]["environment"] == found[1]["environment"]
    assert "/functions/" in found[0]["cwd"]


@forking
def test_a_forked_function_sees_the_variables_of_one_that_starts_alone(
    laptop: Laptop, shared_layer: str
) -> None:
    forked = laptop.call(sharing(laptop, "forked", shared_layer), "")
    alone = laptop.call(sharing(laptop, "alone", shared_layer, POWERTOOLS_DEV="1"), "")

    assert forked["forked"]
    assert not alone["forked"]
    assert set(alone["environment"]) - set(forked["environment"]) == {"POWERTOOLS_DEV"}


@forking
def test_code_of_the_function_hides_what_the_layer_brought(
    laptop: Laptop, shared_layer: str
) -> None:
    files = {"app.py": SHARING, "pydantic.py": "WHERE = 'function'"}
    name = laptop.make(
        "hiding",
        Code={"ZipFile": zipped(files)},
        Layers=[shared_layer],
        Environment={"Variables": {"STAGE": "x"}},
    )

    assert laptop.call(name, "")["pydantic"] == "function"


@forking
def test_a_forked_function_that_exits_is_described_and_replaced(
    laptop: Laptop, shared_layer: str
) -> None:
    name = sharing(laptop, "leaving", shared_layer)
    first = laptop.call(name, "")["pid"]

    failure = laptop.failure(name, "leave")

    assert failure["errorType"] == "Runtime.ExitError"
    assert "exit status 4" in failure["errorMessage"]
    assert "last words" in laptop.log_of("/aws/lambda/leaving")
    assert laptop.call(name, "")["pid"] != first
