"""What is printed, to a terminal or to a pipe, for people or for programs."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from signalbox_cli.console import Output, duration, utc_text

RUN = "261121-101500-a1b2c3"


def test_a_pipe_gets_no_colours_and_whole_cells(capfd: pytest.CaptureFixture[str]) -> None:
    Output().table(("run", "what"), [(f"[green]{RUN}[/green]", "word " * 60)])

    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"{RUN}  word word")
    assert "\x1b" not in lines[1]


def test_a_table_without_rows_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    Output().table(("run", "what"), [])

    assert capfd.readouterr().out == ""


def test_progress_and_hints_stay_out_of_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.note("working")
    output.hint("for people only")
    output.say("for people only")
    output.result({"at": datetime(2026, 11, 21, 10, tzinfo=UTC)})

    printed = capfd.readouterr()
    assert printed.out == '{\n  "at": "2026-11-21T10:00:00Z"\n}\n'
    assert printed.err == "working\n"


def test_times_are_utc_with_a_z() -> None:
    moment = datetime(2026, 11, 21, 11, 30, tzinfo=timezone(timedelta(hours=1)))

    assert utc_text(moment) == "2026-11-21T10:30:00Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_a_duration_has_the_unit_that_reads_best(seconds: float, text: str) -> None:
    assert duration(seconds) == text
