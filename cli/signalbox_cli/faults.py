"""What a service said about a failure, cut down to what tells a person anything.

Step Functions hands on a failed job's whole description as JSON, and CodePipeline puts the
execution's ARN before that. Rules only: text in, text out.
"""

import json
import re

_JOB = re.compile(
    r'\{.*?"(?:Processing|Training|Transform)JobName":"(?P<job>[^"]+)"'
    r'.*?"FailureReason":"(?P<reason>(?:[^"\\]|\\.)*)".*',
    re.DOTALL,
)
# What Lambda says of an exception, where a machine hands it on as its cause.
_TRACE = re.compile(
    r'\{"errorMessage": ?"(?P<message>(?:[^"\\]|\\.)*)", ?"errorType": ?".*', re.DOTALL
)
_EXECUTION = re.compile(
    r"^.*?The execution \S+ ended as \w+\.(?: Error: (?P<error>\S+)\.)?(?: Cause: (?P<cause>.*))?$",
    re.DOTALL,
)
# The training and the inference machine end with this name when a step of theirs failed.
_STEP_FAILED = "StepFailed"


def readable(fault: str) -> str:
    """The reason in a fault, without the description of the execution and job around it.

    >>> readable('JobFailed The execution arn:x ended as FAILED. '
    ...          'Error: QualityGateFailed. Cause: ["rmse is 61, above 60","no champion"]')
    'QualityGateFailed: rmse is 61, above 60; no champion'
    """
    return _without_execution(_without_trace(_without_job(fault)))


def _without_trace(fault: str) -> str:
    found = _TRACE.search(fault)
    if not found:
        return fault
    message = str(json.loads(f'"{found["message"]}"', strict=False))
    return f"{fault[: found.start()]}{message}"


def _without_job(fault: str) -> str:
    found = _JOB.search(fault)
    if not found:
        return fault
    reason = str(json.loads(f'"{found["reason"]}"', strict=False))
    return f"{fault[: found.start()]}{reason} ({found['job']})"


def _without_execution(fault: str) -> str:
    found = _EXECUTION.match(fault)
    if not found or not (found["error"] or found["cause"]):
        return fault
    error, cause = found["error"] or "", _listed(found["cause"] or "")
    if error in ("", _STEP_FAILED):
        return cause or error
    return f"{error}: {cause}" if cause else error


def _listed(cause: str) -> str:
    """Reasons as one text; a cause that is no JSON list as it is."""
    try:
        reasons = json.loads(cause)
    except ValueError:
        return cause
    return "; ".join(map(str, reasons)) if isinstance(reasons, list) else cause
