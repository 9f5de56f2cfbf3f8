"""What people read of what the reconciler could not repair; the golden file was read by a person.

With SIGNALBOX_WRITE_GOLDEN=1 this file writes it anew.
"""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from signalbox import hosting, messages_findings
from signalbox.hosting import Config, Endpoint, Hosting, Named
from signalbox.messages_text import to_text
from signalbox.reconciliation import Finding, Version, pending_findings
from signalbox.serving import Deployment, DeploymentStatus, ServingRecord

GOLDEN = Path(__file__).parent / "golden" / "findings.txt"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VERSION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/3"
DAY = date(2026, 11, 21)


def findings() -> list[Finding]:
    """A bit of everything, as the rules find it."""
    long_ago = NOW - timedelta(days=30)
    serving = Deployment(
        key="k",
        at="2026-11-20T10:15:00Z",
        run_id="261120-101500-a1b2c3",
        model_package_arn=VERSION,
        version=3,
        endpoint_config="signalbox-dev-config-261120-101500-a1b2c3-1-0",
        model="signalbox-dev-model-261120-101500-a1b2c3-1-0",
        status=DeploymentStatus.SERVING,
    )
    record = ServingRecord(endpoint="signalbox-dev-diabetes", deployments=[serving])
    facts = Hosting(
        endpoints=(
            Endpoint("signalbox-dev-diabetes", "InService", "by-hand", long_ago),
            Endpoint("signalbox-dev-probe-261101", "InService", "probe", long_ago),
        ),
        described={"probe": Config("probe", ("m",), (("ml.m5.large", 1),))},
        configs=(Named("signalbox-dev-config-261001-101500-a1b2c3-1-0", long_ago),),
        models=(),
        records={"signalbox-dev-diabetes": record},
    )
    pending = Version(VERSION.replace("/3", "/2"), "PendingManualApproval", long_ago)
    return [
        *hosting.unlike_the_record(facts, NOW),
        *hosting.left_over(facts, NOW, {"ml.m5.large": 0.115}),
        *pending_findings([pending], [], NOW),
        *hosting.run_findings({"260101-000000-aaaaaa": 2_000_000_000}, "workflow"),
    ]


def test_the_message_says_what_it_costs_and_what_to_do():
    text = to_text(messages_findings.found(findings(), "dev", DAY))

    if os.environ.get("SIGNALBOX_WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_one_thing_is_one_thing():
    message = messages_findings.found(findings()[:1], "dev", DAY)

    assert message.subject == "[dev] 1 thing needs a look"
    assert "1 thing needs a person." in message.summary[0]


def test_the_order_in_which_things_are_found_does_not_make_another_message():
    forth, back = findings(), findings()[::-1]

    assert messages_findings.key_of(forth, DAY) == messages_findings.key_of(back, DAY)
    assert messages_findings.key_of(forth, DAY) != messages_findings.key_of(forth[1:], DAY)
