"""harness.fetch: sources as data, checksums that are recorded and enforced, and advice without a network."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core import manifests
from harness.core.errors import UserError
from harness.core.locks import exclusive
from harness.core.workdir import WorkDir
from harness.fetch import download as module
from harness.fetch import fetch
from harness.fetch.download import git_blob
from harness.fetch.sources import DownloadSource, Hub, SourceFile, all_sources, load_source
from tests.helpers.bad_server import Answer, Handler, Site, running_site, whole

COMMIT = "a" * 40
BIG, SMALL = b"weights" * 1000, b'{"a": 1}'


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", ())


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as found:
        yield found


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path / "work")


def plain(site: Site, folder: Path, data: bytes = BIG, sha256: str = "") -> DownloadSource:
    file = SourceFile(url=site.serve("/f", whole(data)), path="sub/f.bin", sha256=sha256)
    return DownloadSource(name="plain", title="t", licence="l", target=str(folder), files=(file,))


def test_an_unknown_sum_is_recorded_and_enforced(site: Site, tmp_path: Path, work: WorkDir) -> None:
    """Forbids that a file without a published sum may change after the first fetch, on disk or on the server."""
    source, path = plain(site, tmp_path / "data"), tmp_path / "data" / "sub" / "f.bin"
    first = fetch(source, work)
    assert first.files["sub/f.bin"].sha256 == hashlib.sha256(BIG).hexdigest()
    assert (first.downloaded, fetch(source, work).downloaded) == (1, 0)
    path.write_bytes(b"edited")
    with pytest.raises(UserError, match=r"is not the file that was recorded at the first fetch .*remove it"):
        fetch(source, work)
    path.unlink()
    site.serve("/f", whole(b"replaced" * 875))
    with pytest.raises(UserError, match=r"where \w{64} is recorded at the first fetch"):
        fetch(source, work)
    assert not path.exists()
    site.serve("/f", whole(BIG))
    assert fetch(source, work).downloaded == 1


def test_what_is_there_needs_no_network(site: Site, tmp_path: Path, work: WorkDir) -> None:
    """Forbids asking the server for files that are complete and verified."""
    source = plain(site, tmp_path / "data")
    fetch(source, work)
    asked = len(site.asked)
    fetch(source, work)
    assert len(site.asked) == asked


def test_a_published_sum_rules(site: Site, tmp_path: Path, work: WorkDir) -> None:
    """Forbids that a file put there by hand is taken for the published one."""
    path = tmp_path / "data" / "sub" / "f.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    with pytest.raises(UserError, match="is not the file that was published"):
        fetch(plain(site, tmp_path / "data", sha256=hashlib.sha256(BIG).hexdigest()), work)


def test_without_a_network_each_file_is_named(tmp_path: Path, work: WorkDir) -> None:
    """Forbids a bare network error: the sentence says what to download and where to put it; then it is taken."""
    files = tuple(SourceFile(url=f"http://127.0.0.1:9/{name}", path=name) for name in ("a", "b"))
    source = DownloadSource(name="off", title="t", licence="l", target=str(tmp_path / "data"), files=files)
    with pytest.raises(UserError, match="by hand") as caught:
        fetch(source, work)
    for name in ("a", "b"):
        assert f"download http://127.0.0.1:9/{name} by hand and put it at {tmp_path / 'data' / name}" in str(
            caught.value
        )
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_text(name)
    assert fetch(source, work).downloaded == 0


def _zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return out.getvalue()


def packed(site: Site, folder: Path, *names: str) -> DownloadSource:
    file = SourceFile(url=site.serve("/z", whole(_zip(*names))), path="z.zip")
    return DownloadSource(name="packed", title="t", licence="l", target=str(folder), files=(file,), unpack="2")


def test_an_archive_is_unpacked_whole_and_only_its_folder(site: Site, tmp_path: Path, work: WorkDir) -> None:
    """Forbids that an archive overwrites files beside its folder, is unpacked twice, or leaves partial files."""
    folder = tmp_path / "data"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "a").write_text("mine")
    source = packed(site, folder, "2/eval/FILE_ORDER", "models/a")
    assert fetch(source, work).path == str(folder / "2")
    assert (folder / "2" / "eval" / "FILE_ORDER").is_file()
    assert (folder / "models" / "a").read_text() == "mine"
    before = (folder / "2").stat().st_mtime_ns
    assert fetch(source, work).downloaded == 0
    assert (folder / "2").stat().st_mtime_ns == before
    assert sorted(path.name for path in folder.iterdir()) == ["2", "models"]


@pytest.mark.parametrize(
    ("names", "sentence"), [(("other/a",), "has no folder '2'"), (("2/../../a",), "not a plain path inside")]
)
def test_an_archive_that_is_not_the_right_one_is_refused(
    names: tuple[str, ...], sentence: str, site: Site, tmp_path: Path, work: WorkDir
) -> None:
    """Forbids that a hostile or wrong archive leaves anything in the data folder."""
    with pytest.raises(UserError, match=sentence):
        fetch(packed(site, tmp_path / "data", *names), work)
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())
    assert not (tmp_path / "a").exists()


def test_what_was_unpacked_by_hand_is_left_alone(tmp_path: Path, work: WorkDir) -> None:
    """Forbids downloading gigabytes that the user has, or replacing them."""
    (tmp_path / "data" / "2").mkdir(parents=True)
    file = SourceFile(url="http://127.0.0.1:9/z", path="z.zip")
    source = DownloadSource(name="z", title="t", licence="l", target=str(tmp_path / "data"), files=(file,), unpack="2")
    assert fetch(source, work).downloaded == 0


API = "/api/models/org/model/revision"


def _hub(
    site: Site, entries: list[dict[str, object]], files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serve a repository as the hub does: the newest commit with its files' checksums, and the files."""
    monkeypatch.setenv("HF_ENDPOINT", site.address)
    answer = json.dumps({"sha": COMMIT, "id": "org/model", "siblings": entries}).encode()
    for revision in ("main", COMMIT):
        site.serve(f"{API}/{revision}?blobs=True", lambda h: h.send(200, answer))
    for path, data in files.items():
        site.serve(f"/org/model/resolve/{COMMIT}/{path}", whole(data))


def _entries(tmp_path: Path) -> list[dict[str, object]]:
    (tmp_path / "small").write_bytes(SMALL)
    lfs = {"sha256": hashlib.sha256(BIG).hexdigest(), "size": len(BIG), "pointerSize": 130}
    return [
        {"rfilename": "checkpoints/model.ckpt", "blobId": "1" * 40, "size": len(BIG), "lfs": lfs},
        {"rfilename": "config.json", "blobId": git_blob(tmp_path / "small"), "size": len(SMALL)},
        {"rfilename": "flax_model.msgpack", "blobId": "2" * 40, "size": 5},
    ]


FILES = {"checkpoints/model.ckpt": BIG, "config.json": SMALL}


def model(folder: Path, revision: str = "") -> DownloadSource:
    hub = Hub(repository="org/model", include=("*.json", "checkpoints/*"), revision=revision)
    return DownloadSource(name="model", title="t", licence="l", target=str(folder), hub=hub)


def test_a_model_is_fetched_by_revision_and_published_checksums(
    site: Site, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids files that are not included, a revision that changes after the first fetch, and asking again."""
    _hub(site, _entries(tmp_path), FILES, monkeypatch)
    found = fetch(model(tmp_path / "data"), work)
    assert (found.revision, found.downloaded, sorted(found.files)) == (COMMIT, 2, sorted(FILES))
    assert (tmp_path / "data" / "checkpoints" / "model.ckpt").read_bytes() == BIG
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch(model(tmp_path / "data"), work).revision == COMMIT


def test_a_revision_is_pinned(site: Site, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids files of another revision than the source names, and the listing of one revision for another."""
    _hub(site, _entries(tmp_path), FILES, monkeypatch)
    fetch(model(tmp_path / "data"), work)
    site.asked.clear()
    assert fetch(model(tmp_path / "other", COMMIT), work).revision == COMMIT
    assert {path for path, _ in site.asked} == {f"/org/model/resolve/{COMMIT}/{path}" for path in FILES}
    site.serve(f"{API}/{'b' * 40}?blobs=True", lambda h: h.send(404, b"{}"))
    with pytest.raises(UserError, match=r"is refused \(the hub answers 404\): check repository and revision"):
        fetch(model(tmp_path / "other", "b" * 40), work)


def test_no_credentials_are_sent(site: Site, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a mirror gets the user's token of the hub."""
    sent: list[str | None] = []
    _hub(site, _entries(tmp_path), FILES, monkeypatch)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    def recording(answer: Answer) -> Answer:
        def record(handler: Handler) -> None:
            sent.append(handler.headers.get("Authorization"))
            answer(handler)

        return record

    for path, answer in list(site.answers.items()):
        site.serve(path, recording(answer))
    fetch(model(tmp_path / "data"), work)
    assert sent == [None] * 3


def test_a_page_instead_of_the_hub_is_refused(
    site: Site, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a traceback where HF_ENDPOINT names a server that is not a hub."""
    monkeypatch.setenv("HF_ENDPOINT", site.address)
    site.serve(f"{API}/main?blobs=True", lambda h: h.send(200, b"<html>", Content_Type="text/html"))
    with pytest.raises(UserError, match=r"something else than a list of files .* check that HF_ENDPOINT names a hub"):
        fetch(model(tmp_path / "data"), work)


def test_two_processes_do_not_fetch_one_source(site: Site, tmp_path: Path, work: WorkDir) -> None:
    """Forbids that two processes write the same partial file."""
    source = plain(site, tmp_path / "data")
    with (
        exclusive(source.folder / source.name, "is fetching it", work.locks),
        pytest.raises(UserError, match="Another process is fetching plain: wait"),
    ):
        fetch(source, work)


@pytest.mark.parametrize("path", FILES)
def test_a_model_file_that_is_not_the_published_one_is_refused(
    path: str, site: Site, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids weights or configurations that differ from the hub's sha256, or git's sum of small files."""
    data = bytearray(FILES[path])
    data[3] ^= 1
    _hub(site, _entries(tmp_path), {**FILES, path: bytes(data)}, monkeypatch)
    with pytest.raises(UserError, match="served another file"):
        fetch(model(tmp_path / "data"), work)
    assert not (tmp_path / "data" / path).exists()


def test_an_interrupted_fetch_is_resumed(
    site: Site, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids downloading the finished files of a model again."""
    _hub(site, _entries(tmp_path), {**FILES, "config.json": b"wrong"}, monkeypatch)
    with pytest.raises(UserError, match="announces 5 bytes where 8 are published"):
        fetch(model(tmp_path / "data"), work)
    site.serve(f"/org/model/resolve/{COMMIT}/config.json", whole(SMALL))
    assert fetch(model(tmp_path / "data"), work).downloaded == 1


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([{"rfilename": "x"}, {"rfilename": "../../a.json"}], "which is not a plain path"),
        ([{"rfilename": "x"}, {"rfilename": "y"}], "has no file like"),
        ([{"type": "file"}, {}], "something else than a list of files"),
        ([{"rfilename": "a.json", "lfs": 1}], "something else than a list of files"),
        ([{"rfilename": 1}], "something else than a list of files"),
    ],
)
def test_a_hub_that_lists_nonsense_is_refused(
    entries: list[dict[str, object]],
    sentence: str,
    site: Site,
    tmp_path: Path,
    work: WorkDir,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forbids that a server's list of files leads out of the folder or to a traceback."""
    _hub(site, entries, {}, monkeypatch)
    with pytest.raises(UserError, match=sentence):
        fetch(model(tmp_path / "data"), work)


def test_without_a_hub_the_page_is_named(tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids a bare network error where not even the list of files is known."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match=r"download \*\.json, checkpoints/\* from http://127\.0\.0\.1:9/org/model/tree/main"
    ):
        fetch(model(tmp_path / "data"), work)


def test_every_shipped_source_reads_and_invents_no_sum() -> None:
    """Forbids a manifest that does not read, and a sum or a revision that nobody has published or measured here."""
    sources = all_sources()
    assert {source.name for source in sources} == set(manifests.names("sources"))
    assert all(file.sha256 == "" for source in sources for file in source.files)
    assert all(source.hub.revision == "" for source in sources if source.hub)
    wanted = {str(source.folder / file.path) for source in sources for file in source.files}
    from harness.config.segmentation import ShasSettings

    assert str(ShasSettings().checkpoint_path) in wanted


@pytest.mark.parametrize(
    "table",
    [
        'files = [{ url = "https://a/b", path = "../b" }]',
        'files = [{ url = "https://a/b", path = "b", sha256 = "abc" }]',
        'files = [{ url = "https://a/b", path = "b" }]\nunpack = "a/b"',
        "",
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(table: str, tmp_path: Path) -> None:
    """Forbids a manifest whose files leave its folder, whose checksums are invalid, or that names no file."""
    path = tmp_path / "s.toml"
    path.write_text(f'format_version = 1\nname = "s"\ntitle = "t"\nlicence = "l"\ntarget = "t"\n{table}\n')
    with pytest.raises(UserError, match=r"s\.toml"):
        load_source(str(path))
