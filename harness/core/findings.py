"""Findings: the results of checks."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """Severity of a finding: an error makes the check fail, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True):
    """One result of a check: the file or archive member, the rule (e.g. `line-count`), and what is wrong and to do."""

    path: str
    rule: str
    sentence: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.sentence} [{self.rule}]"


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 1 when any finding is an error, else 0."""
    return int(any(finding.severity is Severity.ERROR for finding in findings))
