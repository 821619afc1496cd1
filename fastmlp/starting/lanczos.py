"""The largest eigenvalue of a matrix, from products of the matrix with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastmlp.engines.engine import Array

MAX_PRODUCTS = 100


@np.errstate(over="ignore", invalid="ignore")  # an overflow is a result
def largest_eigenvalue(
    multiply: Callable[[Array], Array],
    start: Array,
    tolerance: float,
    check: Callable[[], None] = lambda: None,
) -> float:
    """Return the largest eigenvalue of a symmetric positive semidefinite matrix by the Lanczos iteration.

    The estimate increases with each product towards the eigenvalue. The iteration keeps three vectors only. All vectors
    together lose their orthogonality by rounding, but this does not change the largest eigenvalue [1]_.

    Parameters
    ----------
    multiply : callable
        Returns the product of the matrix with a vector.
    start : ndarray of shape (n,)
        The first vector.
    tolerance : float
        The iteration ends when the estimate has increased by at most this fraction of itself in each of two products.
    check : callable
        Is called after each product. Its exceptions end the iteration.

    Returns
    -------
    float
        The estimate, which is a lower bound of the eigenvalue. Infinite if a number overflowed.

    References
    ----------
    .. [1] C. C. Paige, "Accuracy and effectiveness of the Lanczos algorithm for the symmetric eigenproblem", Linear
       Algebra and its Applications 34 (1980).
    """
    vector, previous_vector = start / norm(start), np.zeros_like(start)
    tridiagonal = np.zeros((MAX_PRODUCTS + 1, MAX_PRODUCTS))  # its lower triangle
    eigenvalue, n_steady, residual_norm = 0.0, 0, 0.0
    for k in range(MAX_PRODUCTS):
        product = multiply(vector)
        check()
        diagonal = tridiagonal[k, k] = float((vector * product).sum())
        residual = product - diagonal * vector - residual_norm * previous_vector
        residual_norm = norm(residual)
        if not (math.isfinite(residual_norm) and math.isfinite(diagonal)):
            return math.inf
        previous, eigenvalue = eigenvalue, float(np.linalg.eigvalsh(tridiagonal[: k + 1, : k + 1])[-1])
        n_steady = n_steady + 1 if eigenvalue - previous <= tolerance * eigenvalue else 0
        if n_steady == 2 or residual_norm <= 1e-12 * eigenvalue:
            break
        previous_vector, vector = vector, residual / residual_norm
        tridiagonal[k + 1, k] = residual_norm
    return eigenvalue


def norm(vector: Array) -> float:
    """Return the Euclidean norm, without squaring numbers that would overflow."""
    largest = float(np.abs(vector).max())
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.sqrt(np.sum((vector / largest) ** 2)))
