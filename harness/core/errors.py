"""Errors that a user can correct, as one sentence each. Any other exception is a bug and keeps its traceback."""


class UserError(Exception):
    """A mistake that the user can correct: one sentence that ends with what to do next.

    The command line prints the sentence to stderr and exits with code 2.
    """

    exit_code = 2


class MissingExtraError(UserError):
    """A system needs an optional library that is not installed."""

    def __init__(self, purpose: str, library: str, extra: str) -> None:
        self._parts = (purpose, library, extra)
        super().__init__(
            f"{purpose} needs {library}, which cannot be imported here: "
            f"install it with `pip install 'stcompress[{extra}]' -c constraints.txt`."
        )

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str, str]]:
        """Pickle the arguments: by default an exception is pickled with its message, which `__init__` does not take."""
        return type(self), self._parts


class NewerFormatError(UserError):
    """A file was written by a newer version of the harness."""

    def __init__(self, what: str, found: int, known: int) -> None:
        self._parts = (what, found, known)
        super().__init__(
            f"{what} has format version {found}, but this version of the harness knows only up to {known}: "
            "upgrade the harness to read it."
        )

    def __reduce__(self) -> tuple[type["NewerFormatError"], tuple[str, int, int]]:
        """Pickle the arguments: by default an exception is pickled with its message, which `__init__` does not take."""
        return type(self), self._parts


def check_format(what: str, found: object, known: int) -> None:
    """Refuse a file of a newer or unknown format.

    Args:
        what: name of the file in the error, e.g. its path.
        found: the file's `format_version`.
        known: the newest version that the caller can read.

    Raises:
        NewerFormatError: the file is newer than the caller.
        UserError: the version is not a positive whole number.
    """
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UserError(f"{what} states no valid format_version (found {found!r}): it was not written by this harness.")
    if found > known:
        raise NewerFormatError(what, found, known)
