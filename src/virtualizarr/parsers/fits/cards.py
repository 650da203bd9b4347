"""Decoding header cards (FITS standard 4.0, section 4): bytes in, values out. No I/O."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

CARD, BLOCK = 80, 2880
COMMENTARY = ("COMMENT", "HISTORY", "")

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EDed][+-]?\d+)?"
_VALUE = re.compile(
    rf"""\s*(?:
        '(?P<text>(?:[^']|'')*)'
      | (?P<logical>[TF])
      | (?P<integer>[+-]?\d+)
      | (?P<real>{_NUMBER})
      | \(\s*(?P<re>{_NUMBER})\s*,\s*(?P<im>{_NUMBER})\s*\)
    )?\s*(?:/.*)?$""",
    re.VERBOSE | re.DOTALL,
)
_HIERARCH = re.compile(r"HIERARCH\s+(?P<key>[^=']+?)\s*=(?P<value>.*)$", re.DOTALL)
_CONTINUED = re.compile(r"\s*'(?P<text>(?:[^']|'')*)'")

type Cards = dict[str, Any]


def end_of_header(raw: memoryview) -> int | None:
    """Return the bytes of a header up to the END card and its padding; None where END is not in."""
    whole = len(raw) // CARD * CARD
    starts = np.frombuffer(raw[:whole], np.uint8).reshape(-1, CARD)[:, :8]
    found = np.flatnonzero((starts == np.frombuffer(b"END     ", np.uint8)).all(axis=1))
    return None if len(found) == 0 else -(-(int(found[0]) + 1) * CARD // BLOCK) * BLOCK


def decode_cards(raw: memoryview) -> Cards:
    """Return the values by keyword, of the first card that has it; comments are left out.

    Commentary cards are joined by line breaks (those without a keyword join COMMENT). A value is a
    str, bool, int, float, complex, or None where it is undefined; the text of a value that breaks
    the rules is given as it is. HIERARCH keywords lose that prefix; CONTINUE cards join the text
    that they continue.
    """
    text = bytes(raw).decode("latin-1")
    cards: Cards = {}
    commentary: dict[str, list[str]] = {}
    continued: str | None = None
    for start in range(0, len(text) - CARD + 1, CARD):
        card = text[start : start + CARD]
        keyword = card[:8].rstrip()
        if keyword == "END" and not card[8:].strip("\0 "):
            break
        if keyword == "CONTINUE" and continued is not None:
            more = _CONTINUED.match(card[8:])
            if more is not None:
                cards[continued] = cards[continued].removesuffix("&") + _text(more["text"])
                continue
        continued = None
        if keyword in COMMENTARY:
            commentary.setdefault("COMMENT" if keyword == "" else keyword, []).append(
                card[8:].rstrip()
            )
            continue
        keyword, value = _decode_card(keyword, card)
        if keyword not in cards or _is_placeholder(keyword, cards[keyword]):
            cards[keyword] = value
            if isinstance(value, str) and value.endswith("&"):
                continued = keyword
    for keyword, lines in commentary.items():
        joined = "\n".join(lines).strip("\n")
        if joined.strip():
            cards.setdefault(keyword, joined)
    return cards


def _is_placeholder(keyword: str, value: Any) -> bool:
    """Say whether compressors put in this card, and the file's own may follow."""
    return keyword == "EXTNAME" and value == "COMPRESSED_IMAGE"


def _decode_card(keyword: str, card: str) -> tuple[str, Any]:
    if keyword == "HIERARCH":
        found = _HIERARCH.match(card)
        if found is not None:
            return " ".join(found["key"].split()), decode_value(found["value"])
    if card[8:9] == "=":
        return keyword, decode_value(card[9:])
    return keyword, card[8:].strip()


def decode_value(field: str) -> Any:
    """Return what a value field says (section 4.2); its text where it breaks the rules."""
    found = _VALUE.match(field)
    if found is None:
        return field.strip()
    if found["text"] is not None:
        return _text(found["text"])
    if found["logical"] is not None:
        return found["logical"] == "T"
    if found["integer"] is not None:
        return int(found["integer"])
    if found["real"] is not None:
        return _real(found["real"])
    if found["re"] is not None:
        return complex(_real(found["re"]), _real(found["im"]))
    return None


def _text(quoted: str) -> str:
    return quoted.replace("''", "'").rstrip(" ")


def _real(number: str) -> float:
    return float(number.upper().replace("D", "E"))
