"""What every verb does with its result and its errors."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import orjson
import typer

from virtualizarr.cli.show import progress_bar
from virtualizarr.errors import VirtualizeError

SECRET = re.compile(r"key|secret|token|password|credential|account|sas|bearer", re.IGNORECASE)


@contextmanager
def errors_in_one_line(options: Mapping[str, object] | None = None) -> Iterator[None]:
    """Print an error of our tree as one line, without values of `options`; end with exit code 1."""
    try:
        yield
    except VirtualizeError as error:
        print(f"virtualizarr: {without(one_line(error), options)}", file=sys.stderr)
        raise typer.Exit(1) from None


def without(text: str, options: Mapping[str, object] | None) -> str:
    """Return text in which the values of secret options are not."""
    for name, value in options.items() if options is not None else ():
        if isinstance(value, str) and value and SECRET.search(name) is not None:
            text = text.replace(value, "***")
    return text


def one_line(thing: object) -> str:
    """Return what is printed of a thing, without line breaks."""
    return " ".join(str(thing).split())


def print_json(value: object) -> None:
    """Print a result for programs."""
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


@contextmanager
def told(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give what is told of progress (done, in all); None where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with progress_bar(what) as update:
        yield update
