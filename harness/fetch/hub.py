"""The Hugging Face hub: which files a revision has, and the sums that the hub publishes of them."""

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from harness.core.archives.archive_members import is_unsafe
from harness.core.errors import UserError
from harness.fetch.download import Expected, UnreachableError
from harness.fetch.sources import Hub

if TYPE_CHECKING:
    from requests import Session

T = TypeVar("T")
_ANSWER_LIMIT = 16 << 20
_PAGES = 50
_TIMEOUT = (15.0, 60.0)


class _Lfs(msgspec.Struct, frozen=True):
    oid: str
    size: int


class _Entry(msgspec.Struct, frozen=True):
    """A file or folder; of large files, `lfs` holds the sha256."""

    type: str
    path: str
    oid: str = ""
    size: int = 0
    lfs: _Lfs | None = None


class _Revision(msgspec.Struct, frozen=True):
    sha: str


def endpoint() -> str:
    """Return the hub's address; HF_ENDPOINT names a mirror, as for the hub's own programs."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def page(hub: Hub, revision: str) -> str:
    """Return the address at which a person finds the files."""
    return f"{endpoint()}/{hub.repository}/tree/{revision or 'main'}"


def newest(session: "Session", hub: Hub) -> str:
    """Return the commit that `main` stands for now.

    Raises:
        UserError: the hub does not answer, or not as it should.
    """
    url = f"{endpoint()}/api/models/{hub.repository}/revision/main"
    body, _ = _ask(session, url)
    return _decoded(url, body, _Revision).sha


def listing(session: "Session", hub: Hub, revision: str) -> dict[str, Expected]:
    """Return the files of a revision that are wanted, and what the hub publishes of each.

    Raises:
        UserError: the hub does not answer, or not as it should; a pattern fits no file; a file's path is not plain.
    """
    url = f"{endpoint()}/api/models/{hub.repository}/tree/{quote(revision)}?recursive=true"
    entries: list[_Entry] = []
    for _ in range(_PAGES):
        body, following = _ask(session, url)
        entries += _decoded(url, body, list[_Entry])
        if not following:
            break
        url = following
    files = {entry.path: _expected(entry) for entry in entries if entry.type == "file" and _wanted(hub, entry.path)}
    strange = next(filter(is_unsafe, files), None)
    if strange is not None:
        raise UserError(f"{hub.repository} lists the file {strange!r:.80}, which is no plain path: do not use it.")
    if not files:
        raise UserError(f"{hub.repository} has no file like {', '.join(hub.include)}: correct the source's `include`.")
    return files


def address(hub: Hub, revision: str, path: str) -> str:
    """Return where a file of a revision is."""
    return f"{endpoint()}/{hub.repository}/resolve/{quote(revision)}/{quote(path)}"


def _wanted(hub: Hub, path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in hub.include)


def _expected(entry: _Entry) -> Expected:
    if entry.lfs is not None:
        return Expected(sha256=entry.lfs.oid.removeprefix("sha256:"), bytes=entry.lfs.size)
    return Expected(blob=entry.oid, bytes=entry.size)


def _ask(session: "Session", url: str) -> tuple[bytes, str]:
    """Return an answer's body and the address of its next page."""
    import requests

    try:
        with session.get(url, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code != 200:
                raise UserError(
                    f"{url} is refused (the hub answers {response.status_code}): check repository and revision."
                )
            body = response.raw.read(_ANSWER_LIMIT + 1, decode_content=True)
            following = response.links.get("next", {}).get("url", "")
    except requests.RequestException as error:
        raise UnreachableError(f"{urlsplit(url).hostname} does not answer ({type(error).__name__})") from error
    if len(body) > _ANSWER_LIMIT:
        raise UserError(f"{url} answers with over {_ANSWER_LIMIT:,} bytes: is that a model hub?")
    return body, following


def _decoded(url: str, body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UserError(f"{url} answers with something else than a list of files ({error}).") from error
