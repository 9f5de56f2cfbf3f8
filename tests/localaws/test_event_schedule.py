"""Schedule expressions; expected moments are the guide's own examples or a calendar's."""

from datetime import UTC, datetime

import pytest

from localaws.events.schedule import InvalidSchedule, parse

SATURDAY = datetime(2026, 11, 21, 10, 7, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", "2026-11-21T10:08:30"),
        ("rate(5 minutes)", "2026-11-21T10:12:30"),
        ("rate(1 hour)", "2026-11-21T11:07:30"),
        ("rate(7 days)", "2026-11-28T10:07:30"),
        ("cron(0 10 * * ? *)", "2026-11-22T10:00"),
        ("cron(15 12 * * ? *)", "2026-11-21T12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-23T18:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01T08:00"),
        ("cron(0/15 * * * ? *)", "2026-11-21T10:15"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-11-23T00:00"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-23T08:00"),
        ("cron(0 9 ? * 2#1 *)", "2026-12-07T09:00"),
        ("cron(0 9 L * ? *)", "2026-11-30T09:00"),
        ("cron(0 9 ? * 6L *)", "2026-11-27T09:00"),
        ("cron(0 9 22W * ? *)", "2026-11-23T09:00"),
        ("cron(0 9 ? JAN,MAR SUN 2028)", "2028-01-02T09:00"),
        ("cron(7,8 10 21 11 ? 2026)", "2026-11-21T10:08"),
    ],
)
def test_next_firing(expression: str, expected: str):
    assert parse(expression).next_after(SATURDAY) == at(expected)


def test_a_year_that_has_passed_never_fires():
    assert parse("cron(0 9 1 1 ? 2020)").next_after(SATURDAY) is None


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(61 10 * * ? *)",
        "cron(0 10 * * ?)",
        "cron(0/0 10 * * ? *)",
        "at(2026-11-21T10:00:00)",
    ],
)
def test_refuses_what_eventbridge_refuses(expression: str):
    with pytest.raises(InvalidSchedule):
        parse(expression)
