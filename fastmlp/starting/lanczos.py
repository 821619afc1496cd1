"""The largest eigenvalue of a matrix that is known by its products with vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.engines.engine import Array

MOST_PRODUCTS = 100


@np.errstate(over="ignore", invalid="ignore")  # an overflow is a result
def largest_eigenvalue(
    multiply: Callable[[Array], Array],
    start: Array,
    tolerance: float,
    interrupted: Callable[[], bool] = lambda: False,
) -> float | None:
    """Return the largest eigenvalue of a symmetric positive semidefinite matrix by the Lanczos iteration.

    The eigenvalue grows with each product towards the true one. The iteration needs three vectors only: that they lose
    their orthogonality does not change the largest eigenvalue [1]_.

    Parameters
    ----------
    multiply : callable
        Returns the product of the matrix with a vector.
    start : ndarray of shape (n,)
        The first vector.
    tolerance : float
        The iteration ends when the eigenvalue has grown by at most this part of itself in each of two products.
    interrupted : callable
        Returns whether to give up; it is called after each product.

    Returns
    -------
    float or None
        The eigenvalue: a lower bound of the true one, infinite if a number overflowed, None if interrupted.

    References
    ----------
    .. [1] C. C. Paige, "Accuracy and effectiveness of the Lanczos algorithm for the symmetric eigenproblem", Linear
       Algebra and its Applications 34 (1980).
    """
    vector, before = start / norm(start), np.zeros_like(start)
    diagonal: list[float] = []
    beside: list[float] = [0.0]  # beside[k] couples the vectors k - 1 and k
    eigenvalue, n_steady = 0.0, 0
    for _ in range(MOST_PRODUCTS):
        product = multiply(vector)
        if interrupted():
            return None
        diagonal.append(float((vector * product).sum()))
        following = product - diagonal[-1] * vector - beside[-1] * before
        size = norm(following)
        if not np.isfinite([size, diagonal[-1]]).all():
            return np.inf
        tridiagonal = np.diag(diagonal) + np.diag(beside[1:], 1) + np.diag(beside[1:], -1)
        previous, eigenvalue = eigenvalue, float(np.linalg.eigvalsh(tridiagonal)[-1])
        n_steady = n_steady + 1 if eigenvalue - previous <= tolerance * eigenvalue else 0
        if n_steady == 2 or size <= 1e-12 * eigenvalue:
            break
        before, vector = vector, following / size
        beside.append(size)
    return eigenvalue


def norm(vector: Array) -> float:
    """Return the Euclidean norm, without squaring numbers that would overflow."""
    largest = float(np.abs(vector).max())
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.sqrt(np.sum((vector / largest) ** 2)))
