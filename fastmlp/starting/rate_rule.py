"""The rule of the automatic rate: in which epochs it takes which part of the base rate.

At the base rate 1 / lambda_max to the end, many fits end in an oscillation: with sin 3x, 100 samples and 100 units the
curve jumps by 1.7 times the standard deviation of y between the last two epochs. If the rate falls in the last fifth of
the epochs, no curve jumps by more than 4.7e-4 of it (8 problems, 4 widths, 10 seeds; scripts/choose_rate.py compares
rules). A few constant pieces are as good as a continuous decay, and pattern moments and stretches can train with them.

Momentum mu multiplies the length of a step by up to 1 / (1 - mu), so the rate is smaller from the start. The full rate
ruins small networks early: sin 3x with 100 units ends at an RMSE of 0.60 in four seeds of five. With 0.25 of the rate
the median of ten seeds is 0.032. With 0.35 of it the errors are the same on average (0.49 of those without momentum
against 0.48), but the worst of ten seeds is up to 1.7 times that without momentum (sin 4x, 60 units). A rate that rises
again later ruins fits that were good.
"""

from __future__ import annotations

import math

from fastmlp.engines.engine import PiecewiseRate

ADAM_RATE = 1e-3  # the base rate of Adam

# Percent of the epochs after which the rate is multiplied by the factor. With 8 problems, 4 widths and 10 seeds, the
# largest jump is 4.7e-4. With 0.3, 0.1 and 0.03 from 80, 88 and 95 % it is 6.4e-4, and the
# medians are up to 4 % larger (sin 3x, 1000 units: 0.036 instead of 0.035).
FALLS = ((80, 0.4), (88, 0.15), (96, 0.03))
MOMENTUM_EXPONENT = 0.6  # 0.25 of the base rate with momentum 0.9
LEAST_MOMENTUM_FACTOR = 0.1


def momentum_factor(momentum: float) -> float:
    """Return the factor by which momentum lowers the rate, 1 without momentum."""
    return max(LEAST_MOMENTUM_FACTOR, math.pow(1.0 - momentum, MOMENTUM_EXPONENT))


def automatic_schedule(epochs: int, momentum: float) -> PiecewiseRate:
    """Return the factors of the base rate in a fit of some epochs; the rates of few epochs do not fall."""
    full = momentum_factor(momentum)
    pieces = {0: full}
    for percent, factor in FALLS:
        start = -(-percent * epochs // 100)
        if start < epochs:
            pieces[start] = full * factor  # of pieces that would start at the same epoch, the last one counts
    return PiecewiseRate(tuple(pieces), tuple(pieces.values()))
