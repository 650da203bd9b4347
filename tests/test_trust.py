"""`docs/trust.md` names a test for every promise; here it is seen that these tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "trust.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::([\w:]+))?`")
TEXT = DOCUMENT.read_text()
PROMISES = 11


def names_in(path: str) -> set[str]:
    """Return the names of the tests of a file, those in classes with the name of their class."""
    tree = ast.parse((ROOT / path).read_text())
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(TEXT))))
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    if name:
        assert name in names_in(path)


def test_every_promise_has_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) == PROMISES
    for row in rows:
        promise, proof = row.strip("| ").split(" | ", 1)
        assert NAMED.search(proof), promise
