"""Documentation says what is there: links lead somewhere, commands and targets and tests exist."""

import re
from pathlib import Path

import pytest

from tests.contracts import repository

ROOT = repository.ROOT
PAGES = [path for path in repository.committed_files() if path.suffix == ".md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{page}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(page))
        if not re.match(r"[a-z]+:", link) and not (ROOT / page.parent / link).exists()
    ]

    assert broken == []


def test_every_make_target_that_is_named_exists() -> None:
    named = {
        f"{page}: make {target}"
        for page in PAGES
        for target in re.findall(r"(?:`|^\s*\$? *)make ([a-z][a-z-]*)", text_of(page), re.M)
        if target not in TARGETS
    }

    assert named == set()


def test_every_target_is_explained_to_who_asks_for_help() -> None:
    lines = text_of(Path("Makefile")).splitlines()
    phony = [name for line in lines if line.startswith(".PHONY:") for name in line.split()[1:]]
    explained = {m.group(1) for line in lines if (m := re.match(r"([a-z-]+):.*## ", line))}

    assert {name for name in phony if not name.startswith("tools-")} == explained


def test_every_file_and_folder_that_is_named_exists() -> None:
    """Names in backticks that begin with a folder of the repository."""
    folders = {path.parts[0] for path in repository.committed_files() if len(path.parts) > 1}
    named = {
        (str(page), name)
        for page in PAGES
        for name in re.findall(r"`([A-Za-z0-9_.-]+/[A-Za-z0-9_./-]*[A-Za-z0-9_/-])`", text_of(page))
        if name.split("/")[0] in folders and "x_y" not in name
    }

    assert {(page, name) for page, name in named if not (ROOT / name).exists()} == set()


def test_every_difference_from_aws_names_a_test_that_shows_it() -> None:
    sources = {p: text_of(p) for p in repository.python_files("tests")}
    known = {p.stem for p in sources} | {
        name for text in sources.values() for name in re.findall(r"def (test_\w+)", text)
    }
    differences = text_of(Path("docs/parity.md")).partition("## Granted, and not exercised")[0]
    rows = [line for line in differences.splitlines() if line.startswith("|")]
    claims = [row for row in rows if not re.match(r"\|\s*(area|---|-+|role)\b|\|\s*-", row)]

    for row in claims:
        shown_by = row.rstrip("| ").rpartition("|")[2]
        tests = set(re.findall(r"\btest_\w+", shown_by))
        assert tests, f"names no test: {row}"
        assert tests <= known, f"names a test that is not there: {row}"


def test_what_is_granted_and_not_exercised_is_really_granted() -> None:
    granted = {action for s in repository.role_statements() for action in s.actions}
    section = text_of(Path("docs/parity.md")).partition("## Granted, and not exercised")[2]
    claimed = {
        action
        for row in re.findall(r"^\|[^|]+\|[^|]+\|([^|]+)\|", section.partition("\n## ")[0], re.M)
        for action in re.findall(r"`([a-z-]+:\w+)`", row)
    }

    assert claimed
    assert claimed - granted == set()


DECISIONS = [path for path in PAGES if path.parts[:2] == ("docs", "decisions")]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda p: p.stem)
def test_a_decision_has_a_date_a_reason_and_a_way_back(path: Path) -> None:
    text = text_of(path)

    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.search(r"^20\d\d-\d\d-\d\d$", text, re.M)
    for part in ("**Context.**", "**Choice.**", "**To revert.**"):
        assert part in text


WORDS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen")
NUMBERS = dict(enumerate(WORDS, 10))


def test_the_functions_that_pages_count_are_those_of_the_template() -> None:
    functions = len(repository.resources("AWS::Serverless::Function"))
    words = "|".join(WORDS)
    pages = {Path("README.md"), Path("CHANGELOG.md"), Path("docs/architecture.md")}
    counted = {
        (page, word)
        for page in pages
        for word in re.findall(rf"\b({words})\s+(?:Lambda )?functions", text_of(page))
    }

    assert counted == {(page, NUMBERS[functions]) for page in pages}
