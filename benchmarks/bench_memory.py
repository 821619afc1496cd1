"""Peak memory of a process. No engine holds an array of the size n_samples x n_hidden."""

import fastmlp
from benchmarks.workloads import WORKLOADS, OverWorkloads, Training


class Memory(OverWorkloads):
    """Peak memory of a fit. It includes imports and compiled code, which `peakmem_nothing` measures separately."""

    params = (list(WORKLOADS), ["float64"])

    def peakmem_fit(self, name, dtype):
        """Train for 20 epochs."""
        self.training.fit(20)

    peakmem_fit.pretty_name = "peak memory of a fit"


class Engines:
    """Peak memory with 20 million pairs of sample and unit: an array of them would take 160 MB in float64."""

    params = (["univariate", "dense"],)
    param_names = ("algorithm",)
    timeout = 300

    def setup(self, algorithm):
        """Compile the kernels; skip engines that the commit does not have."""
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
    """Import the package and compile the kernels; all other results include this memory."""
    fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=10, epochs=1, rng=0, progress=False)


peakmem_nothing.pretty_name = "peak memory of imports and compiled code"
