"""The threads of one fit: how many there are, how they run a kernel together, and how they share its work out.

A kernel's work comes in phases, each in so many parts; a phase begins when all of the one before is done. Each thread
claims its own part, and then any that nobody has begun: a thread that the system lets wait, as it does where others use
the cores too, holds nobody up, nor does one that never started. Who does a part changes no bit.

Threads of Python start with a call and end with it, so nothing is left behind that a fork could break. Within the call
they meet without Python, whose joins take 20 us and more.
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

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

SPINS = 500  # looks at the counter, some 15 us, before a waiting thread lets others have its core
LINE = 8  # integers in a cache line: what several threads count on lies apart
_YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"
_HAS_PAUSE = platform.machine() in ("x86_64", "AMD64")
_counting = threading.Lock()
_WHOLE = ir.IntType(64)


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_the_cores() -> bool:
    """Return whether a fit may take all of them unasked.

    Not outside the main thread, and not in a process that multiprocessing or joblib started: whoever made those has
    shared the cores out already.
    """
    return threading.current_thread() is threading.main_thread() and multiprocessing.parent_process() is None


def meeting_point(n_parts: int) -> npt.NDArray[np.int64]:
    """Return what the threads of `run_together` meet at: how many parts are done, and for each its last phase begun."""
    return np.zeros((n_parts + 2) * LINE, np.int64)[LINE:]


def run_together(kernel: Callable[[int], int], n_threads: int, meeting: npt.NDArray[np.int64]) -> int:
    """Call kernel(thread) in n_threads threads at once, this one as thread 0; return what it returned here."""
    meeting[:] = 0
    others = [threading.Thread(target=kernel, args=(thread,), daemon=True) for thread in range(1, n_threads)]
    try:
        with contextlib.suppress(RuntimeError):  # no more threads to be had: those there are do the work
            for thread in others:
                thread.start()
        return kernel(0)
    finally:
        for thread in others:
            if thread.ident is not None:
                thread.join()


def _counter(context: Any, builder: Any, signature: Any, arguments: Any, index: Any) -> Any:
    """Return the address of an integer of the meeting point, the first argument."""
    return builder.gep(context.make_array(signature.args[0])(context, builder, arguments[0]).data, [index])


def _claim(meeting: Any, part: Any, phase: Any) -> bool:
    with _counting:
        is_free = meeting[(part + 1) * LINE] == phase - 1
        if is_free:
            meeting[(part + 1) * LINE] = phase
    return bool(is_free)


def _claim_in_kernel(typing_context: Any, meeting: Any, part: Any, phase: Any) -> Any:
    """Return whether this thread is to do a part of a phase: whether it is the first to ask."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = builder.mul(builder.add(arguments[1], _WHOLE(1)), _WHOLE(LINE))
        counter = _counter(context, builder, signature, arguments, index)
        before = builder.sub(arguments[2], _WHOLE(1))
        return builder.extract_value(builder.cmpxchg(counter, before, arguments[2], "acq_rel", "acquire"), 1)

    integer = numba.types.int64
    return numba.types.boolean(meeting, integer, integer), codegen


def _finish(meeting: Any) -> None:
    with _counting:
        meeting[0] += 1


def _finish_in_kernel(typing_context: Any, meeting: Any) -> Any:
    """Count a part as done: what was written in it shows to those who have waited for it."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.atomic_rmw("add", _counter(context, builder, signature, arguments, _WHOLE(0)), _WHOLE(1), "acq_rel")

    return numba.types.void(meeting), codegen


def _wait(meeting: Any, n_done: Any) -> None:
    while meeting[0] < n_done:
        time.sleep(0)


def _wait_in_kernel(typing_context: Any, meeting: Any, n_done: Any) -> Any:
    """Wait until so many parts have been done, of all phases together; in the end let others have the core."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = _counter(context, builder, signature, arguments, _WHOLE(0))
        looks = cgutils.alloca_once_value(builder, _WHOLE(0))
        names = ("look", "wait", "spin", "give_way", "done")
        look, wait, spin, give_way, done = (builder.append_basic_block(name) for name in names)
        builder.branch(look)
        builder.position_at_end(look)
        is_done = builder.icmp_signed(">=", builder.load_atomic(counter, "acquire", 8), arguments[1])
        builder.cbranch(is_done, done, wait)
        builder.position_at_end(wait)
        n_before = builder.load(looks)
        builder.store(builder.add(n_before, _WHOLE(1)), looks)
        builder.cbranch(builder.icmp_signed("<", n_before, _WHOLE(SPINS)), spin, give_way)
        builder.position_at_end(spin)
        if _HAS_PAUSE:
            _call(builder, ir.VoidType(), "llvm.x86.sse2.pause")
        builder.branch(look)
        builder.position_at_end(give_way)
        _call(builder, ir.IntType(32), _YIELD)
        builder.branch(look)
        builder.position_at_end(done)

    return numba.types.void(meeting, numba.types.int64), codegen


def _call(builder: Any, returned: Any, name: str) -> None:
    builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(returned, []), name), [])


if numba.config.DISABLE_JIT:
    claim, finish, wait = _claim, _finish, _wait
else:
    claim, finish, wait = (intrinsic(of) for of in (_claim_in_kernel, _finish_in_kernel, _wait_in_kernel))
