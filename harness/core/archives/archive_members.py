"""Members of untrusted archives: their names, and reasons why one must not be read."""

import re
import stat
import zipfile
from collections.abc import Iterator

from harness.core.findings import Finding


def shown(name: str) -> str:
    """Return a member's name for display: control characters escaped, at most 200 characters."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name[:200])


def raw_name(info: zipfile.ZipInfo) -> str:
    """Return the name as it is stored; zipfile's own `filename` ends at the first NUL."""
    return info.orig_filename or ""


def member_faults(info: zipfile.ZipInfo) -> Iterator[Finding]:
    """Yield the reasons why a member of a ZIP must not be read: its path, its kind, its compression."""
    name = raw_name(info)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if is_unsafe(name):
        yield Finding(shown(name), "unsafe-path", "The path is absolute, leaves the archive's folder or is malformed.")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        word = "a symbolic link" if kind == stat.S_IFLNK else "a special file"
        yield Finding(shown(name), "link", f"It is {word}: pack plain files only.")
    if info.flag_bits & 1:
        yield Finding(shown(name), "encrypted", "It is encrypted: pack it without a password.")
    elif info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        yield Finding(shown(name), "compression", "It is neither stored nor deflated: pack it with an ordinary zip.")


def is_unsafe(name: str) -> bool:
    """Whether a member's name is absolute, leaves the archive's folder, or is not portable."""
    parts = name.removesuffix("/").split("/")
    odd = "\\" in name or re.match(r"[A-Za-z]:", name) or any(not c.isprintable() for c in name)
    return bool(odd) or any(part in {"", ".", ".."} for part in parts)
