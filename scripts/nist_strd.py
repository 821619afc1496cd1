"""Four of NIST's Statistical Reference Datasets for nonlinear regression, with the certified fits.

Source: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml; works of the United States government, not subject to
copyright. A test computes the certified residual sums of squares from this data, so that typing errors show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Certified:
    """A data set of one input, with the model that NIST fits, its parameters and its residual sum of squares."""

    name: str
    x: FloatArray
    y: FloatArray
    model: Callable[..., FloatArray]
    parameters: tuple[float, ...]
    residual_sum: float


def numbers(text: str) -> FloatArray:
    """Return the numbers in a string."""
    return np.array(text.split(), dtype=np.float64)


CHWIRUT2 = Certified(
    "Chwirut2",  # ultrasonic response against the distance to the metal
    numbers(
        """
        .5 1 1.75 3.75 5.75 .875 2.25 3.25 5.25 .75 1.75 2.75 4.75 .625 1.25 2.25 4.25 .5 3 .75 3 1.5 6 3 6
        1.5 3 .5 2 4 .75 2 5 .75 2.25 3.75 5.75 3 .75 2.5 4 .75 2.5 4 .75 2.5 4 .5 6 3 .5 2.75 .5 1.75
        """
    ),
    numbers(
        """
        92.9 57.1 31.05 11.5875 8.025 63.6 21.4 14.25 8.475 63.8 26.8 16.4625 7.125 67.3 41 21.15 8.175 81.5
        13.12 59.9 14.62 32.9 5.44 12.56 5.44 32 13.95 75.8 20 10.42 59.5 21.67 8.55 62 20.2 7.76 3.75 11.81
        54.7 23.7 11.55 61.3 17.7 8.74 59.2 16.3 8.62 81 4.87 14.62 81.7 17.17 81.3 28.9
        """
    ),
    lambda x, b1, b2, b3: np.exp(-b1 * x) / (b2 + b3 * x),
    (1.6657666537e-01, 5.1653291286e-03, 1.2150007096e-02),
    5.1304802941e02,
)

THURBER = Certified(
    "Thurber",  # mobility of electrons in a semiconductor against the logarithm of their density
    numbers(
        """
        -3.067 -2.981 -2.921 -2.912 -2.840 -2.797 -2.702 -2.699 -2.633 -2.481 -2.363 -2.322 -1.501 -1.460
        -1.274 -1.212 -1.100 -1.046 -0.915 -0.714 -0.566 -0.545 -0.400 -0.309 -0.109 -0.103 0.010 0.119
        0.377 0.790 0.963 1.006 1.115 1.572 1.841 2.047 2.200
        """
    ),
    numbers(
        """
        80.574 84.248 87.264 87.195 89.076 89.608 89.868 90.101 92.405 95.854 100.696 101.060 401.672
        390.724 567.534 635.316 733.054 759.087 894.206 990.785 1090.109 1080.914 1122.643 1178.351 1260.531
        1273.514 1288.339 1327.543 1353.863 1414.509 1425.208 1421.384 1442.962 1464.350 1468.705 1447.894
        1457.628
        """
    ),
    lambda x, b1, b2, b3, b4, b5, b6, b7: (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3),
    (
        1.2881396800e03,
        1.4910792535e03,
        5.8323836877e02,
        7.5416644291e01,
        9.6629502864e-01,
        3.9797285797e-01,
        4.9727297349e-02,
    ),
    5.6427082397e03,
)

ECKERLE4 = Certified(
    "Eckerle4",  # transmittance of an interference filter against the wavelength
    np.concatenate([np.arange(400, 436, 5.0), np.arange(436.5, 465.1, 1.5), np.arange(470, 501, 5.0)]),
    numbers(
        """
        .0001575 .0001699 .0002350 .0003102 .0004917 .0008710 .0017418 .0046400 .0065895 .0097302 .0149002
        .0237310 .0401683 .0712559 .1264458 .2073413 .2902366 .3445623 .3698049 .3668534 .3106727 .2078154
        .1164354 .0616764 .0337200 .0194023 .0117831 .0074357 .0022732 .0008800 .0004579 .0002345 .0001586
        .0001143 .0000710
        """
    ),
    lambda x, b1, b2, b3: b1 / b2 * np.exp(-0.5 * ((x - b3) / b2) ** 2),
    (1.5543827178e00, 4.0888321754e00, 4.5154121844e02),
    1.4635887487e-03,
)

MGH17 = Certified(
    "MGH17",  # made by hand: two exponentials
    np.arange(0, 321, 10.0),
    numbers(
        """
        .844 .908 .932 .936 .925 .908 .881 .850 .818 .784 .751 .718 .685 .658 .628 .603 .580 .558 .538 .522
        .506 .490 .478 .467 .457 .448 .438 .431 .424 .420 .414 .411 .406
        """
    ),
    lambda x, b1, b2, b3, b4, b5: b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5),
    (3.7541005211e-01, 1.9358469127e00, -1.4646871366e00, 1.2867534640e-02, 2.2122699662e-02),
    5.4648946975e-05,
)

DATASETS = (CHWIRUT2, THURBER, ECKERLE4, MGH17)
