"""harness.fetch.download: against a server that interrupts, lies, redirects and serves something else."""

import hashlib
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.core.errors import UserError
from harness.fetch import download as module
from harness.fetch.download import Expected, UnreachableError, download, git_blob, new_session
from tests.helpers.bad_server import Answer, Handler, Site, broken_off, in_turn, running_site, whole

DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as found:
        yield found


def get(url: str, target: Path, **expected: object) -> str:
    """Download with a session of its own, and return the sum."""
    with new_session() as session:
        return download(session, url, target, Expected(**expected)).sha256  # type: ignore[arg-type]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_whole(site: Site, tmp_path: Path) -> None:
    """Forbids other bytes than the server's, and temporary files that stay."""
    url = site.serve("/a", whole(DATA))
    assert get(url, tmp_path / "deep" / "a.bin", sha256=SHA, bytes=len(DATA)) == SHA
    assert (tmp_path / "deep" / "a.bin").read_bytes() == DATA
    assert left(tmp_path / "deep") == ["a.bin"]


def test_an_interrupted_download_continues_by_range(site: Site, tmp_path: Path) -> None:
    """Forbids starting again where the server can continue, and a file with wrong bytes at the border."""
    url = site.serve("/a", broken_off(DATA, 300_000))
    assert get(url, tmp_path / "a", sha256=SHA) == SHA
    assert [asked for _, asked in site.asked] == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_another_process_continues_after_a_kill(site: Site, tmp_path: Path) -> None:
    """Forbids that a kill loses received bytes, and a final name for an incomplete file."""
    url = site.serve("/a", in_turn(broken_off(DATA, 300_000), lambda h: h.send(500, b"")))
    with pytest.raises(UserError, match=r"was interrupted repeatedly .* the download is resumed"):
        get(url, tmp_path / "a")
    assert left(tmp_path) == [".a.part", ".a.part.json"]
    site.serve("/a", whole(DATA))
    assert get(url, tmp_path / "a") == SHA
    assert site.asked[-1] == ("/a", "bytes=300000-")


def test_a_file_that_changed_meanwhile_is_downloaded_from_the_start(site: Site, tmp_path: Path) -> None:
    """Forbids a file whose beginning is of one version and whose end is of another."""
    other = DATA[::-1]
    url = site.serve("/a", in_turn(broken_off(DATA, 300_000), whole(other, etag='"v2"')))
    assert get(url, tmp_path / "a") == hashlib.sha256(other).hexdigest()


def test_a_server_that_names_no_version_is_asked_from_the_beginning(site: Site, tmp_path: Path) -> None:
    """Forbids joining two parts without evidence that they are of one version."""
    url = site.serve("/a", in_turn(broken_off(DATA, 300_000, etag=""), whole(DATA)))
    assert get(url, tmp_path / "a") == SHA
    assert [asked for _, asked in site.asked] == ["", ""]


def test_a_server_that_ignores_ranges_is_understood(site: Site, tmp_path: Path) -> None:
    """Forbids appending a whole file to a part of it."""
    url = site.serve("/a", in_turn(broken_off(DATA, 300_000), lambda h: h.send(200, DATA, ETag='"v1"')))
    assert get(url, tmp_path / "a") == SHA
    assert site.asked[-1] == ("/a", "bytes=300000-")


def _range(start: int) -> Answer:
    span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    return lambda h: h.send(206, DATA[start:], ETag='"v1"', Content_Range=span)


@pytest.mark.parametrize("second", [_range(5), lambda h: h.send(416, b"")])
def test_a_range_that_was_not_asked_for_is_not_taken(second: Answer, site: Site, tmp_path: Path) -> None:
    """Forbids a file with bytes missing or repeated at the border, and that a 416 ends the download."""
    url = site.serve("/a", in_turn(broken_off(DATA, 300_000), second, whole(DATA)))
    assert get(url, tmp_path / "a") == SHA


def _redirect(to: str) -> Answer:
    return lambda h: h.send(302, b"", Location=to)


WRONG: dict[str, tuple[Answer, dict[str, object], str]] = {
    "another file": (whole(b"x" * len(DATA)), {"sha256": SHA}, f"where {SHA} is published. Nothing was kept"),
    "another file of the hub": (whole(b"x"), {"blob": "0" * 40}, "as a git blob it is"),
    "another size": (
        whole(DATA[:-1]),
        {"bytes": len(DATA)},
        r"announces 1,023,999 bytes where 1,024,000 are published",
    ),
    "a longer file": (
        lambda h: h.send(200, DATA, length=10, close=True),
        {"sha256": SHA},
        f"where {SHA} is published",
    ),
    "a length that never comes": (
        lambda h: h.send(200, b"abc", length=99, close=True),
        {},
        "was interrupted repeatedly",
    ),
    "no such file": (lambda h: h.send(404, b"<html>"), {}, r"is not found \(the server answers 404\)"),
    "a log-in": (lambda h: h.send(403, b""), {}, r"is refused \(403\): it may require a log-in"),
    "a page": (
        lambda h: h.send(200, b"<html>", Content_Type="text/html; charset=utf-8"),
        {},
        "answers with a page instead of a file",
    ),
    "a compressed file": (
        lambda h: h.send(200, DATA, Content_Encoding="gzip"),
        {},
        "sends the file compressed",
    ),
    "a circle": (_redirect("/a"), {}, "redirects endlessly"),
    "a file of this machine": (_redirect("file:///etc/passwd"), {}, "leads to an invalid address"),
    "a server that is down": (lambda h: h.send(503, b""), {}, "does not answer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_the_file_is_refused_in_one_sentence(case: str, site: Site, tmp_path: Path) -> None:
    """Forbids a traceback, a wrong file under the final name, and one that the next attempt would continue."""
    answer, expected, sentence = WRONG[case]
    with pytest.raises(UserError, match=sentence) as caught:
        get(site.serve("/a", answer), tmp_path / "a", **expected)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()
    if expected:
        assert not (tmp_path / ".a.part").exists() or not (tmp_path / ".a.part").stat().st_size


def test_more_than_announced_is_stopped(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a server which names no length fills the disk."""

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(DATA * 4)
        handler.close_connection = True

    monkeypatch.setattr(module, "LARGEST", 2_000_000)
    with pytest.raises(UserError, match="sends more than the 2,000,000 bytes allowed"):
        get(site.serve("/a", endless), tmp_path / "a")


def test_redirects_are_followed(site: Site, tmp_path: Path) -> None:
    """Forbids that a mirror's redirect is taken for the file, and that the range gets lost on the way."""
    site.serve("/there", in_turn(broken_off(DATA, 300_000), whole(DATA)))
    assert get(site.serve("/a", _redirect("/there")), tmp_path / "a", sha256=SHA) == SHA
    assert site.asked[-1] == ("/there", "bytes=300000-")


def _at(url: str) -> requests.Response:
    response = requests.Response()
    response.url = url
    return response


@pytest.mark.parametrize("hops", [("https", "http"), ("https", "http", "https")])
def test_https_may_not_become_http(hops: tuple[str, ...], site: Site, tmp_path: Path) -> None:
    """Forbids that an encrypted address hands over to an unencrypted one, at the end or in between."""
    url = site.serve("/a", whole(DATA))
    with new_session() as session:
        real = session.get

        def redirected(*arguments: Any, **options: Any) -> Any:
            response = real(*arguments, **options)
            response.url = f"{hops[-1]}://example.org/{len(hops)}"
            response.history[:] = [_at(f"{scheme}://example.org") for scheme in hops[:-1]]
            return response

        session.get = redirected  # type: ignore[method-assign]
        with pytest.raises(UserError, match="redirects to the unencrypted"):
            download(session, url, tmp_path / "a", Expected())
    assert not (tmp_path / "a").exists()


def test_a_full_disk_is_reported_before(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids filling the disk before the error."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(UserError, match="has 1,000 bytes left, but 1,024,000 are needed"):
        get(site.serve("/a", whole(DATA)), tmp_path / "a")


def test_no_network_is_an_error_of_its_own(tmp_path: Path) -> None:
    """Forbids a traceback of the network library where no server answers."""
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 does not answer"):
        get("http://127.0.0.1:9/a", tmp_path / "a")


def test_the_blob_is_gits_own(tmp_path: Path) -> None:
    """Forbids another sum than git's: `printf 'hello\\n' | git hash-object --stdin` says ce0136...4a."""
    (tmp_path / "a").write_bytes(b"hello\n")
    assert git_blob(tmp_path / "a") == "ce013625030ba8dba906f756967f9e9ca394464a"
