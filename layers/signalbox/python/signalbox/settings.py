"""Environment variables of the functions as models: a missing one fails the first call, by name.

Imports no AWS client.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from signalbox.errors import SettingsError
from signalbox.naming import APP_NAME_PATTERN
from signalbox.promotion import TargetApproval

NonEmpty = Annotated[str, Field(min_length=1)]
Arn = Annotated[str, Field(pattern=r"^arn:[^:]+:[^:]+:.*$")]


class Settings(BaseModel):
    """Read from the environment: the variable is the field's name in capitals."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class RunSettings(Settings):
    """Where runs live."""

    workflow_bucket: NonEmpty


class TellingSettings(RunSettings):
    """Whom a function tells, and what its messages and their commands have to name."""

    app_name: Annotated[str, Field(pattern=APP_NAME_PATTERN)]
    environment_name: Annotated[str, Field(pattern=r"^(dev|staging|prod)$")]
    aws_region: NonEmpty
    notification_topic_arn: Arn


class NotifierSettings(TellingSettings):
    """What approval_notifier has to know of the gates."""

    pipeline_name: NonEmpty
    upload_gate_timeout_minutes: Annotated[int, Field(ge=5)]
    approve_model_timeout_minutes: Annotated[int, Field(ge=5)]
    two_person_rule: bool


class PolicySettings(RunSettings):
    """What an environment asks of an approval."""

    pipeline_name: NonEmpty
    two_person_rule: bool


class PromotionHandlerSettings(PolicySettings):
    """What promotion_handler starts promotions with."""

    app_name: Annotated[str, Field(pattern=APP_NAME_PATTERN)]
    environment_name: Annotated[str, Field(pattern=r"^(dev|staging|prod)$")]
    promotion_state_machine_arn: Arn


class PromotionSettings(TellingSettings):
    """The environment that promote_version promotes from."""

    image_uri: NonEmpty


class ReceivingSettings(RunSettings):
    """Whose versions receive_version takes, whether a person is asked, and what uses them."""

    inference_machine_arn: Arn
    promotion_source_accounts: NonEmpty
    promotion_approval: TargetApproval


class ReconcilerSettings(NotifierSettings):
    """What the reconciler compares, and whom it tells."""

    training_machine_arn: Arn
    inference_machine_arn: Arn
    promotion_state_machine_arn: Arn


class WebhookSettings(Settings):
    """Where messages are posted; URL and signing secret are in Secrets Manager."""

    webhook_kind: Annotated[str, Field(pattern=r"^(slack|teams|generic)$")]
    webhook_secret_arn: Arn


class NetworkSettings(Settings):
    """Where jobs and models run; the lists have commas, and are empty outside a VPC."""

    job_subnets: str
    job_security_groups: str
    job_network_isolation: bool

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.job_subnets) != bool(self.job_security_groups):
            raise ValueError("JOB_SUBNETS and JOB_SECURITY_GROUPS come together")
        return self


class PlatformSettings(RunSettings):
    """What an environment gives every run."""

    app_name: Annotated[str, Field(pattern=APP_NAME_PATTERN)]
    environment_name: Annotated[str, Field(pattern=r"^(dev|staging|prod)$")]
    aws_region: NonEmpty
    pipeline_name: NonEmpty
    job_role_arn: Arn
    hosting_role_arn: Arn
    kms_key_arn: Arn
    image_uri: NonEmpty
    job_network_isolation: bool


class ScheduleSettings(PlatformSettings):
    """What run_schedule starts: the pipeline, or a batch of the inference machine."""

    inference_machine_arn: Arn


Model = TypeVar("Model", bound=Settings)


def load(model: type[Model], environment: Mapping[str, str] | None = None) -> Model:
    """The settings of a function; raises SettingsError naming every variable that is wrong."""
    variables = os.environ if environment is None else environment
    values = {
        name: variables[name.upper()] for name in model.model_fields if name.upper() in variables
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{_variable(detail['loc'])}{_reason(detail['type'], detail['msg'])}"
            for detail in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(
            f"environment variables of the function: {problems}; set them in template.yaml"
        ) from None


def _variable(location: tuple[int | str, ...]) -> str:
    """Empty for what is wrong with several variables together."""
    return f"{str(location[0]).upper()}: " if location else ""


def _reason(kind: str, message: str) -> str:
    return "not set" if kind == "missing" else message
