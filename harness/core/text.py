"""Text as lines."""


def one_line(text: str) -> str:
    """Return a text as one line: every line break that any reader may see becomes a space, byte order marks go."""
    return " ".join(text.replace("\ufeff", "").splitlines()).strip()
