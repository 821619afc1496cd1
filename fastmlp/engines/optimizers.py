"""The optimisers that have engines of their own, because they do not step along the gradient at a given rate.

To add one, write a module with a function ``engine_class(algorithm, shape)`` that returns its engine, and add a line to
OPTIMIZERS. The engine ends by itself with the status CONVERGED or STALLED.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from fastmlp.engines.engine import Engine, Shape


@dataclass(frozen=True)
class Optimizer:
    """An optimiser with engines of its own.

    Attributes
    ----------
    module : str
        The module with the function ``engine_class``. It is imported when the first fit needs it.
    takes_many_steps : bool
        Whether a fit has more than one epoch, so that it can be stopped, watched and resumed.
    start_ridge : float
        The ridge with which w2 and b2 of a named start are solved for first, relative to the trace of the Gram matrix
        of the hidden layer's outputs; 0 for no solve.
    """

    module: str
    takes_many_steps: bool = True
    start_ridge: float = 0.0

    def engine_class(self, algorithm: str, shape: Shape) -> type[Engine]:
        """Return the engine that trains a net of a shape with an algorithm."""
        return importlib.import_module(self.module).engine_class(algorithm, shape)  # type: ignore[no-any-return]


# RMSE after 100 and 1,000 epochs of L-BFGS by the ridge of the start, medians of five draws (peaks: 2,000 samples, 100
# units; mixed: sin 3x + |x|/2, 200 samples, 100 units). Without a ridge |w2| grows, and L-BFGS ends worse. These ridges
# were relative to the largest eigenvalue, which is 0.4 - 0.7 of the trace.
#
#          no solve        1e-8            1e-6            1e-4
# peaks    0.427  0.113    0.234  0.138    0.207  0.102    0.312  0.095
# mixed    0.132  0.020    0.021  0.014    0.023  0.011    0.047  0.013
OPTIMIZERS = {
    "lbfgs": Optimizer("fastmlp.engines.lbfgs.choice", start_ridge=1e-6),
    "lstsq": Optimizer("fastmlp.engines.lstsq.choice", takes_many_steps=False),
}
