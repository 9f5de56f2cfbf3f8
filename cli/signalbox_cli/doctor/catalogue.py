"""All that is looked at, in the order in which a person would want to read it."""

from collections.abc import Callable, Iterator

from signalbox_cli.doctor import identities, messages, network, storage, surroundings, work
from signalbox_cli.doctor.findings import Check, Finding, NothingToLookAt
from signalbox_cli.doctor.patients import Patient

Look = Callable[[Patient], Iterator[Finding]]


def _at(look: Look, *type_names: str) -> Look:
    """The same look, where the stacks have something of these types."""

    def looking(patient: Patient) -> Iterator[Finding]:
        if next(patient.of_type(*type_names), None) is None:
            raise NothingToLookAt("none in these stacks")
        return look(patient)

    return looking


_ROLE, _BUCKET, _FUNCTION = "AWS::IAM::Role", "AWS::S3::Bucket", "AWS::Lambda::Function"
_KEY, _GROUP = "AWS::KMS::Key", "AWS::Logs::LogGroup"
_TOPIC, _QUEUE, _PIPELINE = "AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::CodePipeline::Pipeline"
_RULE, _SCHEDULE = "AWS::Events::Rule", "AWS::Scheduler::Schedule"
_MACHINE, _ALARM = "AWS::StepFunctions::StateMachine", "AWS::CloudWatch::Alarm"

CHECKS = (
    Check("stack", "CloudFormation is done, nothing was rolled back", surroundings.stacks),
    Check(
        "wiring",
        "SSM parameters hold what the stack made",
        _at(surroundings.wiring, "AWS::SSM::Parameter"),
    ),
    Check(
        "roles",
        "roles exist, trusted as the template says, nothing added",
        _at(identities.roles, _ROLE),
    ),
    Check(
        "permissions",
        "roles may do all they must (policy simulation)",
        _at(identities.permissions, _ROLE),
    ),
    Check("federation", "OIDC trust is bound to one repository", identities.federation),
    Check("keys", "keys are enabled, rotate, let in whom they should", _at(storage.keys, _KEY)),
    Check("grants", "no grant opens a key to another account", _at(storage.grants, _KEY)),
    Check(
        "buckets",
        "buckets are private, versioned, encrypted, tell events",
        _at(storage.buckets, _BUCKET),
    ),
    Check(
        "bucket-policies",
        "bucket policies are the template's",
        _at(storage.bucket_policies, "AWS::S3::BucketPolicy"),
    ),
    Check(
        "message-policies",
        "topics and queues let in whom they should",
        _at(messages.message_policies, _TOPIC, _QUEUE),
    ),
    Check(
        "subscriptions",
        "whoever is to be told has confirmed",
        _at(messages.subscriptions, _TOPIC),
    ),
    Check("dead-letters", "nothing could not be delivered", _at(messages.dead_letters, _QUEUE)),
    Check("alarms", "alarms exist, may act, are quiet", _at(messages.alarms, _ALARM)),
    Check(
        "rules",
        "rules and schedules are enabled and wake what they should",
        _at(work.rules, _RULE, _SCHEDULE),
    ),
    Check(
        "functions",
        "functions are active, with role and settings",
        _at(work.functions, _FUNCTION),
    ),
    Check("machines", "state machines exist, with role and logs", _at(work.machines, _MACHINE)),
    Check("pipelines", "pipelines have their stages, none closed", _at(work.pipelines, _PIPELINE)),
    Check("connections", "connections to Git hosts are completed", work.connections),
    Check(
        "retention",
        "logs and old versions go away in time",
        _at(storage.retention, _GROUP, _BUCKET),
    ),
    Check("network", "jobs reach from their subnets what they call", network.network),
    Check("image", "the built-in image is in this region", surroundings.image),
    Check(
        "quotas",
        "the account may use the instances that workloads ask for",
        _at(surroundings.quotas, _MACHINE),
    ),
    Check("promotion", "promotion may enter the environments of its path", surroundings.promotion),
)
