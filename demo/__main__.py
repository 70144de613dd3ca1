"""Command line: ``python -m demo all --work DIR --out data/demo``."""

import argparse
from pathlib import Path

from demo.steps import STEPS


def main() -> None:
    """Run one step, or all of them in order."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("step", choices=["all", *STEPS], help="what to make")
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--out", type=Path, default=Path("data/demo"), help="folder of the demo, as committed")
    options = parser.parse_args()
    for name in STEPS if options.step == "all" else [options.step]:
        print(f"== {name}", flush=True)
        STEPS[name](options.work, options.out)


if __name__ == "__main__":
    main()
