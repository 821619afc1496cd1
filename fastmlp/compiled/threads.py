"""The threads of one fit: their number, and how they share the work of one kernel call.

A kernel's work is a sequence of phases with a barrier after each, and every phase is divided into the same number of
parts. Each thread first claims its own part of a phase, then any part that no thread has claimed yet. So a thread that
the system suspends delays the others only if it has begun a part, and one that never started does not delay them at
all. Which thread works on a part does not change the result.

The threads are Python threads that start and end within the call, so a later fork is safe. Within the call they
synchronise through atomic counters, because joining a Python thread takes 20 us and more.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp.compiled.intrinsics import call, instruction
from fastmlp.compiled.later import cgutils, ir, numba
from fastmlp.compiled.main_thread import acts_for_main_thread

SPINS = 500  # reads of the counter by a waiting thread, about 15 us, before it yields its core to other threads
_CACHE_LINE = 8  # integers: each counter has a cache line of its own, since several threads write them
_YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"
_HAS_PAUSE = platform.machine() in ("x86_64", "AMD64")
_fallback_lock = threading.Lock()


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_use_all_cores() -> bool:
    """Return whether a fit may use all cores by default.

    It may not outside the main thread, nor in a process that multiprocessing or joblib started: the caller divides the
    cores among several fits there.
    """
    is_main = threading.current_thread() is threading.main_thread() or acts_for_main_thread.get()
    return is_main and multiprocessing.parent_process() is None


def progress_counters(n_parts: int) -> npt.NDArray[np.int64]:
    """Return the counters of a kernel: the number of finished parts, and the last phase claimed of each part.

    They are `_CACHE_LINE` integers apart, with an unused line before them. The number of finished parts comes first.
    """
    return np.zeros((n_parts + 2) * _CACHE_LINE, np.int64)[_CACHE_LINE:]


def run_together(kernel: Callable[[int], int], n_threads: int, progress: npt.NDArray[np.int64]) -> int:
    """Call kernel(thread) in `n_threads` threads at once, and return the result of this thread, thread 0.

    `progress` is set to 0 first.
    """
    progress[:] = 0
    others = [threading.Thread(target=kernel, args=(thread,), daemon=True) for thread in range(1, n_threads)]
    try:
        with contextlib.suppress(RuntimeError):  # the system has no more threads: the started ones do the work
            for thread in others:
                thread.start()
        return kernel(0)
    finally:
        for thread in others:
            if thread.ident is not None:
                thread.join()


def _int64(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


def _counter(context: Any, builder: Any, signature: Any, arguments: Any, index: Any) -> Any:
    """Return the address of an item of `progress`, the first argument."""
    return builder.gep(context.make_array(signature.args[0])(context, builder, arguments[0]).data, [index])


def _claim(progress: Any, part: Any, phase: Any) -> bool:
    with _fallback_lock:
        is_free = progress[(part + 1) * _CACHE_LINE] == phase - 1
        if is_free:
            progress[(part + 1) * _CACHE_LINE] = phase
    return bool(is_free)


@instruction(_claim)
def claim(typing_context: Any, progress: Any, part: Any, phase: Any) -> Any:
    """Claim a part of a phase for this thread; return False if another thread has claimed it before.

    Phases are counted from 1, parts from 0.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = builder.mul(builder.add(arguments[1], _int64(1)), _int64(_CACHE_LINE))
        counter = _counter(context, builder, signature, arguments, index)
        before = builder.sub(arguments[2], _int64(1))
        return builder.extract_value(builder.cmpxchg(counter, before, arguments[2], "acq_rel", "acquire"), 1)

    integer = numba.types.int64
    return numba.types.boolean(progress, integer, integer), codegen


def _finish(progress: Any) -> None:
    with _fallback_lock:
        progress[0] += 1


@instruction(_finish)
def finish(typing_context: Any, progress: Any) -> Any:
    """Count a part as finished. Threads that `wait` for it then see all that this thread wrote before."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        finished = _counter(context, builder, signature, arguments, _int64(0))
        builder.atomic_rmw("add", finished, _int64(1), "acq_rel")

    return numba.types.void(progress), codegen


def _wait(progress: Any, n_finished: Any) -> None:
    while progress[0] < n_finished:
        time.sleep(0)


@instruction(_wait)
def wait(typing_context: Any, progress: Any, n_finished: Any) -> Any:
    """Wait until `n_finished` parts of all phases together are finished: spin first, then yield the core.

    With `n_finished = phase * n_parts` this is the barrier at the end of a phase.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        finished = _counter(context, builder, signature, arguments, _int64(0))
        spins = cgutils.alloca_once_value(builder, _int64(0))
        names = ("check", "wait", "spin", "yield", "done")
        check, wait, spin, yield_core, done = (builder.append_basic_block(name) for name in names)
        builder.branch(check)
        builder.position_at_end(check)
        is_done = builder.icmp_signed(">=", builder.load_atomic(finished, "acquire", 8), arguments[1])
        builder.cbranch(is_done, done, wait)
        builder.position_at_end(wait)
        n_before = builder.load(spins)
        builder.store(builder.add(n_before, _int64(1)), spins)
        builder.cbranch(builder.icmp_signed("<", n_before, _int64(SPINS)), spin, yield_core)
        builder.position_at_end(spin)
        if _HAS_PAUSE:
            call(builder, "llvm.x86.sse2.pause", ir.VoidType())
        builder.branch(check)
        builder.position_at_end(yield_core)
        call(builder, _YIELD, ir.IntType(32))
        builder.branch(check)
        builder.position_at_end(done)

    return numba.types.void(progress, numba.types.int64), codegen
