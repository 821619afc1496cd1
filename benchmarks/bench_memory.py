"""Peak memory of a process: nothing of the size samples x hidden is ever held."""

import fastmlp
from benchmarks.workloads import WORKLOADS, OverWorkloads, Training


class Memory(OverWorkloads):
    """Of a fit, imports and compiled code included; compare with `peakmem_nothing`."""

    params = (list(WORKLOADS), ["float64"])

    def peakmem_fit(self, name, dtype):
        """Train for 20 epochs."""
        self.training.fit(20)

    peakmem_fit.pretty_name = "peak memory of a fit"


class Engines:
    """Twenty million pairs of a sample and a unit: 160 MB in float64, if an engine held an array of them."""

    params = (["univariate", "dense"],)
    param_names = ("algorithm",)
    timeout = 300

    def setup(self, algorithm):
        """Compile; skip what a commit does not have."""
        self.training = Training("many samples", "float64")
        try:
            self.training.fit(1, algorithm)
        except ValueError as error:
            raise NotImplementedError from error

    def peakmem_many_pairs(self, algorithm):
        """Train for two epochs."""
        self.training.fit(2, algorithm)

    peakmem_many_pairs.pretty_name = "peak memory, 20 million pairs of sample and unit"


def peakmem_nothing():
    """Import the package and compile: what every figure above has in it."""
    fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=10, epochs=1, rng=0, progress=False)


peakmem_nothing.pretty_name = "peak memory of imports and compiled code"
