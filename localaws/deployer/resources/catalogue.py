"""All resource types that the laptop can deploy, by CloudFormation's name."""

from localaws.deployer.resources import (
    builds,
    events,
    functions,
    iam,
    identity_providers,
    kms,
    logs,
    messages,
    pipeline,
    queues,
    rollouts,
    s3,
    schedules,
    settings,
    states,
)
from localaws.deployer.resources.base import ResourceType

_MODULES = (
    *(builds, events, functions, iam, identity_providers, kms, logs, messages),
    *(pipeline, queues, rollouts, s3, schedules, settings, states),
)

CATALOGUE: dict[str, ResourceType] = {
    kind.name: kind for module in _MODULES for kind in module.TYPES
}
