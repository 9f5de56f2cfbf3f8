"""The house style, as far as a program can read it. Each test names every place that leaves it."""

import ast
import functools
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.contracts import repository

ROOT = repository.ROOT
PYTHON = repository.python_files()
OURS = repository.python_files(
    "functions", "layers/signalbox", "cli", "localaws", "delivery", "workloads"
)
LONGEST_FUNCTION_LINES, LONGEST_FILE_LINES, MEDIAN_FUNCTION_LINES = 50, 350, 8
BANNED_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
EDGE = re.compile(r"#\s*noqa:\s*BLE001\s+-\s+\S.{7,}")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file; walking them costs more than reading the file."""
    return tuple(ast.walk(tree_of(path)))


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def imported_names(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_is_mocked() -> None:
    """Real values and fakes: boto3 is faked by moto, time by the clock."""
    banned = re.compile(r"(unittest\.)?mock(\.|$)|pytest_mock")
    found = [(str(p), n) for p in PYTHON for n in imported_names(p) if banned.match(n)]

    assert found == []


def catches_everything(path: Path) -> Iterator[ast.ExceptHandler]:
    for node in nodes_of(path):
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
        ):
            yield node


def is_raised_or_logged(handler: ast.ExceptHandler) -> bool:
    """Raised again, or logged with its traceback."""
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".exception"))
        for node in ast.walk(handler)
    )


def test_everything_is_caught_at_a_process_edge_only_and_says_why() -> None:
    found = []
    for path in PYTHON:
        source = (ROOT / path).read_text(encoding="utf-8").splitlines()
        for handler in catches_everything(path):
            line = source[handler.lineno - 1]
            if not (EDGE.search(line) or is_raised_or_logged(handler)):
                found.append(f"{path}:{handler.lineno}: {line.strip()}")

    assert found == []


def test_a_file_has_one_subject() -> None:
    lengths = {str(p): len((ROOT / p).read_text(encoding="utf-8").splitlines()) for p in OURS}

    assert {p: n for p, n in lengths.items() if n > LONGEST_FILE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    lengths = {f"{p}:{f.lineno} {f.name}": lines_of(f) for p in OURS for f in functions_of(p)}

    assert {p: n for p, n in lengths.items() if n > LONGEST_FUNCTION_LINES} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_FUNCTION_LINES


def test_a_module_says_what_it_is_for() -> None:
    modules = [path for path in OURS if path.name != "__init__.py"]

    assert [str(path) for path in modules if not ast.get_docstring(tree_of(path))] == []


def test_every_return_is_annotated() -> None:
    found = [
        f"{path}:{f.lineno} {f.name}" for path in OURS for f in functions_of(path) if not f.returns
    ]

    assert found == []


def test_what_is_left_to_do_has_the_number_of_its_issue() -> None:
    mark = re.compile(r"#[^\"']*\b(TODO|FIXME|XXX)\b(?!.*#\d)")
    found = [
        f"{path}:{number} {line.strip()}"
        for path in PYTHON
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)
        if mark.search(line) and "mark = re" not in line
    ]

    assert found == []


def test_a_module_name_is_a_word_of_the_domain() -> None:
    assert [str(path) for path in PYTHON if path.stem in BANNED_NAMES] == []
