"""What a store client's exceptions mean, and the errors of our tree that they become.

The client names most failures only in the text of one exception type, so the text is read here, and
nowhere else. Messages are redacted, and causes are not chained where they are raised: a client's
own text may hold a signed URL.
"""

from __future__ import annotations

import re

from obstore.exceptions import (
    BaseError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from virtualizarr.errors import SourceError, SourceNotFoundError, SourcePermissionError
from virtualizarr.source.urls import redact

CLIENT_ERRORS = (BaseError, OSError, ValueError, RuntimeError, EOFError)
"""What a store may raise: obstore's own errors, and what obspec stores of other makers raise."""

_BUSY = re.compile(r"status code: (?:429|5\d\d)|SlowDown|TooManyRequests")
_INTERRUPTED = re.compile(
    r"response body error|error decoding response|IncompleteBody|connection closed|Interrupted"
)
_BEYOND_END = re.compile(r"status code: 416|InvalidRange|StartTooLarge|Invalid range")
_NO_CREDENTIALS = re.compile(
    r"169\.254\.169\.254|metadata\.google|token request|/api/token|IMDS|CredentialsNotLoaded"
)
_WRONG_REGION = re.compile(
    r"redirect without LOCATION|AuthorizationHeaderMalformed|PermanentRedirect"
    r"|status code: 301"
)
_NO_CONNECTION = re.compile(r"error sending request|dns error|Connection refused|timed out")
_NOT_FOUND = re.compile(r"status code: 404|NoSuchBucket|NoSuchKey")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_FORBIDDEN = re.compile(
    r"status code: 40[13]|AccessDenied|ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch"
)


def lacks_ranges(error: BaseException) -> bool:
    """Say whether the server answers with whole files only."""
    return isinstance(error, NotSupportedError) and "Range request" in str(error)


def lies_beyond_end(error: BaseException) -> bool:
    """Say whether the range asked for starts at or after the end of the file."""
    return _BEYOND_END.search(str(error)) is not None


def is_busy(error: BaseException) -> bool:
    """Say whether the server asked for patience: 429 or any 5xx."""
    return _BUSY.search(str(error)) is not None


def is_interrupted(error: BaseException) -> bool:
    """Say whether the connection broke inside the body."""
    return _INTERRUPTED.search(str(error)) is not None


def translated(error: BaseException, url: str) -> SourceError:
    """Return the error of our tree for a client's `error` on the file at `url`."""
    text = str(error)
    missing = isinstance(error, NotFoundError | FileNotFoundError)
    if missing or _NOT_FOUND.search(text) is not None:
        return SourceNotFoundError("there is no such object or bucket", url=redact(url))
    if _NO_CREDENTIALS.search(text) is not None:
        return SourcePermissionError(
            "no credentials were found for the store; set them in the environment or in"
            ' storage_options, or read public data with {"skip_signature": True}',
            url=redact(url),
        )
    if (
        isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
        or _FORBIDDEN.search(text) is not None
    ):
        return SourcePermissionError(
            "the store refused access with the credentials at hand, or hides that there is no such"
            f" object ({_summary(error)})",
            url=redact(url),
        )
    if _WRONG_REGION.search(text) is not None:
        return SourceError(
            "the bucket is in another region; name it in storage_options as"
            f' {{"region": ...}} ({_summary(error)})',
            url=redact(url),
        )
    if _NO_CONNECTION.search(text) is not None:
        return SourceError(f"cannot connect ({_summary(error)})", url=redact(url))
    return SourceError(_summary(error), url=redact(url))


def _summary(error: BaseException) -> str:
    """Return the first paragraph of the client's message, without credentials.

    Of an XML body only the error code is kept: the rest may repeat a key or a signed request.
    """
    whole = str(error)
    code = _CODE.search(whole)
    text = redact(whole.split("\n\nDebug source", 1)[0].split("<", 1)[0])
    text = " ".join(text.split()).removesuffix(":")
    if code is not None:
        text = f"{text} ({code[1]})"
    return text if text else type(error).__name__
