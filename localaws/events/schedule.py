"""When a rule's schedule expression fires next: `rate(5 minutes)`, `cron(0 12 ? * MON-FRI *)`.

Pure. Follows the EventBridge user guide, "Setting a schedule pattern for scheduled rules" (read
2026-11-21). Times are aware UTC datetimes.
"""

import calendar
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
_CRON = re.compile(r"cron\((.+)\)")
_UNIT_S = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_LAST_YEAR = 2199


class InvalidSchedule(ValueError):
    """The expression is not one that EventBridge takes; the message says why."""


@dataclass(frozen=True)
class Schedule:
    """A parsed expression."""

    expression: str
    next_after: Callable[[datetime], datetime | None]
    """The first firing after a moment; None when there is none any more."""


def parse(expression: str) -> Schedule:
    """Raises InvalidSchedule."""
    rate = _RATE.fullmatch(expression)
    if rate:
        period = _period(int(rate[1]), rate[2])
        return Schedule(expression, lambda moment: moment + period)
    cron = _CRON.fullmatch(expression)
    if cron:
        return Schedule(expression, _cron(cron[1].split()))
    raise InvalidSchedule(f"{expression!r} is neither rate(value unit) nor cron(six fields)")


def _period(value: int, unit: str) -> timedelta:
    if value < 1 or (value == 1) is unit.endswith("s"):
        raise InvalidSchedule(
            f"rate({value} {unit}): 1 goes with a singular unit, more with plural"
        )
    return timedelta(seconds=value * _UNIT_S[unit.rstrip("s")])


def _cron(fields: list[str]) -> Callable[[datetime], datetime | None]:
    if len(fields) != 6:
        raise InvalidSchedule("cron needs six fields: minutes hours day month weekday year")
    if (fields[2] == "?") is (fields[4] == "?"):
        raise InvalidSchedule("exactly one of day-of-month and day-of-week is ?")
    minutes = sorted(_values(fields[0], 0, 59, {}))
    hours = sorted(_values(fields[1], 0, 23, {}))
    months = _values(fields[3], 1, 12, _MONTHS)
    years = _values(fields[5], 1970, _LAST_YEAR, {})
    days = _month_days(fields[2]) if fields[4] == "?" else _week_days(fields[4])

    def next_after(moment: datetime) -> datetime | None:
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in _days_from(start.date(), years, months):
            if not days(day):
                continue
            found = _first_time(day, start, hours, minutes)
            if found:
                return found
        return None

    return next_after


def _first_time(
    day: date, start: datetime, hours: list[int], minutes: list[int]
) -> datetime | None:
    times = (
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        for hour in hours
        for minute in minutes
    )
    return next((time for time in times if time >= start), None)


def _days_from(start: date, years: set[int], months: set[int]) -> Iterable[date]:
    for year in sorted(year for year in years if year >= start.year):
        for month in sorted(months):
            if (year, month) < (start.year, start.month):
                continue
            first = start.day if (year, month) == (start.year, start.month) else 1
            for day in range(first, calendar.monthrange(year, month)[1] + 1):
                yield date(year, month, day)


def _values(field: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    return {value for part in field.split(",") for value in _range(part, low, high, names)}


def _range(part: str, low: int, high: int, names: dict[str, int]) -> range:
    body, _, step = part.partition("/")
    if body in {"*", "?"}:
        first, last = low, high
    elif "-" in body:
        left, _, right = body.partition("-")
        first, last = _number(left, names), _number(right, names)
    else:
        first = _number(body, names)
        last = high if step else first
    if not low <= first <= last <= high:
        raise InvalidSchedule(f"{part} is outside {low}-{high}")
    return range(first, last + 1, _step(step))


def _step(text: str) -> int:
    if text and (not text.isdigit() or int(text) < 1):
        raise InvalidSchedule(f"/{text} is not a step")
    return int(text or 1)


def _number(text: str, names: dict[str, int]) -> int:
    if text.upper() in names:
        return names[text.upper()]
    if not text.isdigit():
        raise InvalidSchedule(f"{text!r} is not a value")
    return int(text)


def _month_days(field: str) -> Callable[[date], bool]:
    if field == "L":
        return lambda day: day.day == _month_length(day)
    if field.endswith("W"):
        wanted = _number(field[:-1], {})
        return lambda day: day.day == _nearest_weekday(day, wanted)
    allowed = _values(field, 1, 31, {})
    return lambda day: day.day in allowed


def _week_days(field: str) -> Callable[[date], bool]:
    if "#" in field:
        name, _, nth = field.partition("#")
        wanted, week = _number(name, _DAYS), _number(nth, {})
        return lambda day: _week_day(day) == wanted and (day.day - 1) // 7 + 1 == week
    if field.endswith("L") and field != "L":
        wanted = _number(field[:-1], _DAYS)
        return lambda day: _week_day(day) == wanted and day.day > _month_length(day) - 7
    allowed = {7} if field == "L" else _values(field, 1, 7, _DAYS)
    return lambda day: _week_day(day) in allowed


def _week_day(day: date) -> int:
    """1 is Sunday, as in cron expressions."""
    return day.isoweekday() % 7 + 1


def _month_length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int:
    if wanted > _month_length(day):
        return 0
    weekday = date(day.year, day.month, wanted).isoweekday()
    if weekday == 6:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:
        return wanted + 1 if wanted < _month_length(day) else wanted - 2
    return wanted
