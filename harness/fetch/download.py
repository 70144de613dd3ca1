"""Downloading one file: resumed where it broke off, bounded, and under a temporary name until it is verified."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from harness.core.checksums import FileDigest
from harness.core.errors import UserError
from harness.core.files import sha256_of, write_json
from harness.core.progress import log

if TYPE_CHECKING:
    from requests import Response, Session

LARGEST = 64 << 30
"""Most bytes of a file whose size nobody announces."""
_PAUSES = (0.5, 2.0, 5.0)
"""Seconds before each further attempt; an attempt that brought bytes starts them anew."""
_TIMEOUT = (15.0, 60.0)
_BLOCK = 1 << 20
_HOPS = 8


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it is downloaded.

    Attributes:
        sha256: its sum, or empty.
        origin: who says so: `published` or `recorded at the first fetch`.
        bytes: its size, or None.
        blob: git's sha1 of it as a blob, which the hub publishes of small files; or empty.
    """

    sha256: str = ""
    origin: str = "published"
    bytes: int | None = None
    blob: str = ""


class UnreachableError(UserError):
    """The server did not answer at all: there is no network, or not to there."""


class _BrokenOffError(Exception):
    """The connection ended before the file did; the next attempt goes on from there."""


class _DownloadState(msgspec.Struct, frozen=True):
    """What a part of a file is a part of: `validator` is the server's own name for that version."""

    url: str
    validator: str


class _Part:
    """The temporary file, which the next attempt and the next process go on with."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._state = target.with_name(f".{target.name}.part.json")
        self._url = url
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError, msgspec.DecodeError):
            state = msgspec.json.decode(self._state.read_bytes(), type=_DownloadState)
            self.validator = state.validator if state.url == url else ""
            return
        self.validator = ""

    @property
    def size(self) -> int:
        """Bytes that can be gone on from: none when the server could not tell whether its file is still the same."""
        return self.path.stat().st_size if self.validator and self.path.is_file() else 0

    def begin(self, validator: str) -> None:
        """Start anew."""
        self.path.write_bytes(b"")
        self.validator = validator
        write_json(self._state, _DownloadState(self._url, validator))

    def remove(self) -> None:
        """Forget it."""
        self.validator = ""
        for path in (self.path, self._state):
            path.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Give it its name."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(target)
        self._state.unlink(missing_ok=True)


def download(session: "Session", url: str, target: Path, expected: Expected) -> FileDigest:
    """Download a file, unless nothing of it is missing; it gets its name when it is whole and verified.

    Args:
        session: of requests.
        url: where it is; may redirect, but not from https to http.
        target: where it goes.
        expected: what is known of it.

    Returns:
        its sum and size.

    Raises:
        UnreachableError: the server did not answer.
        UserError: the server refuses, serves a page or another file, keeps breaking off, or the disk is full.
    """
    part = _Part(target, url)
    with _disk(target):
        _insist(session, url, part, expected)
        found = FileDigest(sha256_of(part.path), part.path.stat().st_size)
        fault = _fault(part.path, found, expected)
        if fault:
            part.remove()
            raise UserError(f"{url} served another file: {fault}; nothing was kept, so look for the right address.")
        part.publish(target)
    return found


@contextmanager
def _disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"Cannot write {target}: {error.strerror or error}; what is there already is kept.") from error


def _insist(session: "Session", url: str, part: _Part, expected: Expected) -> None:
    """Go on until the file is whole; give up after several attempts that brought nothing."""
    pauses = iter(_PAUSES)
    while True:
        before = part.size
        try:
            return _attempt(session, url, part, expected)
        except _BrokenOffError as error:
            if part.size > before:
                pauses = iter(_PAUSES)
            pause = next(pauses, None)
            if pause is None:
                raise _given_up(url, part, error) from error
            log(f"{urlsplit(url).hostname}: {error}; trying again from byte {part.size:,}")
            time.sleep(pause)


def _given_up(url: str, part: _Part, error: Exception) -> UserError:
    if part.path.is_file():
        return UserError(f"{url} keeps breaking off ({error}): fetch again later, it goes on from there.")
    return UnreachableError(f"{urlsplit(url).hostname} does not answer ({error})")


def _attempt(session: "Session", url: str, part: _Part, expected: Expected) -> None:
    import requests
    import urllib3

    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    try:
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            _check(response, url, part)
            _receive(response, part, _announced(response, part, expected))
    except requests.TooManyRedirects as error:
        raise UserError(f"{url} redirects without end: look for the right address.") from error
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ) as error:
        raise UserError(f"{url} leads to an address that is none ({error}): correct it.") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _BrokenOffError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Say in a few words what is wrong with the network; urllib3 nests its reasons."""
    inner = error
    while inner.args and isinstance(inner.args[0], Exception):
        inner = inner.args[0]
    return type(getattr(inner, "reason", None) or inner).__name__


def _check(response: "Response", url: str, part: _Part) -> None:
    """Refuse an answer that is no file; leave the part as it is or begin it anew."""
    hops = [urlsplit(one.url).scheme for one in (*response.history, response)]
    if hops[0] == "https" and set(hops) != {"https"}:
        raise UserError(f"{url} redirects to the unencrypted {response.url}: look for the right address.")
    code = response.status_code
    if code == 416:
        part.remove()
        raise _BrokenOffError("the server has fewer bytes than were kept")
    if code in {429, 500, 502, 503, 504}:
        raise _BrokenOffError(f"the server answers {code}")
    if code in {401, 403}:
        raise UserError(f"{url} is refused ({code}): it may ask for a log-in or an agreement, so download it by hand.")
    if code not in {200, 206}:
        raise UserError(f"{url} is not there (the server answers {code}): look for the right address.")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise UserError(f"{url} answers with a page instead of a file: open it in a browser and download it by hand.")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UserError(f"{url} sends the file compressed though it was asked not to: download it by hand.")


def _announced(response: "Response", part: _Part, expected: Expected) -> int | None:
    """Return the size of the whole file as the server announces it; the part is then ready to be written on.

    Raises:
        UserError: that is not the published size, or too large for the disk.
    """
    start, total = 0, _number(response.headers.get("Content-Length"))
    if response.status_code == 206:
        first, _, whole = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start, total = _number(first.partition("-")[0]) or 0, _number(whole)
        if start != part.size:
            part.remove()
            raise _BrokenOffError("the server goes on from another byte than asked")
    else:
        part.begin(response.headers.get("ETag") or response.headers.get("Last-Modified") or "")
    if expected.bytes is not None and total not in {None, expected.bytes}:
        raise UserError(
            f"{response.url} announces {total:,} bytes where {expected.bytes:,} are published: look for the right file."
        )
    free = shutil.disk_usage(part.path.parent).free
    if total is not None and total - start > free:
        raise UserError(f"{part.path.parent} has {free:,} bytes left, but {total - start:,} are needed: free some.")
    return total


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _receive(response: "Response", part: _Part, total: int | None) -> None:
    size = part.path.stat().st_size
    with part.path.open("ab") as out:
        for block in response.raw.stream(_BLOCK, decode_content=False):
            size += len(block)
            if size > (total or LARGEST):
                raise UserError(f"{response.url} sends more than the {total or LARGEST:,} bytes that it may have.")
            out.write(block)
    if total is not None and size < total:
        raise _BrokenOffError(f"{size:,} of {total:,} bytes came")


def _fault(path: Path, found: FileDigest, expected: Expected) -> str:
    """Say in which way a file is not the expected one; nothing when it is."""
    if expected.bytes is not None and found.bytes != expected.bytes:
        return f"it has {found.bytes:,} bytes where {expected.bytes:,} are {expected.origin}"
    if expected.sha256 and found.sha256 != expected.sha256:
        return f"its sha256 is {found.sha256}, where {expected.sha256} is {expected.origin}"
    if expected.blob and (blob := git_blob(path)) != expected.blob:
        return f"as a git blob it is {blob}, where {expected.blob} is {expected.origin}"
    return ""


def git_blob(path: Path) -> str:
    """Return the name that git gives to a file's content: sha1 over a header and the bytes."""
    total = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def new_session() -> "Session":
    """Return a session that follows a few redirects and names itself."""
    import requests

    session = requests.Session()
    session.max_redirects = _HOPS
    session.headers["User-Agent"] = "stcompress"
    return session
