"""What a call of `fit` or `fit_many` costs besides the training: fits of few epochs on 100 samples."""

import sys
import time

import numpy as np

import fastmlp

X = np.linspace(-np.pi, np.pi, 100)
Y = np.sin(X)
GIVEN = {"lr": 1e-3, "init": 0.3, "rng": 0, "progress": False}
SOLVER = {"optimizer": "lstsq", "hidden": 1000, "rng": 0, "progress": False}
N_NETS = 20


def fit_two_inputs():
    """Train on two inputs."""
    fastmlp.fit(np.stack([X, X**2], axis=1), Y, hidden=30, epochs=1, **GIVEN)


def fit_nets_one_by_one():
    """Train nets of different sizes, which no batch can hold."""
    fastmlp.fit_many(X, Y, [{"hidden": 30 + i} for i in range(N_NETS)], epochs=1, **GIVEN)


CALLS = {
    "one epoch, rate given": lambda: fastmlp.fit(X, Y, hidden=30, epochs=1, **GIVEN),
    "100 epochs, rate given": lambda: fastmlp.fit(X, Y, hidden=30, epochs=100, **GIVEN),
    "100 epochs, automatic rate": lambda: fastmlp.fit(X, Y, hidden=30, epochs=100, rng=0, progress=False),
    "one epoch, two inputs, rate given": fit_two_inputs,
    "L-BFGS, three steps": lambda: fastmlp.fit(X, Y, hidden=30, epochs=3, optimizer="lbfgs", rng=0, progress=False),
    "least squares, 1000 units": lambda: fastmlp.fit(X, Y, **SOLVER),
    f"fit_many, {N_NETS} nets": fit_nets_one_by_one,
}


class Overhead:
    """Time of a call, and the number of functions it calls, which no other load changes."""

    params = (list(CALLS),)
    param_names = ("call",)
    number = 10
    repeat = (5, 20, 0.5)

    def setup(self, call):
        """Compile the kernels; skip optimizers that the commit does not have."""
        try:
            CALLS[call]()
        except (TypeError, ValueError) as error:
            raise NotImplementedError from error

    def time_call(self, call):
        """Run the call."""
        CALLS[call]()

    time_call.pretty_name = "overhead of a call"

    def track_function_calls(self, call):
        """Return the number of Python functions and of built-in ones that a call runs in the calling thread."""
        return function_calls(CALLS[call])

    track_function_calls.pretty_name = "functions run by a call"
    track_function_calls.unit = "calls"


def function_calls(call):
    """Return the number of functions that a call runs in this thread, its own included."""
    counted = {"call": 0, "c_call": 0}

    def count(_frame, event, _argument):
        if event in counted:
            counted[event] += 1

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return sum(counted.values())


def main():
    """Print a table: python -m benchmarks.bench_overhead."""
    print("| call | least time in ms | functions run |\n| --- | --- | --- |")
    for name, call in CALLS.items():
        call()
        seconds = []
        for _ in range(100):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
        print(f"| {name} | {1e3 * min(seconds):.2f} | {function_calls(call)} |", flush=True)


if __name__ == "__main__":
    main()
