"""Errors that a user can correct, as one sentence each. Any other exception is a bug and keeps its traceback."""


class UserError(Exception):
    """A mistake that the user can correct: one sentence that ends with what to do next.

    The command line prints the sentence to stderr and exits with code 2.
    """

    exit_code = 2


class _ArgumentsError(UserError):
    """An error that is pickled with the arguments of its `__init__` instead of the sentence that is made of them."""

    def __init__(self, sentence: str, *arguments: object) -> None:
        self._arguments = arguments
        super().__init__(sentence)

    def __reduce__(self) -> tuple[type["_ArgumentsError"], tuple[object, ...]]:
        return type(self), self._arguments


class MissingExtraError(_ArgumentsError):
    """A system needs an optional library that is not installed."""

    def __init__(self, purpose: str, library: str, extra: str) -> None:
        advice = f"install it with `pip install 'stcompress[{extra}]' -c constraints.txt`"
        sentence = f"{purpose} needs {library}, which cannot be imported here: {advice}."
        super().__init__(sentence, purpose, library, extra)


class NewerFormatError(_ArgumentsError):
    """A file was written by a newer version of the harness."""

    def __init__(self, what: str, found: int, known: int) -> None:
        reason = f"{what} has format version {found}, but this version of the harness knows only up to {known}"
        super().__init__(f"{reason}: upgrade the harness to read it.", what, found, known)


def check_format(what: str, found: object, known: int) -> None:
    """Refuse a file, named `what` in the error, whose `format_version` is not one of 1 to `known`.

    Raises:
        NewerFormatError: the file is newer than the caller.
        UserError: the version is not a positive whole number.
    """
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UserError(f"{what} states no valid format_version (found {found!r}): it was not written by this harness.")
    if found > known:
        raise NewerFormatError(what, found, known)
