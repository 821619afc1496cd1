"""Peak memory of a process: nothing of the size samples x hidden is ever held."""

import fastmlp
from benchmarks.workloads import DTYPES, OverWorkloads, Training


class Memory(OverWorkloads):
    """Of a fit, imports and compiled code included; compare with `peakmem_nothing`."""

    def peakmem_fit(self, name, dtype):
        """Train for 20 epochs."""
        self.training.fit(20)


class Engines:
    """Twenty million pairs of a sample and a unit: 160 MB in float64, if an engine held an array of them."""

    params = (["univariate", "dense"], list(DTYPES))
    param_names = ("algorithm", "dtype")
    timeout = 300

    def peakmem_many_pairs(self, algorithm, dtype):
        """Train for two epochs."""
        training = Training("many samples", dtype)
        try:
            training.fit(2, algorithm)
        except ValueError as error:
            raise NotImplementedError from error


def peakmem_nothing():
    """Import the package and compile: what every figure above has in it."""
    fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=10, epochs=1, rng=0, progress=False)
