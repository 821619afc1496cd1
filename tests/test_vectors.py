"""Every intrinsic of the kernels equals NumPy in both dtypes, and so does its fallback without compilation."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features

from fastmlp.compiled import hints, masks, reductions, registers, scans, vectors
from fastmlp.compiled.cache import is_interpreted
from fastmlp.compiled.compiler import OPTIONS, dispatcher
from fastmlp.compiled.jit import REGISTRY, Role
from fastmlp.compiled.memory import aligned_zeros
from fastmlp.compiled.vectors import lanes, load, store

DTYPES = (np.float32, np.float64)
# Products and sums of these are exact in both dtypes, so it does not matter how often they are rounded.
VALUES = (1.5, -2.0, 0.25, 3.0, 0.0, -0.0, np.inf, -np.inf, np.nan)


@pytest.fixture(params=DTYPES, ids=lambda dtype: dtype.__name__)
def dtype(request):
    return np.dtype(request.param)


def run(kernel, *arguments):
    """Compile a function as kernels are, and call it."""
    return (kernel if is_interpreted() else dispatcher(kernel, OPTIONS))(*arguments)


def combinations(count, dtype):
    """Return all combinations of `count` values, one array for each place, padded to whole vectors."""
    columns = np.array(list(itertools.product(VALUES, repeat=count)), dtype).T.copy()
    return np.pad(columns, ((0, 0), (0, -columns.shape[1] % vectors.n_lanes(dtype))))


def assert_same(got, expected):
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def assert_moved(got, expected):
    """Assert equality down to the sign of zeros, as for values that were copied."""
    assert_same(got, expected)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


ELEMENTWISE = {
    vectors.negative: lambda a: -a,
    vectors.absolute: np.abs,
    vectors.root: np.sqrt,
    vectors.add: lambda a, b: a + b,
    vectors.subtract: lambda a, b: a - b,
    vectors.multiply: lambda a, b: a * b,
    vectors.divide: lambda a, b: a / b,
    vectors.fma: lambda a, b, c: a * b + c,
    vectors.fnma: lambda a, b, c: c - a * b,
    masks.positive_part: lambda a: np.where(a < 0, 0, a),
    masks.where_positive: lambda a, b, c: np.where((a > 0) | np.isnan(a), b, c),
}
NAMES = (
    "negative",
    "absolute",
    "root",
    "add",
    "subtract",
    "multiply",
    "divide",
    "fma",
    "fnma",
    "positive_part",
    "where_positive",
)


@pytest.mark.parametrize(("operation", "formula"), ELEMENTWISE.items(), ids=NAMES)
def test_elementwise_operations_equal_numpy(operation, formula, dtype):
    def unary(out, a):
        for i in range(0, out.size, lanes(out)):
            store(out, (i,), operation(load(a, (i,))))

    def binary(out, a, b):
        for i in range(0, out.size, lanes(out)):
            store(out, (i,), operation(load(a, (i,)), load(b, (i,))))

    def ternary(out, a, b, c):
        for i in range(0, out.size, lanes(out)):
            store(out, (i,), operation(load(a, (i,)), load(b, (i,)), load(c, (i,))))

    count = 1 if formula in (np.abs, np.sqrt) else formula.__code__.co_argcount
    columns = combinations(count, dtype)
    if operation is vectors.divide:
        columns[1] += 0.0  # no -0.0: kernels are compiled such that the sign of a zero is not to be relied on
    out = np.empty(columns.shape[1], dtype)
    run((unary, binary, ternary)[count - 1], out, *columns)
    with np.errstate(all="ignore"):
        expected = formula(*columns)
    assert_same(out, expected)


@pytest.mark.parametrize("start", [0, 1])
def test_load_and_store_copy_one_vector(dtype, start):
    def copy(out, array, start):
        store(out, (1, start), load(array, (2, start)))

    n = vectors.n_lanes(dtype)
    array = np.resize(np.array(VALUES, dtype), (3, n + 2))[:, :-1]  # rows that do not follow each other
    out = np.full((2, n + 1), 7, dtype)
    expected = out.copy()
    expected[1, start : start + n] = array[2, start : start + n]
    run(copy, out, array, start)
    assert_moved(out, expected)


@pytest.mark.parametrize("value", VALUES)
def test_broadcasts_fill_all_lanes(dtype, value):
    def broadcasts(out, array):
        store(out, (0, 0), vectors.broadcast(array[0, 1]))
        store(out, (1, 0), vectors.broadcast_load(array, (0, 1)))
        store(out, (2, 0), vectors.broadcast_value(array, array[0, 1]))

    out = np.empty((3, vectors.n_lanes(dtype)), dtype)
    run(broadcasts, out, np.array([[5, value]], dtype))
    assert_moved(out, np.full_like(out, value))


@pytest.mark.parametrize("value", [0.1, 3])
def test_a_broadcast_value_is_rounded_to_the_dtype(dtype, value):
    def broadcast(out, value):
        store(out, (0,), vectors.broadcast_value(out, value))

    out = np.empty(vectors.n_lanes(dtype), dtype)
    run(broadcast, out, value)
    assert_same(out, np.full_like(out, value))


def test_zeros_and_number_of_lanes(dtype):
    def write_zeros(out):
        store(out, (0,), vectors.zeros(out))
        return lanes(out)

    n = vectors.BYTES // dtype.itemsize
    out = np.full(n, np.nan, dtype)
    assert run(write_zeros, out) == n == vectors.n_lanes(dtype)
    assert_moved(out, np.zeros(n, dtype))


def rows_of_one_vector(dtype):
    """Return vectors whose sums are exact, plain and with special values in the first or the last lane."""
    n = vectors.n_lanes(dtype)
    plain = np.arange(3.0 * n, dtype=dtype).reshape(3, n) ** 2 - 40
    special = np.repeat(plain, len(VALUES), axis=0)
    special[np.arange(len(special)), np.where(np.arange(len(special)) % 2, 0, n - 1)] = np.resize(VALUES, len(special))
    none = np.full((1, n), np.nan, dtype)
    both = np.resize(np.array([np.inf, -np.inf], dtype), (1, n))
    return np.concatenate([plain, special, none, both])


def test_total_adds_the_lanes(dtype):
    def totals(out, rows):
        for i in range(len(rows)):
            out[i] = reductions.total(load(rows, (i, 0)))

    rows = rows_of_one_vector(dtype)
    out = np.empty(len(rows), dtype)
    run(totals, out, rows)
    with np.errstate(invalid="ignore"):
        assert_same(out, rows.sum(axis=1))


def test_largest_ignores_nan(dtype):
    def maxima(out, rows):
        for i in range(len(rows)):
            out[i] = reductions.largest(load(rows, (i, 0)))

    rows = rows_of_one_vector(dtype)
    out = np.empty(len(rows), dtype)
    run(maxima, out, rows)
    assert_same(out, np.fmax.reduce(rows, axis=1))


def with_zero(row, place):
    return np.insert(row, place, 0)


SCANS = {
    scans.sums_from_left: np.cumsum,
    scans.sums_from_right: lambda row: np.cumsum(row[::-1])[::-1],
    scans.shifted_right: lambda row: with_zero(row, 0)[:-1],
    scans.shifted_left: lambda row: with_zero(row, row.size)[1:],
    scans.broadcast_first: lambda row: np.full_like(row, row[0]),
    scans.broadcast_last: lambda row: np.full_like(row, row[-1]),
}


@pytest.mark.parametrize("scan", SCANS, ids=[str(k) for k in range(len(SCANS))])
def test_scans_equal_numpy(scan, dtype):
    def scan_rows(out, rows):
        for i in range(len(rows)):
            store(out, (i, 0), scan(load(rows, (i, 0))))

    rows = rows_of_one_vector(dtype)
    out = np.empty_like(rows)
    run(scan_rows, out, rows)
    with np.errstate(invalid="ignore"):
        assert_same(out, np.stack([SCANS[scan](row) for row in rows]))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 12, 16, 17])
def test_store_totals_adds_the_lanes_of_each_vector(dtype, length):
    def totals(out, rows, each):
        room = registers.vectors(rows, 17)
        for k in range(len(each)):
            room[k] = load(rows, (k, 0))
        reductions.store_totals(out, (0, 1), room, each)

    rows = rows_of_one_vector(dtype)[-length:]
    n = vectors.n_lanes(dtype)
    out = np.full((1, 1 + 17 + n), -1, dtype)
    run(totals, out, rows, (0,) * length)
    with np.errstate(invalid="ignore"):
        assert_same(out[0, : 1 + length], np.array([-1, *rows.sum(axis=1)], dtype))
    assert (out[0, 1 + -(-length // n) * n :] == -1).all()


def bits(is_set):
    """Return masks as integers: the lanes of each row, the first in the lowest bit."""
    return is_set @ (1 << np.arange(is_set.shape[1]))


def test_comparisons_set_the_bits_of_lanes_and_no_bit_for_nan(dtype):
    def compare(out, a, b):
        for i in range(len(out)):
            first, second = load(a, (i * lanes(a),)), load(b, (i * lanes(a),))
            out[i, 0] = masks.mask_greater(first, second)
            out[i, 1] = masks.mask_greater_equal(first, second)

    a, b = combinations(2, dtype)
    n = vectors.n_lanes(dtype)
    out = np.empty((len(a) // n, 2), np.int64)
    run(compare, out, a, b)
    assert_same(out, np.stack([bits((a > b).reshape(-1, n)), bits((a >= b).reshape(-1, n))], axis=1))


def some_masks(n):
    """Return all masks of n lanes if they are few, or some of them."""
    rng = np.random.default_rng(0)
    return np.arange(2**n) if n <= 8 else np.array([0, 1, 2**n - 1, 2 ** (n - 1), *rng.integers(2**n, size=200)])


def test_select_chooses_by_mask(dtype):
    def choose(out, chosen, value, other):
        for i in range(len(chosen)):
            store(out, (i, 0), masks.select(chosen[i], load(value, (0,)), load(other, (0,))))

    n = vectors.n_lanes(dtype)
    value, other = (np.resize(np.roll(VALUES, shift), n).astype(dtype) for shift in (0, 5))
    chosen = some_masks(n)
    out = np.empty((len(chosen), n), dtype)
    run(choose, out, chosen, value, other)
    assert_moved(out, np.where(chosen[:, None] >> np.arange(n) & 1, value, other))


def test_popcount_counts_the_bits_of_64():
    def count(out, numbers):
        for i in range(len(numbers)):
            out[i] = masks.popcount(numbers[i])

    numbers = np.array([0, 1, 0b1011, 255, 2**16 - 1, 2**62, 2**63 - 1, -1, -(2**63)])
    out = np.empty_like(numbers)
    run(count, out, numbers)
    np.testing.assert_array_equal(out, [0, 1, 3, 8, 16, 1, 63, 64, 1])


def test_marks_are_of_lanes_that_are_positive_or_nan(dtype):
    def mark(marks, a):
        for i in range(len(marks)):
            masks.mark_positive(marks, (i, 0), load(a, (i * lanes(a),)))

    (a,) = combinations(1, dtype)
    a = np.concatenate([a, a[::-1]])
    n = vectors.n_lanes(dtype)
    marks = np.zeros((len(a) // n, 1), masks.mark_dtype(dtype))
    run(mark, marks, a)
    expected = bits(((a > 0) | np.isnan(a)).reshape(-1, n))
    np.testing.assert_array_equal(marks[:, 0], expected)


def test_where_marked_keeps_the_marked_lanes(dtype):
    def keep(out, marks, value):
        for i in range(len(marks)):
            store(out, (i, 0), masks.where_marked(marks, (i,), load(value, (0,))))

    n = vectors.n_lanes(dtype)
    value = np.resize(np.roll(VALUES, 3), n).astype(dtype)
    marks = some_masks(n).astype(masks.mark_dtype(dtype))
    out = np.empty((len(marks), n), dtype)
    run(keep, out, marks, value)
    assert_moved(out, np.where(marks[:, None] >> np.arange(n) & 1, value, dtype.type(0)))


def test_registers_and_vectors_hold_what_was_put_in(dtype):
    def reverse(out, a):
        numbers, rows = registers.registers(a, 5), registers.vectors(a, 3)
        for k in range(5):
            numbers[k] = a[k, 0]
        for k in range(3):
            rows[k] = load(a, (k, 0))
        for k in range(5):
            out[k, 0] = numbers[4 - k]
        for k in range(3):
            store(out, (5 + k, 0), rows[2 - k])

    n = vectors.n_lanes(dtype)
    a = np.resize(np.array(VALUES, dtype), (5, n))
    out = np.zeros((8, n), dtype)
    expected = out.copy()
    expected[:5, 0] = a[::-1, 0]
    expected[5:] = a[2::-1]
    run(reverse, out, a)
    assert_moved(out, expected)


def test_hints_change_no_result(dtype):
    def copy(out, a, index):
        hints.prefetch(a, (index,))
        hints.compiler_fence()
        out[0] = a[hints.assume_nonnegative(index)]
        return hints.assume_nonnegative(index)

    out = np.zeros(1, dtype)
    assert run(copy, out, np.arange(9, dtype=dtype), 7) == 7
    assert_same(out, np.array([7], dtype))


def test_every_intrinsic_is_tested_here():
    modules = (vectors, reductions, scans, masks, registers, hints)
    names = {
        name
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and value in REGISTRY and REGISTRY[value].role is Role.INSTRUCTION
    }
    assert len(names) > 20
    text = Path(__file__).read_text().partition("\nDTYPES")[2]
    assert {name for name in names if not re.search(rf"\b{name}\b[,(:]", text)} == set()


def run_these_tests(**environment):
    """Run this file in a process of its own, without the tests that call this."""
    selected = "not every_intrinsic and not fallbacks and not narrower"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", selected, __file__]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


def test_fallbacks_without_compilation_equal_numpy():
    run_these_tests(NUMBA_DISABLE_JIT="1")


@pytest.mark.slow
@pytest.mark.parametrize("features", ["", "+avx,+avx2,+fma"], ids=["baseline", "avx2"])
def test_narrower_vectors_equal_numpy(features):
    host = get_host_cpu_features()
    if not all(host.get(feature[1:]) for feature in features.split(",") if feature):
        pytest.skip("this processor has no such vectors")
    run_these_tests(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_aligned_zeros_begin_on_a_cache_line(dtype):
    for size in range(40):
        got = aligned_zeros((2, size), np.dtype(dtype))
        assert got.ctypes.data % 64 == 0
        assert got.shape == (2, size)
        assert got.dtype == dtype
        assert got.flags.c_contiguous
        assert not got.any()
