"""What does the work: rules and schedules that wake functions, functions, machines, pipelines."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor.findings import (
    REDELIVER,
    REDEPLOY,
    Finding,
    NothingToLookAt,
    differing,
    error_code,
)
from signalbox_cli.doctor.patients import Patient, Resource

# What a version keeps of its moment, and the template sets.
_VERSIONED = ("CodeSha256", "Environment", "Handler", "Layers", "MemorySize", "Runtime", "Timeout")


def rules(patient: Patient) -> Iterator[Finding]:
    """Each rule and schedule is enabled and wakes what it should, with a way out for failures."""
    for rule in patient.of_type("AWS::Events::Rule"):
        yield from differing(rule.name, _rule(patient, rule), REDEPLOY)
    for schedule in patient.of_type("AWS::Scheduler::Schedule"):
        yield from differing(schedule.name, _schedule(patient, schedule), REDEPLOY)


def _rule(patient: Patient, rule: Resource) -> Iterator[str]:
    events, name = patient.client("events"), rule.name
    try:
        state = events.describe_rule(Name=name)["State"]
    except ClientError as fault:
        if error_code(fault) != "ResourceNotFoundException":
            raise
        yield "the rule does not exist"
        return
    wanted_state = rule.properties.get("State", "ENABLED")
    if wanted_state == "ENABLED" and not state.startswith("ENABLED"):
        yield f"the rule is {state}: its events are dropped"
    live = {one["Id"]: one for one in events.list_targets_by_rule(Rule=name)["Targets"]}
    for wanted in rule.properties.get("Targets", []):
        yield from _rule_target(wanted, live.get(wanted["Id"]))


def _rule_target(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield f"target {wanted['Id']} is gone: nothing is woken"
        return
    if not is_pending(wanted["Arn"]) and found["Arn"] != wanted["Arn"]:
        yield f"target {wanted['Id']} is {found['Arn']}, not {wanted['Arn']}"
    if "DeadLetterConfig" in wanted and "DeadLetterConfig" not in found:
        yield f"target {wanted['Id']} has no dead-letter queue"


def _schedule(patient: Patient, schedule: Resource) -> Iterator[str]:
    group = schedule.text("GroupName")
    place = {"GroupName": group} if group else {}
    try:
        found = patient.client("scheduler").get_schedule(Name=schedule.name, **place)
    except ClientError as fault:
        if error_code(fault) != "ResourceNotFoundException":
            raise
        yield "the schedule does not exist"
        return
    if schedule.properties.get("State", "ENABLED") != found["State"]:
        yield f"the schedule is {found['State']}"
    wanted = schedule.properties.get("ScheduleExpression")
    if not is_pending(wanted) and found["ScheduleExpression"] != wanted:
        yield f"it goes off at {found['ScheduleExpression']}, not at {wanted}"


def functions(patient: Patient) -> Iterator[Finding]:
    """Each function is active, under its role, with its settings; nothing holds it back."""
    for function in patient.of_type("AWS::Lambda::Function"):
        yield from differing(function.name, _function(patient, function), REDEPLOY)
    for alias in patient.of_type("AWS::Lambda::Alias"):
        yield from differing(alias.text("FunctionName"), _serving(patient, alias), REDELIVER)
    for source in patient.of_type("AWS::Lambda::EventSourceMapping"):
        found = patient.client("lambda").get_event_source_mapping(UUID=source.physical_id)
        if found["State"] not in ("Enabled", "Enabling", "Creating", "Updating"):
            name = source.text("FunctionName") or source.logical_id
            yield Finding(name, f"its queue is not read: the mapping is {found['State']}", REDEPLOY)


def _function(patient: Patient, function: Resource) -> Iterator[str]:
    client = patient.client("lambda")
    try:
        found = client.get_function_configuration(FunctionName=function.name)
    except ClientError as fault:
        if error_code(fault) != "ResourceNotFoundException":
            raise
        yield "the function does not exist"
        return
    if found.get("State", "Active") not in ("Active", "Inactive"):
        yield f"it is {found['State']}: {found.get('StateReason', '')}"
    if found.get("LastUpdateStatus", "Successful") == "Failed":
        yield f"its last update failed: {found.get('LastUpdateStatusReason', '')}"
    for name in ("Runtime", "Handler", "Role", "Timeout", "MemorySize"):
        wanted = function.properties.get(name)
        if wanted is not None and not is_pending(wanted) and str(found.get(name)) != str(wanted):
            yield f"{name} is {found.get(name)}, not {wanted}"
    yield from _variables(function, found.get("Environment", {}).get("Variables", {}))
    held = client.get_function_concurrency(FunctionName=function.name)
    if held.get("ReservedConcurrentExecutions") == 0:
        yield "its reserved concurrency is 0: it is never run"


def _serving(patient: Patient, alias: Resource) -> Iterator[str]:
    """What an alias serves is what was deployed last, and that alone."""
    client, name = patient.client("lambda"), alias.text("FunctionName")
    try:
        found = client.get_alias(FunctionName=name, Name=alias.name)
        serves = client.get_function_configuration(FunctionName=name, Qualifier=alias.name)
        deployed = client.get_function_configuration(FunctionName=name)
    except ClientError as fault:
        if error_code(fault) != "ResourceNotFoundException":
            raise
        yield f"it has no alias {alias.name}, and nobody can call it"
        return
    version = found["FunctionVersion"]
    for other, share in found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).items():
        yield f"{share:.0%} of its calls go to version {other}, the others to {version}"
    stale = [key for key in _VERSIONED if serves.get(key) != deployed.get(key)]
    if stale:
        differ = ", ".join(stale)
        yield f"its alias serves version {version}, not what was deployed last: {differ} differ"


def _variables(function: Resource, found: Mapping[str, str]) -> Iterator[str]:
    """Differing variables by name only: a value may be nobody's business."""
    wanted = function.properties.get("Environment", {}).get("Variables", {})
    for name, value in wanted.items():
        if not is_pending(value) and found.get(name) != _text(value):
            yield f"variable {name} is not as the template sets it"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def machines(patient: Patient) -> Iterator[Finding]:
    """Each state machine is there, under its role, and logs."""
    for machine in patient.of_type("AWS::StepFunctions::StateMachine"):
        yield from differing(machine.name, _machine(patient, machine), REDEPLOY)


def _machine(patient: Patient, machine: Resource) -> Iterator[str]:
    client = patient.client("stepfunctions")
    try:
        found = client.describe_state_machine(stateMachineArn=machine.physical_id)
    except ClientError as fault:
        if error_code(fault) != "StateMachineDoesNotExist":
            raise
        yield "the state machine does not exist"
        return
    wanted = machine.text("RoleArn")
    if wanted and found["roleArn"] != wanted:
        yield f"it runs under {found['roleArn']}, not under {wanted}"
    level = machine.properties.get("LoggingConfiguration", {}).get("Level")
    if level and found.get("loggingConfiguration", {}).get("level") != level:
        yield "it does not log as the template says"


def pipelines(patient: Patient) -> Iterator[Finding]:
    """Each pipeline has its stages, and no stage is closed."""
    for pipeline in patient.of_type("AWS::CodePipeline::Pipeline"):
        yield from _pipeline(patient, pipeline)


def _pipeline(patient: Patient, pipeline: Resource) -> Iterator[Finding]:
    client, name = patient.client("codepipeline"), pipeline.name
    try:
        state = client.get_pipeline_state(name=name)
    except ClientError as fault:
        if error_code(fault) != "PipelineNotFoundException":
            raise
        yield Finding(name, "the pipeline does not exist", REDEPLOY)
        return
    wanted = [stage["Name"] for stage in pipeline.properties.get("Stages", [])]
    found = [stage["stageName"] for stage in state["stageStates"]]
    if found != wanted:
        yield Finding(name, f"its stages are {', '.join(found)}, not {', '.join(wanted)}", REDEPLOY)
    for stage in state["stageStates"]:
        door = stage.get("inboundTransitionState", {})
        if not door.get("enabled", True):
            yield Finding(
                name,
                f"the way into stage {stage['stageName']} is closed: "
                f"{door.get('disabledReason', '')}",
                f"aws codepipeline enable-stage-transition --pipeline-name {name} --stage-name "
                f"{stage['stageName']} --transition-type Inbound",
            )


def connections(patient: Patient) -> Iterator[Finding]:
    """Each connection to a Git host that a pipeline uses is completed."""
    arns = sorted(set(_connection_arns(patient)))
    if not arns:
        raise NothingToLookAt("no pipeline has a Git source")
    for arn in arns:
        # The ARN says by which of its two names the service knows the connection.
        client = patient.client(arn.split(":")[2])
        try:
            status = client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]
        except ClientError as fault:
            if error_code(fault) != "ResourceNotFoundException":
                raise
            yield Finding(arn, "the connection does not exist", "make one and deploy with its ARN")
            continue
        if status != "AVAILABLE":
            yield Finding(
                arn,
                f"the connection is {status}: no commit starts a pipeline",
                "complete it in the console: Developer Tools, Settings, Connections, "
                "Update pending connection",
            )


def _connection_arns(patient: Patient) -> Iterator[str]:
    for pipeline in patient.of_type("AWS::CodePipeline::Pipeline"):
        try:
            found = patient.client("codepipeline").get_pipeline(name=pipeline.name)["pipeline"]
        except ClientError as fault:
            if error_code(fault) != "PipelineNotFoundException":
                raise
            continue
        for action in (action for stage in found["stages"] for action in stage["actions"]):
            arn = action.get("configuration", {}).get("ConnectionArn")
            if arn:
                yield arn
