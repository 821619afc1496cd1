"""Build the libraries of some levels: `python -m building --levels native|all|<level>... --output FOLDER`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from building.levels import FEATURES, levels_here, native_level

ROOT = Path(__file__).parent.parent
IN_PLACE = ROOT / "fastmlp" / "compiled" / "libraries"


def main() -> None:
    """Build each level in a process of its own, because Numba compiles for one processor in a process."""
    parser = argparse.ArgumentParser(prog="building", description=__doc__)
    parser.add_argument("--levels", nargs="+", default=["native"], choices=["native", "all", *FEATURES])
    parser.add_argument("--output", type=Path, default=IN_PLACE, help="folder of the libraries; default: in place")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    from building.library import build_level, environment

    arguments.output.mkdir(parents=True, exist_ok=True)
    for level in _levels(arguments.levels):
        if arguments.in_this_process:
            build_level(level, arguments.output, arguments.processes)
            continue
        options = ["--output", arguments.output, "--processes", arguments.processes, "--in-this-process"]
        command = [sys.executable, "-m", "building", "--levels", level, *map(str, options)]
        subprocess.run(command, cwd=ROOT, env=environment(level), check=True)


def _levels(names: list[str]) -> list[str]:
    levels = levels_here() if names == ["all"] else [native_level()] if names == ["native"] else names
    if levels in ([], [None]):
        sys.exit("there is no level for this processor: kernels will be compiled at first use")
    return levels  # type: ignore[return-value]


if __name__ == "__main__":
    main()
