"""`harness fetch`: download and verify data, models and checkpoints."""

import click

from harness.cli.options import Output, json_option
from harness.core.errors import UserError
from harness.core.progress import log
from harness.core.workdir import WorkDir, open_workdir
from harness.fetch import Fetched, fetch
from harness.fetch.sources import DownloadSource, all_sources, load_source


@click.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--workdir", default=None, help="Folder for checksums and archives [default: work, or $HARNESS_WORKDIR].")
@json_option
def fetch_command(names: tuple[str, ...], workdir: str | None) -> Output:
    """Download the sources NAMES, each a name or a .toml file; without NAMES, list all sources.

    Files that are present are verified, and interrupted downloads continue. A checksum that is not published is
    recorded at the first download and enforced from then on.
    """
    if not names:
        sources = all_sources()
        lines = [f"{each.name:<24} {each.title} [{each.licence}] -> {each.target}" for each in sources]
        return Output(sources, "\n".join(lines))
    found, failures = _fetch_all([load_source(name) for name in names], open_workdir(workdir))
    if not found:
        raise UserError(" ".join(failures))
    return Output(found, "\n".join(map(_report, found)), exit_code=UserError.exit_code if failures else 0)


def _fetch_all(sources: list[DownloadSource], workdir: WorkDir) -> tuple[list[Fetched], list[str]]:
    """Fetch one source after another, and return what was fetched and why the others failed."""
    found, failures = [], []
    for source in sources:
        try:
            found.append(fetch(source, workdir))
        except UserError as error:
            failures.append(str(error))
            if len(sources) > 1:
                log(f"{source.name}: {error}")
    return found, failures


def _report(fetched: Fetched) -> str:
    head = f"{fetched.path}" + (f" at revision {fetched.revision}" if fetched.revision else "")
    rows = [f"  {found.sha256}  {found.bytes:>14,}  {path}" for path, found in sorted(fetched.files.items())]
    return "\n".join([head, *rows])
