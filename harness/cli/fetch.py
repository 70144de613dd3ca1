"""`harness fetch`: download data, models and checkpoints, and check them."""

import click

from harness.cli.options import json_option
from harness.core.errors import UserError
from harness.core.files import canonical_json
from harness.core.progress import log
from harness.core.workdir import WorkDir, open_workdir
from harness.fetch import Fetched, fetch
from harness.fetch.sources import DownloadSource, all_sources, load_source


@click.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--workdir", default=None, help="Folder for sums and archives [default: work, or $HARNESS_WORKDIR].")
@json_option
def fetch_command(names: tuple[str, ...], workdir: str | None, as_json: bool) -> None:
    """Download the sources NAMES, each a name or a .toml file; without NAMES, list what there is.

    What is there already is verified; what broke off goes on; sums that are not published are recorded at the first
    fetch and enforced from then on.
    """
    if not names:
        sources = all_sources()
        print(canonical_json(sources).decode() if as_json else "\n".join(map(_line, sources)))
        return
    sources = [load_source(name) for name in names]
    found, failures = _fetch_all(sources, open_workdir(workdir))
    print(canonical_json(found).decode() if as_json else "\n".join(map(_report, found)))
    if failures:
        raise UserError(" ".join(failures))


def _fetch_all(sources: list[DownloadSource], workdir: WorkDir) -> tuple[list[Fetched], list[str]]:
    """Fetch one after the other; what stops one of several does not stop the others."""
    found, failures = [], []
    for source in sources:
        try:
            found.append(fetch(source, workdir))
        except UserError as error:
            failures.append(str(error))
            if len(sources) > 1:
                log(f"{source.name}: {error}")
    return found, failures


def _line(source: DownloadSource) -> str:
    return f"{source.name:<24} {source.title} [{source.licence}] -> {source.target}"


def _report(fetched: Fetched) -> str:
    head = f"{fetched.path}" + (f" at revision {fetched.revision}" if fetched.revision else "")
    rows = [f"  {found.sha256}  {found.bytes:>14,}  {path}" for path, found in sorted(fetched.files.items())]
    return "\n".join([head, *rows])
