"""Endpoints serve the user's inference code, are updated in place and roll back by themselves."""

import json
import threading
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_world import FACTOR, ROLE, World, comes_true, container, laptop

BROKEN = "def model_fn(model_dir): raise OSError('weights are missing')"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        for factor in (2, 3):
            files = {"code/inference.py": FACTOR, "factor.txt": str(factor)}
            served.model(f"times-{factor}", files)
            served.config(f"times-{factor}", f"times-{factor}")
        served.model("broken", {"code/inference.py": BROKEN})
        served.config("broken", "broken")
        yield served


@pytest.fixture(scope="module")
def twice(world: World) -> str:
    """An endpoint that multiplies by two."""
    assert world.endpoint("twice", "times-2")["EndpointStatus"] == "InService"
    return "twice"


def test_an_invocation_passes_through_the_four_functions(world: World, twice: str) -> None:
    assert world.invoke(twice, "1\n2.5\n") == b"2.0\n5.0\n"


def test_the_answer_names_its_type_and_variant(world: World, twice: str) -> None:
    answer = world.runtime.invoke_endpoint(
        EndpointName=twice, Body=b"1\n", ContentType="text/csv", Accept="text/csv"
    )
    assert answer["ContentType"] == "text/csv"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_an_error_of_the_model_is_a_model_error_with_its_message(world: World, twice: str) -> None:
    with pytest.raises(world.runtime.exceptions.ModelError) as caught:
        world.invoke(twice, "one\n")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 500
    assert "could not convert string to float: 'one'" in answer["OriginalMessage"]


def test_an_endpoint_that_is_not_there_is_a_validation_error(world: World) -> None:
    with pytest.raises(ClientError, match=r"ValidationError.*Endpoint nowhere of account"):
        world.invoke("nowhere", "1\n")


def test_a_body_over_six_megabytes_is_refused(world: World, twice: str) -> None:
    # botocore's sagemaker-runtime model: BodyBlob has at most 6291456 bytes.
    with pytest.raises(ClientError, match="6291456"):
        world.invoke(twice, b"1\n" * 3_200_000)


def test_a_variant_that_is_not_there_is_refused(world: World, twice: str) -> None:
    with pytest.raises(ClientError, match="Variant other not found"):
        world.invoke(twice, "1\n", TargetVariant="other")


def test_many_callers_at_once_all_get_their_own_answer(world: World, twice: str) -> None:
    answers: dict[int, bytes] = {}

    def call(number: int) -> None:
        answers[number] = world.invoke(twice, f"{number}\n")

    threads = [threading.Thread(target=call, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: f"{n * 2.0}\n".encode() for n in range(16)}


def test_what_the_container_prints_is_in_the_endpoints_log(world: World) -> None:
    files = {"code/inference.py": FACTOR + "\n    print('code was loaded')\n", "factor.txt": "1"}
    world.model("prints", files)
    world.config("prints", "prints")
    world.endpoint("prints", "prints")
    assert world.log_comes("Endpoints/prints", "AllTraffic/", "code was loaded")


def test_an_update_moves_to_the_new_config_while_the_old_one_serves(world: World) -> None:
    world.endpoint("moves", "times-2")
    stop = threading.Event()
    answers: set[bytes] = set()

    def keep_calling() -> None:
        while not stop.is_set():
            answers.add(world.invoke("moves", "1\n"))

    caller = threading.Thread(target=keep_calling)
    caller.start()
    world.sagemaker.update_endpoint(EndpointName="moves", EndpointConfigName="times-3")
    described = world.settled("moves")
    assert comes_true(lambda: b"3.0\n" in answers)
    stop.set()
    caller.join()
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == "times-3"
    assert "FailureReason" not in described
    assert answers <= {b"2.0\n", b"3.0\n"}
    assert world.invoke("moves", "1\n") == b"3.0\n"


def test_an_update_that_does_not_become_healthy_rolls_back_silently(world: World) -> None:
    world.endpoint("rolls-back", "times-2")
    world.sagemaker.update_endpoint(EndpointName="rolls-back", EndpointConfigName="broken")
    described = world.settled("rolls-back")
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == "times-2"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "weights are missing" in described["FailureReason"]
    assert world.invoke("rolls-back", "1\n") == b"2.0\n"


def test_an_endpoint_that_never_was_healthy_is_failed(world: World) -> None:
    described = world.endpoint("never", "broken")
    assert described["EndpointStatus"] == "Failed"
    assert "weights are missing" in described["FailureReason"]
    with pytest.raises(ClientError, match="Failed"):
        world.invoke("never", "1\n")
    with pytest.raises(ClientError, match="while it is Failed"):
        world.sagemaker.update_endpoint(EndpointName="never", EndpointConfigName="times-2")


def test_a_model_artifact_that_is_gone_fails_the_endpoint_by_name(world: World) -> None:
    world.sagemaker.create_model(
        ModelName="gone",
        ExecutionRoleArn=ROLE,
        PrimaryContainer=container("s3://world-bucket/gone/model.tar.gz"),
    )
    world.config("gone", "gone")
    described = world.endpoint("gone", "gone")
    assert described["EndpointStatus"] == "Failed"
    assert "s3://world-bucket/gone/model.tar.gz" in described["FailureReason"]


def test_a_serial_endpoint_chains_its_containers(world: World) -> None:
    featurizer = """
        import json
        def model_fn(model_dir): return None
        def input_fn(body, content_type): return [float(v) for v in body.split(",")]
        def predict_fn(row, model): return [value - 1 for value in row]
        def output_fn(row, accept): return json.dumps({"row": row}), "application/json"
    """
    predictor = """
        import json
        def model_fn(model_dir): return None
        def input_fn(body, content_type):
            assert content_type == "application/json", content_type
            return json.loads(body)["row"]
        def predict_fn(row, model): return sum(row)
        def output_fn(value, accept): return str(value), "text/csv"
    """
    urls = [
        world.put_archive(f"chain/{n}.tar.gz", {"code/inference.py": code})
        for n, code in enumerate((featurizer, predictor))
    ]
    world.sagemaker.create_model(
        ModelName="chain", ExecutionRoleArn=ROLE, Containers=[container(url) for url in urls]
    )
    world.config("chain", "chain")
    world.endpoint("chain", "chain")
    assert world.invoke("chain", "1,2,3") == b"3.0"
    with pytest.raises(ClientError, match=r"from container-1 with message"):
        world.invoke("chain", "x")


def test_a_container_that_dies_answers_once_and_is_started_anew(world: World) -> None:
    suicidal = FACTOR.replace(
        "return [float(line)", "import os; 'die' in body and os._exit(7); return [float(line)"
    )
    world.model("dies", {"code/inference.py": suicidal, "factor.txt": "2"})
    world.config("dies", "dies")
    world.endpoint("dies", "dies")
    with pytest.raises(ClientError, match="the container ended"):
        world.invoke("dies", "die")
    assert world.invoke("dies", "4\n") == b"8.0\n"


def test_a_serverless_endpoint_serves(world: World) -> None:
    world.config(
        "serverless",
        "times-3",
        InitialInstanceCount=None,
        InstanceType=None,
        ServerlessConfig={"MemorySizeInMB": 2048, "MaxConcurrency": 5},
    )
    described = world.endpoint("serverless", "serverless")
    variant = described["ProductionVariants"][0]
    assert variant["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
    assert world.invoke("serverless", "1\n") == b"3.0\n"


def test_a_deleted_endpoint_is_gone_with_its_processes(world: World) -> None:
    world.endpoint("doomed", "times-2")
    world.sagemaker.delete_endpoint(EndpointName="doomed")

    def is_gone() -> bool:
        listed = world.sagemaker.list_endpoints(NameContains="doomed")["Endpoints"]
        return not listed

    assert comes_true(is_gone)
    assert not list((world.state_dir / "endpoints").glob("*/doomed-*"))
    with pytest.raises(ClientError, match="Could not find endpoint"):
        world.sagemaker.describe_endpoint(EndpointName="doomed")


def test_endpoints_are_listed_by_part_of_their_name(world: World, twice: str) -> None:
    listed = world.sagemaker.list_endpoints(NameContains="wic")["Endpoints"]
    assert [e["EndpointName"] for e in listed] == [twice]


def test_events_spell_the_status_in_capitals(world: World) -> None:
    world.endpoint("spelt", "times-2")
    kind = "SageMaker Endpoint State Change"
    assert comes_true(lambda: len(world.told(kind, EndpointName="spelt")) == 2)
    told = [event["detail"]["EndpointStatus"] for event in world.told(kind, EndpointName="spelt")]
    assert told == ["CREATING", "IN_SERVICE"]


def test_an_endpoint_cannot_be_created_twice_or_from_a_config_that_is_not_there(
    world: World, twice: str
) -> None:
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        world.sagemaker.create_endpoint(EndpointName=twice, EndpointConfigName="times-2")
    with pytest.raises(ClientError, match="Could not find endpoint config"):
        world.sagemaker.create_endpoint(EndpointName="other", EndpointConfigName="nothing")


def test_the_default_output_follows_accept(world: World) -> None:
    code = """
        import numpy as np
        def model_fn(model_dir):
            class Model:
                def predict(self, rows): return rows.sum(axis=1)
            return Model()
    """
    world.model("defaults", {"code/inference.py": code})
    world.config("defaults", "defaults")
    world.endpoint("defaults", "defaults")
    assert world.invoke("defaults", "1,2\n3,4\n") == b"3.0\n7.0\n"
    as_json = world.invoke("defaults", "1,2\n3,4\n", Accept="application/json")
    assert json.loads(as_json) == [3.0, 7.0]
    with pytest.raises(ClientError, match="406"):
        world.invoke("defaults", "1,2\n", Accept="image/png")
    with pytest.raises(ClientError, match="415"):
        world.invoke("defaults", "1,2\n", ContentType="image/png")


def test_scripts_that_import_the_containers_toolkit_run_unmodified(world: World) -> None:
    """The style of the published scikit-learn inference pipeline examples."""
    code = """
        import os
        from sagemaker_containers.beta.framework import (
            content_types, encoders, env, modules, transformer, worker)

        def model_fn(model_dir):
            return 10

        def input_fn(input_data, content_type):
            return encoders.decode(input_data, content_type)

        def predict_fn(input_data, model):
            return input_data * model

        def output_fn(prediction, accept):
            if accept == "application/json":
                rows = prediction.tolist()
                return worker.Response(encoders.encode(rows, accept), mimetype=accept)
            return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    """
    world.model("toolkit", {"code/inference.py": code})
    world.config("toolkit", "toolkit")
    assert world.endpoint("toolkit", "toolkit")["EndpointStatus"] == "InService"
    assert world.invoke("toolkit", "1,2\n") == b"10.0,20.0\n"
    assert json.loads(world.invoke("toolkit", "1,2\n", Accept="application/json")) == [[10, 20]]
