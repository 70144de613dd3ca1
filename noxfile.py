"""The project's jobs. `nox` without arguments runs the main job: build every system, evaluate, rank, pack.

All jobs share one environment, .nox/shared, which is installed again when pyproject.toml, constraints.txt or the Python
version has changed. Arguments after `--` go to `harness run`, e.g. `nox -- --task iwslt2026-4gb`.
"""

import hashlib
import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
SHARED = ROOT / ".nox" / "shared"
MAIN = "awq,comet,resegment,silero"
DEVELOPMENT = "awq,comet,finetune,resegment,silero,test,dev"
EXECUTABLES = SHARED / "bin"


def stamp(extras: str) -> str:
    """Return a checksum of everything that determines the contents of an environment."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    parts += [extras.encode(), sys.version.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def prepare(session: nox.Session, extras: str = "") -> None:
    """Create the shared environment where needed and install the project with these extras, once."""
    mark = SHARED / f"installed-{extras.replace(',', '-') or 'base'}"
    if mark.is_file() and mark.read_text() == stamp(extras):
        return
    if not (EXECUTABLES / "python").exists():
        session.run(sys.executable, "-m", "venv", str(SHARED), external=True)
    target = f"-e.[{extras}]" if extras else "-e."
    pip = (str(EXECUTABLES / "python"), "-m", "pip", "--disable-pip-version-check")
    session.run(*pip, "install", "-q", "-c", "constraints.txt", target, external=True)
    mark.write_text(stamp(extras))


def tool(session: nox.Session, name: str, *arguments: str) -> None:
    """Run a program of the shared environment."""
    session.run(str(EXECUTABLES / name), *arguments, external=True, env={"PYTHONUNBUFFERED": "1"})


def stage(session: nox.Session, name: str) -> None:
    """Run one stage of the main job; the demo unless the arguments name another task."""
    prepare(session, MAIN)
    demo = ["--task", "demo", "--jobs", str(os.cpu_count() or 1)]
    arguments = session.posargs if "--task" in session.posargs else [*demo, *session.posargs]
    tool(session, "harness", "run", "--stage", name, *arguments)


@nox.session(name="build-all", venv_backend="none")
def build_all(session: nox.Session) -> None:
    """Build every registered system and compare its size with the limit."""
    stage(session, "build")


@nox.session(venv_backend="none")
def evaluate(session: nox.Session) -> None:
    """Translate the test sets with every artifact, and score the translations."""
    stage(session, "evaluate")


@nox.session(venv_backend="none")
def leaderboard(session: nox.Session) -> None:
    """Rank the evaluated systems on the quality-size frontier."""
    stage(session, "leaderboard")


@nox.session(venv_backend="none")
def package(session: nox.Session) -> None:
    """Pack the submission archives and check them."""
    stage(session, "package")


@nox.session(venv_backend="none", default=False)
def tests(session: nox.Session) -> None:
    """Run the tests; on every core unless the arguments set the number of processes."""
    prepare(session, DEVELOPMENT)
    workers = [] if any(a.startswith(("-n", "--numprocesses")) for a in session.posargs) else ["-n", "auto"]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tool(session, "python", "-m", "pytest", *workers, *session.posargs)


@nox.session(venv_backend="none", default=False)
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff, and the layers of the packages with import-linter."""
    prepare(session, DEVELOPMENT)
    tool(session, "ruff", "check", ".")
    tool(session, "ruff", "format", "--check", ".")
    tool(session, "lint-imports")


@nox.session(venv_backend="none", default=False)
def types(session: nox.Session) -> None:
    """Check types with mypy, strict."""
    prepare(session, DEVELOPMENT)
    tool(session, "mypy")


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Measure speeds as ratios within one run; results go to benchmarks/results/."""
    prepare(session, DEVELOPMENT)
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        tool(session, "python", str(script), *session.posargs)
