"""Downloading one file: resumable, bounded in size, and under a temporary name until it is verified."""

import hashlib
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from harness.core.checksums import FileDigest, digest_file
from harness.core.errors import UserError
from harness.core.files import write_json
from harness.core.progress import log

if TYPE_CHECKING:
    from requests import Response, Session

LARGEST = 64 << 30
"""Largest file in bytes where its size is neither published nor announced."""
_PAUSES = (0.5, 2.0, 5.0)
"""Seconds before each further attempt; after an attempt that received bytes they start from the first."""
_TIMEOUT = (15.0, 60.0)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it is downloaded; what is not known is empty or None.

    Attributes:
        origin: where the rest is from: `published` or `recorded at the first fetch`.
        blob: its sha1 as a git blob, which the hub publishes of small files.
    """

    sha256: str = ""
    origin: str = "published"
    bytes: int | None = None
    blob: str = ""


class UnreachableError(UserError):
    """The server did not answer: there is no network, or no route to the server."""


class _InterruptedError(Exception):
    """The connection ended before the file did; the next attempt resumes there."""


class _DownloadState(msgspec.Struct, frozen=True):
    """What a partial file belongs to; `validator` is the server's identifier of that version (ETag or date)."""

    url: str
    validator: str


class _Part:
    """The temporary file, with which the next attempt or the next process continues."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._state = target.with_name(f".{target.name}.part.json")
        self._url = url
        target.parent.mkdir(parents=True, exist_ok=True)
        self.validator = ""
        with suppress(OSError, msgspec.DecodeError):
            state = msgspec.json.decode(self._state.read_bytes(), type=_DownloadState)
            self.validator = state.validator if state.url == url else ""

    @property
    def size(self) -> int:
        """Bytes that can be continued: 0 where the server gave no validator to tell whether its file is the same."""
        return self.path.stat().st_size if self.validator and self.path.is_file() else 0

    def begin(self, validator: str) -> None:
        self.path.write_bytes(b"")
        self.validator = validator
        write_json(self._state, _DownloadState(self._url, validator))

    def remove(self) -> None:
        self.validator = ""
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(target)
        self._state.unlink(missing_ok=True)


def download(session: "Session", url: str, target: Path, expected: Expected) -> FileDigest:
    """Download a file; it gets its name `target` when it is complete and verified. Return its sha256 and size.

    Redirects are followed, except from https to http.

    Raises:
        UnreachableError: the server did not answer.
        UserError: the server refuses, serves a page or another file, repeatedly interrupts, or the disk is full.
    """
    part = _Part(target, url)
    try:
        _retry(session, url, part, expected)
        found = digest_file(part.path)
        if wrong := fault(part.path, found, expected):
            part.remove()
            raise UserError(f"{url} served another file: {wrong}. Nothing was kept: correct the address.")
        part.publish(target)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"Cannot write {target}: {reason}: free some space and fetch again to resume.") from error
    return found


def _retry(session: "Session", url: str, part: _Part, expected: Expected) -> None:
    """Download until the file is complete; give up after several attempts that received nothing."""
    pauses = iter(_PAUSES)
    while True:
        before = part.size
        try:
            return _attempt(session, url, part, expected)
        except _InterruptedError as error:
            if part.size > before:
                pauses = iter(_PAUSES)
            pause, host = next(pauses, None), urlsplit(url).hostname
            if pause is None and part.path.is_file():
                advice = "fetch again later, the download is resumed"
                raise UserError(f"{url} was interrupted repeatedly ({error}): {advice}.") from error
            if pause is None:
                raise UnreachableError(f"{host} does not answer ({error})") from error
            log(f"{host}: {error}; retrying from byte {part.size:,}")
            time.sleep(pause)


def _attempt(session: "Session", url: str, part: _Part, expected: Expected) -> None:
    import urllib3
    from requests import exceptions

    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    try:
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            _check(response, url, part)
            _receive(response, part, _announced(response, part, expected))
    except exceptions.TooManyRedirects as error:
        raise UserError(f"{url} redirects endlessly: correct the address.") from error
    except (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.MissingSchema) as error:
        raise UserError(f"{url} leads to an invalid address ({error}): correct it.") from error
    except (exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        inner: Exception = error  # urllib3 nests errors; the innermost one says what happened
        while inner.args and isinstance(inner.args[0], Exception):
            inner = inner.args[0]
        raise _InterruptedError(type(getattr(inner, "reason", None) or inner).__name__) from error


def _check(response: "Response", url: str, part: _Part) -> None:
    """Raise where the response is not a file."""
    hops = [urlsplit(one.url).scheme for one in (*response.history, response)]
    if hops[0] == "https" and set(hops) != {"https"}:
        raise UserError(f"{url} redirects to the unencrypted {response.url}: correct the address.")
    code = response.status_code
    if code == 416:
        part.remove()
        raise _InterruptedError("the server has fewer bytes than were downloaded")
    if code in {429, 500, 502, 503, 504}:
        raise _InterruptedError(f"the server answers {code}")
    if code in {401, 403}:
        raise UserError(f"{url} is refused ({code}): it may require a log-in or an agreement, so download it by hand.")
    if code not in {200, 206}:
        raise UserError(f"{url} is not found (the server answers {code}): correct the address.")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise UserError(f"{url} answers with a page instead of a file: open it in a browser and download it by hand.")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UserError(f"{url} sends the file compressed although that was not accepted: download it by hand.")


def _announced(response: "Response", part: _Part, expected: Expected) -> int | None:
    """Return the size of the whole file that the server announces, and prepare the partial file for writing."""
    start, total = 0, _number(response.headers.get("Content-Length"))
    if response.status_code == 206:
        first, _, whole = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start, total = _number(first.partition("-")[0]) or 0, _number(whole)
        if start != part.size:
            part.remove()
            raise _InterruptedError("the server continues from another byte than requested")
    else:
        part.begin(response.headers.get("ETag") or response.headers.get("Last-Modified") or "")
    if expected.bytes is not None and total not in {None, expected.bytes}:
        raise UserError(
            f"{response.url} announces {total:,} bytes where {expected.bytes:,} are published: correct the address."
        )
    folder = part.path.parent
    if total is not None and total - start > (free := shutil.disk_usage(folder).free):
        raise UserError(f"{folder} has {free:,} bytes left, but {total - start:,} are needed: free some space.")
    return total


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _receive(response: "Response", part: _Part, total: int | None) -> None:
    size, most = part.path.stat().st_size, total or LARGEST
    with part.path.open("ab") as out:
        for block in response.raw.stream(_BLOCK, decode_content=False):
            size += len(block)
            if size > most:
                raise UserError(f"{response.url} sends more than the {most:,} bytes allowed: correct the address.")
            out.write(block)
    if total is not None and size < total:
        raise _InterruptedError(f"{size:,} of {total:,} bytes received")


def fault(path: Path, found: FileDigest, expected: Expected) -> str:
    """Return how a file differs from the expected one; empty where it does not."""
    if expected.bytes is not None and found.bytes != expected.bytes:
        return f"it has {found.bytes:,} bytes where {expected.bytes:,} are {expected.origin}"
    if expected.sha256 and found.sha256 != expected.sha256:
        return f"its sha256 is {found.sha256}, where {expected.sha256} is {expected.origin}"
    if expected.blob and (blob := git_blob(path)) != expected.blob:
        return f"as a git blob it is {blob}, where {expected.blob} is {expected.origin}"
    return ""


def git_blob(path: Path) -> str:
    """Return the name that git gives to a file's content: the sha1 of a header and the bytes."""
    total = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def new_session() -> "Session":
    """Return a session with a limit on redirects and the harness's name as its user agent."""
    import requests

    session = requests.Session()
    session.max_redirects = 8
    session.headers["User-Agent"] = "stcompress"
    return session
