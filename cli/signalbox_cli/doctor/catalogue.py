"""All that is looked at, in the order in which a person would want to read it."""

from signalbox_cli.doctor import identities, messages, storage, surroundings, work
from signalbox_cli.doctor.findings import Check

CHECKS = (
    Check("stack", "CloudFormation is done, nothing was rolled back", surroundings.stacks),
    Check("wiring", "SSM parameters hold what the stack made", surroundings.wiring),
    Check("roles", "roles exist, trusted as the template says, nothing added", identities.roles),
    Check("permissions", "roles may do all they must (policy simulation)", identities.permissions),
    Check("federation", "OIDC trust is bound to one repository", identities.federation),
    Check("keys", "keys are enabled, rotate, let in whom they should", storage.keys),
    Check("grants", "no grant opens a key to another account", storage.grants),
    Check("buckets", "buckets are private, versioned, encrypted, tell events", storage.buckets),
    Check("bucket-policies", "bucket policies are the template's", storage.bucket_policies),
    Check(
        "message-policies", "topics and queues let in whom they should", messages.message_policies
    ),
    Check("subscriptions", "whoever is to be told has confirmed", messages.subscriptions),
    Check("dead-letters", "nothing could not be delivered", messages.dead_letters),
    Check("alarms", "alarms exist, may act, are quiet", messages.alarms),
    Check("rules", "rules and schedules are enabled and wake what they should", work.rules),
    Check("functions", "functions are active, with role and settings", work.functions),
    Check("machines", "state machines exist, with role and logs", work.machines),
    Check("pipelines", "pipelines have their stages, none closed", work.pipelines),
    Check("connections", "connections to Git hosts are completed", work.connections),
    Check("retention", "logs and old versions go away in time", storage.retention),
    Check("image", "the built-in image is in this region", surroundings.image),
    Check(
        "quotas", "the account may use the instances that workloads ask for", surroundings.quotas
    ),
    Check("promotion", "promotion may enter the environments of its path", surroundings.promotion),
)
