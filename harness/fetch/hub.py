"""The Hugging Face hub: the files of a model's revision, and the checksums that the hub publishes of them.

huggingface_hub lists the files; `harness.fetch.download` brings them, as it does all others. Its own downloads do not
compare the checksum: a file with a wrong byte, or an error page, is put in place. A connection that breaks in the
middle is not resumed in the same run, and a server that sends more than it announced fills the disk.
"""

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from harness.core.archives.archive_members import is_unsafe
from harness.core.errors import UserError
from harness.fetch.download import Expected, UnreachableError
from harness.fetch.sources import Hub

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling


class HubListing(msgspec.Struct, frozen=True):
    """The commit of a revision, and what the hub publishes of each file that is included, by path."""

    revision: str
    files: dict[str, Expected]


def endpoint() -> str:
    """Return the hub's address; HF_ENDPOINT names a mirror, as for the hub's own programs."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def page(hub: Hub, revision: str) -> str:
    """Return the address of the web page that lists the files."""
    return f"{endpoint()}/{hub.repository}/tree/{revision or 'main'}"


def address(hub: Hub, revision: str, path: str) -> str:
    """Return the address of a file of a revision."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(hub.repository, path, revision=revision, endpoint=endpoint())


def list_files(hub: Hub) -> HubListing:
    """Return the files of the revision that a source names, or of the newest one.

    Raises:
        UnreachableError: the hub does not answer.
        UserError: the hub refuses or sends an invalid answer, a path is not plain, or no file is included.
    """
    info = _model_info(hub)
    try:
        found = {file.rfilename: _expected(file) for file in info.siblings or [] if _included(hub, file.rfilename)}
    except (KeyError, TypeError, AttributeError) as error:
        raise _invalid(hub, error) from error
    if (unsafe := next(filter(is_unsafe, found), None)) is not None:
        raise UserError(f"{hub.repository} lists the file {unsafe!r:.80}, which is not a plain path: do not use it.")
    if not found:
        raise UserError(f"{hub.repository} has no file like {', '.join(hub.include)}: correct the source's `include`.")
    if not isinstance(info.sha, str):
        raise _invalid(hub, TypeError("no commit"))
    return HubListing(hub.revision or info.sha, found)


def _model_info(hub: Hub) -> "ModelInfo":
    import requests
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        # Without token=False the library would send the user's credentials to whatever HF_ENDPOINT names.
        return HfApi(endpoint=endpoint(), token=False).model_info(
            hub.repository, revision=hub.revision or "main", files_metadata=True, timeout=60.0
        )
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else "an error"
        where = page(hub, hub.revision)
        raise UserError(f"{where} is refused (the hub answers {code}): check repository and revision.") from error
    except HFValidationError as error:
        raise UserError(f"{hub.repository!r:.80} is not a repository's name: correct the source.") from error
    except requests.JSONDecodeError as error:
        raise _invalid(hub, error) from error
    except (requests.RequestException, OfflineModeIsEnabled) as error:
        raise UnreachableError(f"{endpoint()} does not answer ({type(error).__name__})") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _invalid(hub, error) from error


def _invalid(hub: Hub, error: Exception) -> UserError:
    return UserError(
        f"{endpoint()} answers about {hub.repository} with something else than a list of files ({error!r:.80}): check "
        "that HF_ENDPOINT names a hub."
    )


def _included(hub: Hub, path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in hub.include)


def _expected(file: "RepoSibling") -> Expected:
    if file.lfs is not None:
        return Expected(sha256=file.lfs.sha256, bytes=file.lfs.size)
    return Expected(blob=file.blob_id or "", bytes=file.size)
