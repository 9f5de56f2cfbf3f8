"""Batch transforms keep the order of rows, whatever the blocks, and fail with the reason."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localaws.sagemaker_world import BUCKET, ROLE, World, container, laptop

DOUBLE = """
    def model_fn(model_dir):
        return 2.0

    def input_fn(body, content_type):
        if content_type != "text/csv":
            raise ValueError("unexpected " + content_type)
        return [float(line.split(",")[0]) for line in body.splitlines()]

    def predict_fn(rows, factor):
        return [row * factor for row in rows]

    def output_fn(prediction, accept):
        return "".join(f"{value}\\n" for value in prediction), accept
"""
COUNT_REQUESTS = (
    DOUBLE
    + """
    def predict_fn(rows, factor):
        return [len(rows)]
"""
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        served.model("double", {"code/inference.py": DOUBLE})
        served.model("count", {"code/inference.py": COUNT_REQUESTS})
        yield served


def test_a_hundred_thousand_rows_come_back_in_order_across_blocks(world: World) -> None:
    rows = "".join(f"{number},{'x' * 20}\n" for number in range(100_000))
    source = world.put("ordered/rows.csv", rows.encode())
    described = world.transform("ordered", "double", source, MaxPayloadInMB=1)
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    predicted = world.get("predictions/ordered/rows.csv.out").decode().splitlines()
    assert predicted == [str(number * 2.0) for number in range(100_000)]


def test_each_object_below_the_prefix_gets_its_own_output(world: World) -> None:
    world.put("many/a.csv", "1\n2\n")
    world.put("many/deep/b.csv", "3\n")
    world.transform("many", "double", f"s3://{BUCKET}/many/")
    assert world.keys("predictions/many/") == [
        "predictions/many/a.csv.out",
        "predictions/many/deep/b.csv.out",
    ]
    assert world.get("predictions/many/deep/b.csv.out") == b"6.0\n"


def test_a_last_line_without_newline_counts(world: World) -> None:
    world.transform("no-newline", "double", world.put("no-newline.csv", "1\n2"))
    assert world.get("predictions/no-newline/no-newline.csv.out") == b"2.0\n4.0\n"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("MultiRecord", b"3\n"), ("SingleRecord", b"1\n1\n1\n")],
    ids=["as many as fit", "one by one"],
)
def test_the_strategy_decides_how_many_records_a_request_holds(
    world: World, strategy: str, expected: bytes
) -> None:
    source = world.put(f"strategy-{strategy}.csv", "1\n2\n3\n")
    name = f"strategy-{strategy}"
    world.transform(name, "count", source, BatchStrategy=strategy)
    assert world.get(f"predictions/{name}/strategy-{strategy}.csv.out") == expected


def test_without_a_split_the_object_is_one_request(world: World) -> None:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": world.put("whole.csv", "1\n2\n")}}
    described = world.transform(
        "whole",
        "count",
        "unused",
        TransformInput={"DataSource": data, "ContentType": "text/csv", "SplitType": "None"},
    )
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    assert world.get("predictions/whole/whole.csv.out") == b"2\n"


def test_a_bad_row_fails_the_job_naming_object_rows_and_reason(world: World) -> None:
    source = world.put("bad.csv", "1\nnot-a-number\n")
    described = world.transform("bad", "double", source)
    assert described["TransformJobStatus"] == "Failed"
    assert f"s3://{BUCKET}/bad.csv, rows 1 to 2: HTTP 500" in described["FailureReason"]
    assert "could not convert string to float" in described["FailureReason"]
    assert world.keys("predictions/bad/") == []


def test_a_record_over_the_payload_limit_fails(world: World) -> None:
    source = world.put("wide.csv", b"1," + b"x" * (2 << 20) + b"\n")
    described = world.transform("wide", "double", source, MaxPayloadInMB=1)
    assert "larger than MaxPayloadInMB" in described["FailureReason"]


def test_a_model_that_does_not_load_fails_with_its_error(world: World) -> None:
    broken = {"code/inference.py": "def model_fn(d): raise OSError('weights are missing')"}
    world.model("broken", broken)
    described = world.transform("broken", "broken", world.put("b.csv", "1\n"))
    assert described["TransformJobStatus"] == "Failed"
    assert "weights are missing" in described["FailureReason"]


def test_an_empty_archive_fails_by_naming_the_script(world: World) -> None:
    """A training script that wrote no model ends here, clearly."""
    world.model("empty", {})
    described = world.transform("empty", "empty", world.put("e.csv", "1\n"))
    assert described["TransformJobStatus"] == "Failed"
    assert "inference.py" in described["FailureReason"]


def test_a_serial_model_passes_each_block_through_all_containers(world: World) -> None:
    add_one = DOUBLE.replace("row * factor", "row + 1")
    first = world.put_archive("serial/first.tar.gz", {"code/inference.py": DOUBLE})
    second = world.put_archive("serial/second.tar.gz", {"code/inference.py": add_one})
    world.sagemaker.create_model(
        ModelName="serial", ExecutionRoleArn=ROLE, Containers=[container(first), container(second)]
    )
    described = world.transform("serial", "serial", world.put("s.csv", "1\n10\n"))
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    assert world.get("predictions/serial/s.csv.out") == b"3.0\n21.0\n"


def test_the_default_functions_predict_with_a_scikit_learn_model(world: World) -> None:
    trained = world.train(
        "linear",
        {
            "train.py": """
                import joblib, numpy as np
                from sklearn.linear_model import LinearRegression
                x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
                joblib.dump(LinearRegression().fit(x, [1.0, 2.0, 3.0]), "/opt/ml/model/m.joblib")
            """,
            "inference.py": """
                import joblib, os
                def model_fn(model_dir):
                    return joblib.load(os.path.join(model_dir, "m.joblib"))
            """,
        },
    )
    artifact = trained["ModelArtifacts"]["S3ModelArtifacts"]
    code = f"s3://{BUCKET}/code/linear/sourcedir.tar.gz"
    world.sagemaker.create_model(
        ModelName="linear",
        ExecutionRoleArn=ROLE,
        PrimaryContainer=container(artifact, SAGEMAKER_SUBMIT_DIRECTORY=code),
    )
    described = world.transform("linear", "linear", world.put("l.csv", "2,3\n10,20\n"))
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    values = [float(v) for v in world.get("predictions/linear/l.csv.out").split()]
    assert values == pytest.approx([8.0, 50.0])


def test_transforms_are_told_to_eventbridge_with_times_as_text(world: World) -> None:
    world.transform("eventful", "double", world.put("ev.csv", "1\n"))
    told: list[dict[str, Any]] = world.told(
        "SageMaker Transform Job State Change", TransformJobName="eventful"
    )
    assert [event["detail"]["TransformJobStatus"] for event in told] == ["InProgress", "Completed"]
    assert told[-1]["detail"]["CreationTime"].endswith("Z")
