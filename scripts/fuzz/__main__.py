"""Compare `fastmlp.fit` with an independent implementation on random calls.

    python scripts/fuzz --minutes 5 --seed 7

This command reduces each call with a fault to a smaller call, and prints it. The exit code is 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from fuzz.calls import Call, as_code, random_call, smaller
from fuzz.judge import Verdict, judge

REDUCING = 60.0  # seconds for each fault
MOST_FAULTS = 20


def main() -> int:
    """Run the fuzz; return 1 if a fault was found."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="duration in minutes (%(default)s)")
    parser.add_argument("--seed", type=int, help="seed of the first call; the next calls use the next seeds (random)")
    parser.add_argument("--calls", type=int, default=10**9, help="largest number of calls")
    args = parser.parse_args()
    first = int(np.random.default_rng().integers(10**9)) if args.seed is None else args.seed
    print(f"seed {first}: SEED={first} repeats this run", flush=True)
    kinds: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    ends = time.monotonic() + 60 * args.minutes
    seed = first
    while time.monotonic() < ends and kinds["fault"] < MOST_FAULTS and seed - first < args.calls:
        call = random_call(seed)
        verdict = judge(call)
        kinds[verdict.kind] += 1
        methods[verdict.method] += 1
        if verdict.kind == "fault":
            call, verdict = reduced(call, verdict)
            print(f"\nfault of seed {seed}: {verdict.text} ({verdict.method})\n{as_code(call, verdict.lr)}", flush=True)
        seed += 1
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"\n{seed - first} calls: {counts}")
    print("by method: " + ", ".join(f"{method or 'none'} {number}" for method, number in methods.most_common()))
    return int(kinds["fault"] > 0)


def reduced(call: Call, verdict: Verdict) -> tuple[Call, Verdict]:
    """Return a smaller call that has a fault too."""
    ends = time.monotonic() + REDUCING
    progresses = True
    while progresses:
        progresses = False
        for simpler in smaller(call):
            if time.monotonic() > ends:
                return call, verdict
            try:
                found = judge(simpler)
            except Exception:  # noqa: BLE001 - a simpler call need not be valid
                continue
            if found.kind == "fault":
                call, verdict, progresses = simpler, found, True
                break
    return call, verdict


if __name__ == "__main__":
    sys.exit(main())
