import numba
import numpy as np
import pytest

from fastmlp.compiled import vectors
from fastmlp.compiled.jit import OPTIONS
from fastmlp.compiled.vectors import load, store

N = vectors.n_lanes(np.dtype(np.float64))
A = np.array([-1.5, 0.0, 2.0, 3.5, -4.0, 0.5, 1.0, 2.5])[:N]
B = np.array([2.0, 0.0, 2.0, -1.0, 5.0, np.nan, np.inf, 0.25])[:N]
BITS = 1 << np.arange(N)
OPERATIONS = {
    "mask_greater": (lambda a, b, out: vectors.mask_greater(load(a, (0,)), load(b, (0,))), (A > B) @ BITS),
    "mask_greater_equal": (lambda a, b, out: vectors.mask_greater_equal(load(a, (0,)), load(b, (0,))), (A >= B) @ BITS),
    "n_set": (lambda a, b, out: vectors.popcount(0b1011), 3),
    "largest": (lambda a, b, out: vectors.largest(load(a, (0,))), A.max()),
    "select": (
        lambda a, b, out: store(out, (0,), vectors.select(0b101, load(a, (0,)), load(b, (0,)))),
        np.where(0b101 & BITS, A, B),
    ),
    "divide": (lambda a, b, out: store(out, (0,), vectors.divide(load(a, (0,)), load(b, (0,)))), None),
    "fnma": (lambda a, b, out: store(out, (0,), vectors.fnma(load(a, (0,)), load(a, (0,)), load(b, (0,)))), B - A * A),
    "absolute": (lambda a, b, out: store(out, (0,), vectors.absolute(vectors.negative(load(a, (0,))))), abs(A)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_vectors_equals_numpy(name):
    operation, expected = OPERATIONS[name]
    if name == "divide":
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = A / B
    out = np.empty(N)
    got = numba.njit(**OPTIONS)(operation)(A, B, out)
    np.testing.assert_array_equal(out if got is None else got, expected)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 8, 12])
def test_totals_of_several_vectors_equal_numpy(length):
    each = (0,) * length

    def totals(rows, out, each):
        room = vectors.vectors(rows, 12)
        for k in range(len(each)):
            room[k] = load(rows, (k, 0))
        vectors.store_totals(out, (1,), room, each)

    rows = np.arange(12.0 * N).reshape(12, N) ** 2  # integers: their sums are exact in any order
    out = np.full(1 + 12 + N, -1.0)
    numba.njit(**OPTIONS)(totals)(rows, out, each)
    np.testing.assert_array_equal(out[: 1 + length], [-1, *rows[:length].sum(axis=1)])
    assert (out[1 + -(-length // N) * N :] == -1).all()


def test_aligned_zeros_begin_at_a_multiple_of_a_vector():
    for size in range(1, 40):
        got = vectors.aligned_zeros(2, size)
        assert got.ctypes.data % vectors.BYTES == 0
        assert got.shape == (2, size)
        assert not got.any()
