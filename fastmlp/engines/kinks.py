"""The range of sorted samples on which each unit of a net of one input is active."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array


def active_ranges(x: Array, w1: Array, b1: Array) -> tuple[Array, Array]:
    """Find the active samples of each unit, which are a suffix or a prefix of the sorted samples.

    The rule is that of the mask, ``x w1 > -b1``, whose rounded product is monotone in x. A rounded kink -b1 / w1 may
    fall on the wrong side of a sample.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Ascending; at least one.
    w1, b1 : ndarray of shape (n_hidden,)
        Of the dtype of x, in which the rule is evaluated.

    Returns
    -------
    first, stop : ndarray of int64, shape (n_hidden,)
        Unit j is active exactly on x[first[j]:stop[j]]. first is 0 or stop is n_samples; they are equal where no sample
        is active.
    """
    rising = w1 > 0
    threshold = -b1
    kink = np.zeros(w1.size, np.int64)  # samples before it: inactive ones if rising, else active ones
    step = 1 << (x.size.bit_length() - 1)
    padded = np.full(2 * step, np.inf, x.dtype)  # beyond the samples, rising units are active and others are not
    padded[: x.size] = x
    with np.errstate(over="ignore", invalid="ignore"):  # weights of a net about to diverge
        while step:
            is_before = (padded[kink + (step - 1)] * w1 > threshold) != rising
            kink += step * is_before
            step //= 2
    kink = np.minimum(kink, x.size)  # of a rising unit with an infinite threshold, which is active nowhere
    return np.where(rising, kink, 0), np.where(rising, x.size, kink)
