"""Templates: `{{name}}` in URLs, replaced by text. Nothing that a file says is ever executed.

The specification leaves templates to a template engine. Here a template is text, or a function of
named arguments whose body holds `{{name}}` placeholders; a use of it is `{{name}}` or
`{{name(argument='text', other=12)}}`. Everything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

MAX_EXPANDED = 64 * 1024
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*")
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_ARGUMENT = re.compile(
    r"""\s*([A-Za-z_]\w*)\s*=\s*(?:'([^'\\]*)'|"([^"\\]*)"|(-?\d{1,30}))\s*(?:,|\Z)"""
)
_MARK = re.compile(r"\{[{%#]")
_STATEMENT = re.compile(r"\{[%#]")

type Lookup = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Templates:
    """Named pieces of text, and functions of named arguments that give text."""

    texts: Mapping[str, str]

    @classmethod
    def from_document(cls, templates: Mapping[Any, Any]) -> Templates:
        """Check the `templates` object of a document."""
        for name, text in templates.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise CorruptFileError(f"template {name!r} is not text")
            if _STATEMENT.search(text):
                raise UnsupportedFeatureError(f"template {name!r} holds statements: {text[:80]!r}")
        return cls(dict(templates))

    def expand(self, text: str) -> str:
        """Return `text` with its placeholders replaced.

        Without any templates text is left as it is, as the reference file system leaves it. Raises
        CorruptFileError for a name that is not defined, UnsupportedFeatureError for an expression.
        """
        return expand(text, self.value) if self.texts and _MARK.search(text) else text

    def value(self, expression: str) -> str:
        """Return what a placeholder stands for: a template's text, or a call of it."""
        if match := _NAME.fullmatch(expression):
            text = self._text(match[1])
            if "{{" in text:
                raise UnsupportedFeatureError(f"template {match[1]!r} needs arguments")
            return text
        match = _CALL.fullmatch(expression)
        if match is None:
            raise UnsupportedFeatureError(
                f"template expression {expression[:80]!r}; supported are names and calls with "
                "quoted or integer arguments"
            )
        arguments = _arguments(match[2], expression)

        def argument(name: str) -> str:
            found = _NAME.fullmatch(name)
            if found is None:
                raise UnsupportedFeatureError(f"template expression {name[:80]!r}")
            if found[1] not in arguments:
                raise CorruptFileError(f"{expression[:80]!r} gives no {found[1]!r}")
            return arguments[found[1]]

        return expand(self._text(match[1]), argument)

    def _text(self, name: str) -> str:
        if name not in self.texts:
            raise CorruptFileError(f"template {name!r} is used and not defined")
        return self.texts[name]


def expand(text: str, value: Lookup) -> str:
    """Return `text` with each `{{expression}}` replaced by its value, once and not again."""
    if _STATEMENT.search(text):
        raise UnsupportedFeatureError(f"template statements: {text[:80]!r}")
    expanded = _PLACEHOLDER.sub(lambda match: value(match[1]), text)
    if len(expanded) > MAX_EXPANDED:
        raise CorruptFileError(f"a template expands to {len(expanded)} characters")
    return expanded


def split_placeholders(text: str) -> list[str]:
    """Return literal text and expressions in turn, beginning and ending with literal text."""
    if _STATEMENT.search(text):
        raise UnsupportedFeatureError(f"template statements: {text[:80]!r}")
    return _PLACEHOLDER.split(text)


def _arguments(text: str, expression: str) -> dict[str, str]:
    arguments: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip()):
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise UnsupportedFeatureError(f"template arguments {expression[:80]!r}")
        name, single, double, number = match.groups()
        arguments[name] = next(part for part in (single, double, number) if part is not None)
        at = match.end()
    return arguments
