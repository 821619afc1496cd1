"""The table of the classes of live units, see `fastmlp.engines.univariate.kernels.layout.LiveUnits`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.engines.univariate.codes import prefix_offset
from fastmlp.engines.univariate.kernels.layout import CLASS, address_of
from fastmlp.engines.univariate.samples import SortedSamples


def class_table(samples: SortedSamples, n_out: int) -> Any:
    """Return the table of n classes of suffixes and n of prefixes."""
    n, offset = samples.x.size, prefix_offset(samples.x.size)
    table = np.zeros(2 * n, CLASS)
    rows = table.reshape(2, n)  # suffixes, prefixes
    s, minus_x = np.arange(n), -samples.x
    rows["code_on"] = s, offset + s + 1
    rows["code_on"][1, -1] = 0
    rows["code_off"] = s + 1, offset + s
    rows["code_off"][1, 0] = n
    for side in ("on", "off"):
        rows[f"address_{side}"] = address_of(rows[f"code_{side}"], 2 * n_out)
    rows["below_active"] = [[0], [1]]
    rows["below_active"][:, 0] = 1, 0
    rows["above_active"] = [[1], [0]]
    rows["above_active"][:, -1] = rows["below_active"][:, -1]
    rows["multiplicity"] = samples.n_before[1:] - samples.n_before[:-1]
    rows["minus_x"] = minus_x
    # At an end, where a neighbour is missing, it is the sample at the other end.
    rows["minus_below"][:, 1:], rows["minus_below"][:, 0] = minus_x[:-1], minus_x[-1]
    rows["minus_above"][:, :-1], rows["minus_above"][:, -1] = minus_x[1:], minus_x[0]
    if n == 1:  # no other sample keeps units in a class: none is active at NaN, and none is to be
        for name in ("below", "above"):
            table[f"{name}_active"] = 0
            table[f"minus_{name}"] = np.nan
    return table.view(np.recarray)
