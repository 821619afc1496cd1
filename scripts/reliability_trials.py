"""The trials of reliability.py. This module is imported, not run."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import mmap
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np

import fastmlp
from fastmlp.training import chunks, loop

ALGORITHMS = ("univariate", "dense", "reference")
ANSWER_SECONDS = 1.0  # after Ctrl-C, the fit must return within this time
X = np.linspace(-np.pi, np.pi, 100)
Y = np.sin(X)
X.flags.writeable = Y.flags.writeable = False


@dataclass
class Trial:
    """The result of a trial: how often it ran, how often something was lost, and a remark."""

    name: str
    n_tried: int
    n_lost: int
    note: str


def same(got: fastmlp.Model, expected: fastmlp.Model) -> bool:
    """Return whether two models are bitwise equal, with history, snapshots and info."""
    if (got.history is None) != (expected.history is None) or (got.info is None) != (expected.info is None):
        return False
    pairs = [(got.weights, expected.weights), ((got.x_range,), (expected.x_range,))]
    if got.history is not None and expected.history is not None:
        names = ("epoch", "rmse", "val_rmse", "crossings")
        pairs.append(
            tuple(tuple(getattr(history, name) for name in names) for history in (got.history, expected.history))
        )
        if got.history.snapshots.keys() != expected.history.snapshots.keys():
            return False
        for epoch, snapshot in got.history.snapshots.items():
            if not same(snapshot, expected.history.snapshots[epoch]):
                return False
    if got.info is not None and expected.info is not None:
        names = ("method", "lr", "epochs_run", "best_epoch", "stop_reason", "crossings", "live_units")
        if any(getattr(got.info, name) != getattr(expected.info, name) for name in names):
            return False
    return all(
        (one is None) == (other is None) and (one is None or np.array_equal(one, other))
        for ones, others in pairs
        for one, other in zip(ones, others, strict=True)
    )


INTERRUPTED = """
import sys, json, threading, time, warnings
import numpy as np, fastmlp, joblib
warnings.simplefilter("ignore")
kind, times = sys.argv[1], int(sys.argv[2])
n_in = {"many": 20, "few": 3}.get(kind, 1)
x = np.random.default_rng(0).normal(size=(200, n_in))
y = np.sin(x.sum(axis=1))
options = {"hidden": 300, "epochs": 10**9, "rng": 0, "record_every": 10**6, "lr": 1e-3}
options["algorithm"] = kind if kind in ("reference", "univariate") else "dense"

def ready(info):
    global said
    if not said and info.elapsed > 0.05:
        said = True
        begun.set() if kind == "thread" else print("ready", flush=True)
    return stopped

for _ in range(times):
    said, stopped, begun = False, False, threading.Event()
    if kind == "thread":
        models = []
        thread = threading.Thread(target=lambda: models.append(fastmlp.fit(x, y, callback=ready, **options)))
        thread.start()
        begun.wait()
        try:
            print("ready", flush=True)
            thread.join()
        except KeyboardInterrupt:
            print(json.dumps(["interrupted", True]), flush=True)
        stopped = True
        thread.join()
        continue
    if kind == "joblib":
        jobs = [joblib.delayed(fastmlp.fit)(x, y, **options) for _ in range(2)]
        threading.Timer(4.0, lambda: print("ready", flush=True)).start()
        try:
            joblib.Parallel(n_jobs=2)(jobs)
        except KeyboardInterrupt:
            print(json.dumps(["interrupted", True]), flush=True)
        continue
    model = fastmlp.fit(x, y, callback=ready, **options)
    finite = all(bool(np.isfinite(array).all()) for array in (*model.weights, model.history.rmse))
    print(json.dumps([model.info.stop_reason, finite and model.info.epochs_run > 0]), flush=True)
"""


def interrupts(kind: str, times: int) -> Trial:
    """Send SIGINT to a training process at a random moment, as Ctrl-C in a terminal does."""
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", INTERRUPTED, kind, str(times)]
    longest, n_lost = 0.0, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        for _ in range(times):
            if process.stdout.readline() != "ready\n":
                n_lost += 1
                process.kill()
                break
            time.sleep(rng.uniform(0, 0.3))
            sent = time.perf_counter()
            os.killpg(process.pid, signal.SIGINT)
            answer = process.stdout.readline()
            seconds = time.perf_counter() - sent
            longest = max(longest, seconds)
            n_lost += not answer or json.loads(answer) != ["interrupted", True] or seconds > ANSWER_SECONDS
        if kind == "joblib":  # joblib needs longer to end its processes
            process.wait(60)
        else:
            n_lost += process.wait(60) != 0
    return Trial(f"SIGINT, {kind}", times, n_lost, f"returned within {longest:.2f} s")


STAGES = ("training", "packing", "writing", "syncing", "renaming", "after renaming")


@contextmanager
def _stages() -> Iterator[mmap.mmap]:
    """Make a process and its children write the current stage of a checkpoint to a shared byte."""
    shared = mmap.mmap(-1, 1)

    def entering(stage: str, function: Callable[..., Any], after: str | None = None) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            shared[0] = STAGES.index(stage)
            result = function(*arguments, **options)
            if after is not None:
                shared[0] = STAGES.index(after)
            return result

        return wrapped

    patched = [
        (loop.Checkpoint, "write", "packing", "training"),
        (np, "savez", "writing", None),
        (os, "fsync", "syncing", None),
        (Path, "replace", "renaming", "after renaming"),
    ]
    originals = [getattr(owner, name) for owner, name, _, _ in patched]
    for (owner, name, stage, after), original in zip(patched, originals, strict=True):
        setattr(owner, name, entering(stage, original, after))
    try:
        yield shared
    finally:
        for (owner, name, _, _), original in zip(patched, originals, strict=True):
            setattr(owner, name, original)


def kills(times: int, folder: Path) -> Trial:
    """Kill a process that writes a checkpoint after every chunk; the next process resumes from the file."""
    rng = np.random.default_rng(0)
    path = folder / "run.npz"
    chunk_seconds, chunks.CHUNK_SECONDS = chunks.CHUNK_SECONDS, 0.01
    options: dict[str, Any] = {"hidden": 200, "epochs": 10**5, "rng": 0, "algorithm": "dense", "record_every": 100}
    fastmlp.fit(X, Y, **options | {"epochs": 1})
    fell: Counter[str] = Counter()
    n_lost, n_killed, reached = 0, 0, -1
    with _stages() as stage:
        while n_killed < times:
            child = os.fork()
            if child == 0:
                fastmlp.fit(X, Y, checkpoint=path, checkpoint_every=0, resume=True, **options)
                os._exit(0)
            time.sleep(rng.uniform(0, 0.2))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if not os.WIFSIGNALED(status):  # it was finished: start again
                path.unlink()
                reached = -1
                continue
            n_killed += 1
            fell[STAGES[stage[0]]] += 1
            if not path.exists():
                n_lost += reached >= 0
                continue
            try:
                epochs = fastmlp.load(path).info.epochs_run
            except fastmlp.FileFormatError:
                n_lost += 1
                path.unlink()
                continue
            n_lost += epochs < reached
            reached = epochs
    got = fastmlp.fit(X, Y, checkpoint=path, resume=True, **options)
    n_lost += not same(got, fastmlp.fit(X, Y, **options))
    chunks.CHUNK_SECONDS = chunk_seconds
    n_lost += [entry.name for entry in folder.iterdir()] != ["run.npz"]
    where = ", ".join(f"{fell[name]} {name}" for name in STAGES if fell[name])
    return Trial("kill -9 while checkpointing", times, n_lost, f"fell: {where}; the last run ended with the same bits")


def full_disk(times: int, folder: Path) -> Trial:
    """Replace a file on a disk that is full after some bytes, simulated by a limit on the file size."""
    rng = np.random.default_rng(0)
    path = folder / "m.npz"
    old, new = (fastmlp.fit(X, Y, hidden=50, epochs=5, rng=seed) for seed in (0, 1))
    old.save(path)
    size = path.stat().st_size
    n_lost = 0
    for _ in range(times):
        limit = int(rng.integers(size - 100))
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                new.save(path)
            except OSError as error:
                os._exit(0 if "is left unchanged" in str(error) else 1)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        n_lost += status != 0 or not same(fastmlp.load(path), old)
        n_lost += [entry.name for entry in folder.iterdir()] != ["m.npz"]
    return Trial(
        "full disk while saving", times, n_lost, "each raised an OSError that says so; the old file was unchanged"
    )


def _mutated(whole: np.ndarray[Any, Any], rng: np.random.Generator) -> bytes:
    """Return the bytes of a file with one kind of damage."""
    damaged = whole.copy()
    size = whole.size
    first, second = sorted(rng.integers(size, size=2))
    kind = rng.integers(7)
    if kind <= 2:
        damaged[rng.integers(size)] = rng.integers(256)
    elif kind == 3:
        damaged[rng.integers(size, size=1 + rng.integers(8))] ^= np.uint8(1 << rng.integers(8))
    elif kind == 4:
        damaged = damaged[: rng.integers(size)]
    elif kind == 5:
        damaged[first : first + rng.integers(1, 64)] = 0
    else:
        damaged = np.concatenate([damaged[:first], damaged[second:]])
    return damaged.tobytes()


def _fuzz(times: int, seed: int) -> Counter[str]:
    """Damage a model file and a checkpoint repeatedly, and try to load them."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.npz")
        options: dict[str, Any] = {
            "hidden": 4,
            "epochs": 6,
            "rng": 0,
            "snapshots": [0, 3],
            "validation": (X[:9], Y[:9]),
        }
        model = fastmlp.fit(X, Y, checkpoint=path, patience=3, **options)
        files = [path.read_bytes()]
        model.save(path)
        files.append(path.read_bytes())
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for content in files:
            whole = np.frombuffer(content, np.uint8)
            path.write_bytes(content)
            expected = fastmlp.load(path)
            for _ in range(times // len(files)):
                path.write_bytes(_mutated(whole, rng))
                try:
                    got = fastmlp.load(path)
                except fastmlp.FileFormatError:
                    counts["refused"] += 1
                except Exception as error:  # noqa: BLE001 - every error is counted
                    counts[f"lost: {type(error).__name__}"] += 1
                else:
                    counts["identical" if same(got, expected) else "lost: another model"] += 1
    counts["kB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
    return counts


def fuzz(times: int) -> Trial:
    """Damage files in two processes."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.starmap(_fuzz, [(times // 2, seed) for seed in range(2)])
    most = max(counts.pop("kB") for counts in results)
    counts = results[0] + results[1]
    lost = {name: count for name, count in counts.items() if name.startswith("lost")}
    note = f"{counts['refused']:,} refused, {counts['identical']:,} identical (bytes that zip never reads)"
    note += f"; memory grew by {most >> 10} MB at most" + "".join(f"; {count} {name}" for name, count in lost.items())
    return Trial("damaged files, models and checkpoints", counts.total(), sum(lost.values()), note)


NONSENSE: list[Any] = [
    *("x", b"x", "", None, True, False, np.True_, 0, -1, -0.5, 2.5, 1e6, 10**30, -(10**30), 1j, object()),
    *(
        np.nan,
        np.inf,
        -np.inf,
        5e-324,
        1e308,
        np.float32(0.5),
        np.int8(-3),
        np.datetime64("2020-01-01"),
        np.array(None),
    ),
    *([], {}, set(), (), [[]], [None], ["a"], [1, [2]], {"w1": 1}, {"w1": "a"}, {1: 2}, range(3), [np.nan], [1j]),
    *(np.zeros(0), np.zeros((2, 2, 2)), np.zeros((100, 0)), np.full(100, np.nan), np.full(100, 1e308), np.arange(99.0)),
    *(np.zeros(100, complex), np.zeros(100, object), np.zeros(100, "U1"), np.zeros(100, bool), np.full(100, -1.0)),
    *(lambda epoch: "rate", lambda epoch: -1.0, (1, 2, 3, 4), (X, Y), fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0])),
]


def bad_inputs() -> Trial:
    """Call `fit` with every invalid value for every parameter; it must return a model or name the parameter."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # "x" names a checkpoint
        return _bad_inputs()


def _bad_inputs() -> Trial:
    counts: Counter[str] = Counter()
    lost = []
    for name in inspect.signature(fastmlp.fit).parameters:
        for value in NONSENSE:
            arguments: dict[str, Any] = {"x": X, "y": Y, "hidden": 3, "epochs": 3, "rng": 0, "progress": False}
            try:
                with (
                    warnings.catch_warnings(),
                    contextlib.redirect_stderr(io.StringIO()),
                ):  # progress=True is valid
                    warnings.simplefilter("error")
                    warnings.filterwarnings("ignore", "The RMSE is")  # says that the error has risen: an answer
                    fastmlp.fit(**(arguments | {name: value}))
            except (TypeError, ValueError, MemoryError, ArithmeticError) as error:
                worded = " must be " in str(error) or isinstance(error, fastmlp.DivergenceError)
                counts["refused"] += worded
                if not worded:
                    lost.append(f"{name}={str(value)[:20]!r}: {type(error).__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - every error is counted
                lost.append(f"{name}={str(value)[:20]!r}: {type(error).__name__}: {error}")
            else:
                counts["taken"] += 1
    note = f"{counts['refused']} refused by name, {counts['taken']} fit to be used" + "".join(
        f"; {text}" for text in lost
    )
    return Trial("arguments of the wrong kind or value", counts.total() + len(lost), len(lost), note)


def _jobs() -> list[dict[str, Any]]:
    """Return eight different fits."""
    common = {"hidden": 50, "epochs": 2000}
    return [common | {"rng": seed, "algorithm": ALGORITHMS[seed % 3]} for seed in range(8)]


def threads(rounds: int) -> Trial:
    """Fit and predict in eight threads at once on shared read-only data."""
    expected = [fastmlp.fit(X, Y, **job) for job in _jobs()]
    n_lost = 0

    def train(job: dict[str, Any]) -> tuple[fastmlp.Model, Any]:
        model = fastmlp.fit(X, Y, **job)
        return model, model.predict(X)

    for _ in range(rounds):
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(train, _jobs()))
        for (got, predicted), model in zip(results, expected, strict=True):
            n_lost += not (same(got, model) and np.array_equal(predicted, model.predict(X)))
    return Trial("fits in 8 threads", 8 * rounds, n_lost, "bitwise equal to one thread")


def pools() -> Trial:
    """Fit in pools of forked processes, of spawned processes, and of joblib."""
    expected = [fastmlp.fit(X, Y, **job) for job in _jobs()]
    results = []
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            pending = [pool.apply_async(fastmlp.fit, (X, Y), job) for job in _jobs()]
            results += [result.get(300) for result in pending]
    results += joblib.Parallel(n_jobs=2)(joblib.delayed(fastmlp.fit)(X, Y, **job) for job in _jobs())
    n_lost = sum(not same(got, model) for got, model in zip(results, 3 * expected, strict=True))
    return Trial("fits in pools: fork, spawn, joblib", len(results), n_lost, "bitwise equal to one process")


COLD = """
import numpy as np, fastmlp
x = np.linspace(-1, 1, 20)
print(fastmlp.fit(x, x, hidden=5, epochs=20, rng=0, lr=0.1, algorithm="dense").history.rmse[-1])
"""


def cold_processes(n_processes: int, folder: Path) -> Trial:
    """Start several processes at once with an empty compile cache."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, "-W", "error", "-c", COLD]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(n_processes)
    ]
    answers = [process.communicate(timeout=600)[0] for process in running]
    n_lost = sum(
        process.returncode != 0 or answer != answers[0] for process, answer in zip(running, answers, strict=True)
    )
    return Trial("processes at once, empty compile cache", n_processes, n_lost, "all with the same RMSE")


LIMITED = """
import resource, sys
import numpy as np, fastmlp
algorithm, megabytes = sys.argv[1], int(sys.argv[2])
x = np.linspace(-1, 1, 100)
options = {"rng": 0, "lr": 1e-6, "algorithm": algorithm, "epochs": 3}
fastmlp.fit(x, x, hidden=5, **options).predict(x)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20,) * 2)
n_refused = 0
for size in range(10, 27):
    try:
        fastmlp.fit(x, x, hidden=2**size, **options)
    except MemoryError:
        n_refused += 1
fastmlp.fit(x, x, hidden=50, **options).predict(x)
print(n_refused)
"""


def memory_limits(limits: tuple[int, ...]) -> Trial:
    """Fit larger and larger nets until memory is exhausted; a small fit must work afterwards."""
    n_lost, n_refused = 0, 0
    for algorithm in ALGORITHMS:
        for limit in limits:
            command = [sys.executable, "-c", LIMITED, algorithm, str(limit)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            n_lost += done.returncode != 0 or int(done.stdout or 0) == 0
            n_refused += int(done.stdout or 0) if done.returncode == 0 else 0
    note = f"{n_refused} fits ended in MemoryError, and the next small fit worked"
    return Trial("processes with limited memory", len(ALGORITHMS) * len(limits), n_lost, note)
