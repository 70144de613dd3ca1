"""Text as lines."""


def one_line(text: str) -> str:
    """Return a text as one line: every Unicode line break becomes a space, and byte order marks are removed."""
    return " ".join(text.replace("\ufeff", "").splitlines()).strip()
