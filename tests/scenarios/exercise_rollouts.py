"""Every way in which a version comes to an endpoint, done once each on a laptop of its own."""

import json
from collections.abc import Mapping
from typing import Any

from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop

# A window of alarms, a bake: as short as the manifest allows.
_SOON = {"bakeSeconds": 60, "waitSeconds": 60}
_SCALING = {"minInstances": 1, "maxInstances": 2, "invocationsPerInstance": 100}
_ROW = "59,2,32.1,101,157,93.2,38,4,4.8598,87"
# Passes evaluation and ping, and reads rows otherwise where it serves.
_OTHER_ANSWERS = """
_input = input_fn


def input_fn(request_body, content_type):
    return _input(request_body, content_type) + 1.0
"""


def walk(served: Laptop, files: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """Updates of the endpoint that `options` made, and endpoints of the other modes."""
    scaled = {"scaling": _SCALING, "dataCapture": {"percent": 100}}
    _succeeds(served, files, options, {"keep": 1, "rollout": _SOON, **scaled})
    _call(served, "diabetes")
    shadow = {"strategy": "shadow", "percent": 100, **_SOON}
    _succeeds(served, files, options, {"keep": 1, "rollout": shadow})
    _succeeds(served, files, options, {"keep": 1, "rollout": _SOON, "alarms": False})
    for mode in ("serverless", "async"):
        named = _named(files, f"diabetes-{mode}")
        _succeeds(served, named, options, {"mode": mode})
    _call_through_s3(served, "diabetes-async")
    _answers_otherwise(served, files, options)


def _named(files: Mapping[str, str], name: str) -> dict[str, str]:
    """The workload under another name, and so with an endpoint of its own."""
    manifest = json.loads(files["manifest.json"]) | {"name": name}
    return {**files, "manifest.json": json.dumps(manifest)}


def _succeeds(
    served: Laptop, files: Mapping[str, str], options: Mapping[str, Any], inference: dict[str, Any]
) -> None:
    run = _release(served, files, options, inference)
    assert run.status == "Succeeded", run.error


def _answers_otherwise(
    served: Laptop, files: Mapping[str, str], options: Mapping[str, Any]
) -> None:
    """A first endpoint whose predictions are not those of the evaluation is taken away again."""
    named = _named(files, "diabetes-other")
    changed = {**named, "inference.py": named["inference.py"] + _OTHER_ANSWERS}
    run = _release(served, changed, options, {})
    assert "ProbeFailed" in run.error, run.error
    stories.await_no_endpoint(served, "other")


def _release(
    served: Laptop, files: Mapping[str, str], options: Mapping[str, Any], inference: dict[str, Any]
) -> RunView:
    wished = {**options["inference"], "mode": "endpoint", **inference}
    started = release_archive(
        served.target,
        stories.archive(dict(files)),
        key="workloads/exercise.zip",
        options={**options, "inference": wished},
    )
    return stories.await_end(served, started.execution_id)


def _call(served: Laptop, workload: str) -> None:
    """One request, so that there is something to capture."""
    served.target.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"{served.target.prefix}-{workload}", Body=_ROW, ContentType="text/csv"
    )


def _call_through_s3(served: Laptop, workload: str) -> None:
    """A request that a client leaves where the endpoint may read it."""
    endpoint, s3 = f"{served.target.prefix}-{workload}", served.target.client("s3")
    bucket, key = served.target.wiring().workflow_bucket, f"async/{endpoint}/requests/row.csv"
    s3.put_object(Bucket=bucket, Key=key, Body=_ROW)
    answer = served.target.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=endpoint, InputLocation=f"s3://{bucket}/{key}", ContentType="text/csv"
    )
    place = answer["OutputLocation"].removeprefix(f"s3://{bucket}/")
    stories.await_true(
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix=place)["KeyCount"] == 1,
        "the endpoint left its answer",
    )
