"""What a service said about a failure becomes a sentence for a person."""

import json

import pytest

from signalbox_cli.faults import readable

ARN = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-training:train-1"
ENDED = f"JobFailed The execution {ARN} ended as FAILED."
JOB = json.dumps(
    {
        "ProcessingJobName": "signalbox-dev-preprocess-261121-010526-0bd1b2-1-0",
        "AppSpecification": {"ContainerEntrypoint": ["python3"]},
        "FailureReason": 'AlgorithmError: no "age" column, exit code: 1',
        "ExitMessage": "",
    },
    separators=(",", ":"),
)

TRACE = json.dumps(
    {
        "errorMessage": 'row 1: answered 2.0, predicted "1.0"',
        "errorType": "ProbeFailed",
        "stackTrace": ['  File "probe_endpoint.py", line 27, in handler\n'],
        "requestId": "dd207f24",
    },
    separators=(",", ":"),
)


@pytest.mark.parametrize(
    ("fault", "meant"),
    [
        ("ConfigurationError no such bucket", "ConfigurationError no such bucket"),
        ("", ""),
        (ENDED, ENDED),
        (f"{ENDED} Error: StepFailed. Cause: out of memory", "out of memory"),
        (f"{ENDED} Error: States.Timeout.", "States.Timeout"),
        (f"{ENDED} Error: EvaluationInvalid. Cause: rmse is NaN", "EvaluationInvalid: rmse is NaN"),
        (
            f'{ENDED} Error: QualityGateFailed. Cause: ["rmse is 61, above 60","first"]',
            "QualityGateFailed: rmse is 61, above 60; first",
        ),
        (
            f"{ENDED} Error: StepFailed. Cause: {JOB}",
            'AlgorithmError: no "age" column, exit code: 1 '
            "(signalbox-dev-preprocess-261121-010526-0bd1b2-1-0)",
        ),
        (
            f"{ENDED} Error: ProbeFailed. Cause: {TRACE}",
            'ProbeFailed: row 1: answered 2.0, predicted "1.0"',
        ),
    ],
)
def test_only_the_reason_is_left(fault: str, meant: str) -> None:
    assert readable(fault) == meant
