"""Header cards against astropy's, and those that break the rules."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from astropy.io import fits
from astropy.io.fits.card import Undefined

from shared_data import SHARED_DATA
from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.fits.cards import decode_cards, decode_value, end_of_header
from virtualizarr.parsers.fits.layout import hdu_of

FOLDER = SHARED_DATA / "fits"
FILES = sorted(FOLDER.rglob("*.fits")) if FOLDER.is_dir() else []


def plain(value: Any) -> Any:
    return None if isinstance(value, Undefined) else value


def cards_of(header: fits.Header) -> dict[str, Any]:
    """Return astropy's values by keyword, of the first card that has it."""
    found: dict[str, Any] = {}
    for card in header.cards:
        try:
            value = plain(card.value)
        except fits.VerifyError:
            continue
        key = card.rawkeyword if card.field_specifier else card.keyword
        if key in ("COMMENT", "HISTORY", ""):
            continue
        found.setdefault(key, card.rawvalue if card.field_specifier else value)
    return found


def check(raw: bytes) -> None:
    header = fits.Header.fromstring(raw.decode("latin-1"))
    ours = decode_cards(memoryview(raw))
    for key, value in cards_of(header).items():
        if value == "COMPRESSED_IMAGE":
            continue  # a compressor's card, which gives way to the file's own
        assert ours[key] == value, key
        assert type(ours[key]) is type(value), key


@pytest.mark.skipif(not FILES, reason="the shared files are not here")
def test_all_headers_of_all_files() -> None:
    count = 0
    for path in FILES:
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(path, disable_image_compression=True) as hdus:
                for hdu in hdus:
                    info = hdu.fileinfo()
                    raw = content[info["hdrLoc"] : info["datLoc"]]
                    assert end_of_header(memoryview(raw)) == len(raw)
                    check(raw)
                    count += 1
    assert count > 50


def test_every_form_of_value() -> None:
    header = fits.Header()
    header["TEXT"] = "it's"
    header["BLANKS"] = "   left"
    header["EMPTY"] = ""
    header["YES"], header["NO"] = True, False
    header["N"], header["BIG"] = -5, 2**70
    header["R"], header["SMALL"] = 1.5, 1e-300
    header["Z"] = 1 - 2j
    header["NONE"] = None
    header["NOTE"] = ("value", "a comment with 'quotes' / and more")
    header["LONG"] = "a/b 'c' " * 40
    header["HIERARCH ESO DET CHIP1 ID"] = "CCD-44"
    header["HIERARCH lower case"] = 3
    check(header.tostring().encode())


def test_commentary_is_joined() -> None:
    header = fits.Header()
    header["HISTORY"] = "first"
    header["COMMENT"] = "one"
    header["HISTORY"] = "second"
    header.append(("", "no keyword"))
    header.append(("", ""))
    cards = decode_cards(memoryview(header.tostring().encode()))
    assert cards == {"HISTORY": "first\nsecond", "COMMENT": "one\nno keyword"}


@pytest.mark.parametrize(
    "field, value",
    [
        (" 1.D3", 1000.0),
        (" 1E-2 / comment", 0.01),
        (" .5", 0.5),
        ("  +7", 7),
        (" (1, -2.5)", 1 - 2.5j),
        (" 'unfinished", "'unfinished"),
        (" 2020-01-01", "2020-01-01"),
        (" T", True),
        (" TRUE", "TRUE"),
        (" / only a comment", None),
        (" ''''", "'"),
    ],
)
def test_values(field: str, value: Any) -> None:
    assert decode_value(field) == value


def test_the_name_of_a_compressor_gives_way_to_the_files_own() -> None:
    text = "EXTNAME = 'COMPRESSED_IMAGE'".ljust(80) + "EXTNAME = 'ccd1'".ljust(80)
    assert decode_cards(memoryview(text.encode()))["EXTNAME"] == "ccd1"


@pytest.mark.parametrize(
    "cards, reason",
    [
        ({}, "BITPIX is None"),
        ({"BITPIX": 12, "NAXIS": 0}, "BITPIX is 12"),
        ({"BITPIX": 8, "NAXIS": 1000}, "NAXIS is 1000"),
        ({"BITPIX": 8, "NAXIS": 1}, "NAXIS1 is None"),
        ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": -1}, "negative"),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 2**40, "NAXIS2": 2**40}, "larger than any file"),
        ({"BITPIX": 8, "NAXIS": 0, "PCOUNT": "x"}, "PCOUNT is 'x'"),
    ],
)
def test_broken_mandatory_keywords(cards: dict[str, Any], reason: str) -> None:
    with pytest.raises(CorruptFileError, match=reason):
        hdu_of(cards, 1, 2880, 5760)
