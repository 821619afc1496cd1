"""Keep the history of fastmlp's speed with airspeed velocity.

    python -m benchmarks.history run [REV ...]   measure commits (default HEAD) and keep the results
    python -m benchmarks.history compare BASE    measure BASE and HEAD in turn; fail if a tracked number grew too much
    python -m benchmarks.history publish         write the pages
    python -m benchmarks.history check           run every benchmark once, store no results

Results are kept in benchmarks/results under the name of the processor's family. Only
committed code is measured. asv is imported inside functions, because the environments in which it imports this folder
do not contain asv.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from llvmlite.binding import get_host_cpu_name

ROOT = Path(__file__).parent.parent
COMPARISON = ROOT / ".asv" / "compare"
TRACKED = "track_"
# The ratios of one commit differ by up to 1.5 times from run to run, with the noise of a shared machine. What grew is
# therefore measured again, both commits in turn, and must grow in each try.
THRESHOLD, TRIES = 1.25, 5
# What asv calls faster or slower among the times, if its statistics agree; they are shown and fail nothing.
FACTOR = 1.1


def run(arguments: argparse.Namespace) -> int:
    """Measure commits and keep the results."""
    options = ("--show-stderr", "--bench", arguments.bench)
    return max(asv("run", f"{commit(revision)}^!", *options) for revision in arguments.revisions)


def compare(arguments: argparse.Namespace) -> int:
    """Print which benchmarks changed since BASE; fail if a tracked number grew too much in every try."""
    base, head = commit(arguments.base), commit("HEAD")
    if base == head:
        print(f"{arguments.base} is HEAD: nothing to compare")
        return 0
    configuration = without_history()
    benchmarks = arguments.bench
    growth: dict[str, float] = {}
    for attempt in range(TRIES):
        options = ("--factor", f"{FACTOR}", "--interleave-rounds", "--bench", benchmarks)
        asv("continuous", base, head, *options, configuration=configuration)
        now = grown(tracked(base), tracked(head))
        if attempt:
            now = {name: min(ratio, growth[name]) for name, ratio in now.items() if name in growth}
        growth = now
        if not growth:
            break
        if attempt < TRIES - 1:
            print(f"\nMeasuring again: {', '.join(growth)}", flush=True)
            benchmarks = f"^({'|'.join(re.escape(name) for name in growth)})$"
    for name, ratio in growth.items():
        print(f"REGRESSION {name}: {ratio:.2f} times in the best of {TRIES} tries")
    print(f"\n{len(growth)} tracked numbers grew by more than {THRESHOLD} times between {base[:8]} and {head[:8]}")
    return int(bool(growth))


def publish(arguments: argparse.Namespace) -> int:
    """Write the stored results as web pages."""
    code = asv("publish")
    print("\nThe pages are in .asv/html; `.venv/bin/asv preview` serves them; a browser cannot read them from files.")
    print("They load jQuery and flot from the internet, and show an error without a connection.")
    return code


def check(arguments: argparse.Namespace) -> int:
    """Run each benchmark once, in the current environment."""
    environment = f"existing:{sys.executable}"
    return asv("check", "-E", environment) or asv("run", "-E", environment, "--quick", "--dry-run", "--show-stderr")


def introduce_machine() -> None:
    """Register this machine with asv under the name of its processor family."""
    from asv.machine import Machine, MachineCollection

    name = get_host_cpu_name()
    MachineCollection.save(name, Machine.get_defaults() | {"machine": name})


def commit(revision: str) -> str:
    """Return the hash of a revision."""
    arguments = ["git", "rev-parse", "--verify", f"{revision}^{{commit}}"]
    return subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def asv(*arguments: str, configuration: Path = ROOT / "asv.conf.json") -> int:
    """Run asv; return 1 if a benchmark became slower, and exit if asv or a benchmark failed."""
    named = () if arguments[0] in ("check", "publish") else ("--machine", get_host_cpu_name())
    command = [sys.executable, "-m", "asv", *arguments, *named, "--config", str(configuration)]
    code = subprocess.run(command, cwd=ROOT).returncode
    if code > 1:
        sys.exit(code)
    return code


def without_history() -> Path:
    """Return a configuration that stores results in an empty folder; a comparison must not change the history."""
    shutil.rmtree(COMPARISON, ignore_errors=True)
    COMPARISON.mkdir(parents=True)
    content = json.loads((ROOT / "asv.conf.json").read_text())
    content |= {key: str(ROOT / content[key]) for key in ("repo", "benchmark_dir", "env_dir")}
    content |= {key: str(COMPARISON / key) for key in ("results_dir", "html_dir")}
    configuration = COMPARISON / "asv.conf.json"
    configuration.write_text(json.dumps(content, indent=1))
    return configuration


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return the growth factors, by name, of the tracked numbers that grew beyond the threshold."""
    common = sorted(before.keys() & after.keys())
    return {name: after[name] / before[name] for name in common if after[name] > THRESHOLD * before[name]}


def tracked(revision: str) -> dict[str, float]:
    """Return the tracked numbers of a commit in the comparison, by name and parameters."""
    from asv.results import Results

    (path,) = (COMPARISON / "results_dir" / get_host_cpu_name()).glob(f"{revision[:8]}-*.json")
    results = Results.load(str(path))
    return {
        f"{name}({', '.join(parameters)})": value
        for name in results.get_all_result_keys()
        if TRACKED in name
        for parameters, value in zip(
            product(*results.get_result_params(name)),
            results.get_result_value(name, results.get_result_params(name)),
            strict=True,
        )
        if value is not None
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run a subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command in (run, compare, publish, check):
        sub = commands.add_parser(command.__name__, help=command.__doc__)
        sub.set_defaults(command=command)
        if command in (run, compare):
            sub.add_argument("--bench", default=".", help="regular expression: which benchmarks (default all)")
        if command is run:
            sub.add_argument("revisions", nargs="*", default=["HEAD"])
        if command is compare:
            sub.add_argument("base", help="revision to compare HEAD with")
    parsed = parser.parse_args(arguments)
    introduce_machine()
    return parsed.command(parsed)


if __name__ == "__main__":
    sys.exit(main())
