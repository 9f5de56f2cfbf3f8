"""What docs/parity.md lists as granted for AWS's sake, and how its rows name what is deployed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from localaws.iam.record import Removal
from tests.scenarios.conftest import REPOSITORY
from tests.scenarios.iam_evidence import Narrowing

_ACTION = re.compile(r"`([a-z0-9-]+:\w+)`")
_FUNCTION_ROLES = ", ".join(
    f"{name}Role"
    for name in (
        "CreateSchema",
        "UpdateSchema",
        "JudgeModel",
        "RecordOutcome",
        "ApprovalNotifier",
        "PromotionHandler",
        "Reconciler",
        "WebhookSender",
        "DataIntake",
        "BuildReport",
        "ProbeEndpoint",
        "PromoteVersion",
        "ReceiveVersion",
        "RunSchedule",
    )
)
_KINDS = {"kms": "EncryptionKey", "sns": "NotificationTopic", "sqs": "DeadLetterQueue"}


@dataclass(frozen=True)
class Row:
    """One thing that a table of docs/parity.md lists."""

    holder: str
    """Logical id in the template."""
    statement: str
    action: str
    """"" for all of the statement."""

    def __str__(self) -> str:
        return f"{self.holder} {self.statement} {self.action}".rstrip()


def listed(section: str) -> set[Row]:
    """Everything that the table of a section lists."""
    table = (REPOSITORY / "docs" / "parity.md").read_text().partition(f"## {section}\n")[2]
    lines = table.partition("\n## ")[0].splitlines()
    rows = [line.split("|")[1:4] for line in lines if line.startswith("|")][2:]
    return {
        Row(holder, statement.strip(), action)
        for holders, statement, rest in rows
        for holder in holders.strip().replace("every function", _FUNCTION_ROLES).split(", ")
        for action in _ACTION.findall(rest) or [""]
    }


def row_of(removal: Removal, prefix: str) -> Row:
    """The row that would list an action that was taken out."""
    sid = removal.statement.partition("#")[2]
    return Row(logical_role(removal.role, prefix), sid, removal.action)


def rows_of(narrowing: Narrowing, prefix: str) -> set[Row]:
    """The rows that together would excuse what a narrowing takes out."""
    sid = narrowing.statement.partition("#")[2]
    role = logical_role(narrowing.holder, prefix)
    return {Row(role, sid, action) for action in narrowing.actions}


def logical_role(role_arn: str, prefix: str) -> str:
    """`arn:...:role/signalbox-dev-create-schema-us-east-1` is CreateSchemaRole."""
    name = role_arn.rpartition("/")[2].removeprefix(f"{prefix}-").removesuffix("-us-east-1")
    name = name.removeprefix("signalbox-staging-")  # the role through which promotion enters it
    return "".join(part.capitalize() for part in name.split("-")) + "Role"


def logical_resources(arns: Iterable[str], prefix: str) -> dict[str, str]:
    """ARN -> logical id, or the ARN's last part where that says it as well."""
    return {
        arn: logical_role(arn, prefix)
        if ":role/" in arn
        else "WebhookQueue"
        if arn.endswith(f":{prefix}-webhook")
        else _KINDS.get(arn.split(":")[2], arn.rpartition(":")[2])
        for arn in arns
    }
