"""Nets in other formats, evaluated by ONNX Runtime, PyTorch and compiled C."""

import ctypes
import dataclasses
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp.sklearn import FastMLPRegressor

SHAPES = [(1, 1), (1, 3), (4, 1), (5, 2)]


@pytest.fixture
def make_net():
    """Make a net of the given sizes, and inputs for it."""

    def make(n_in, n_out, negative_slope=0.0, dtype=np.float64, scale=1.0):
        rng = np.random.default_rng(n_in + 10 * n_out)
        x = rng.normal(size=(200, n_in)) * scale
        x_range = np.stack([x.min(axis=0), x.max(axis=0)], axis=1)
        weights = (rng.normal(size=shape).astype(dtype) for shape in ((n_in, 30), 30, (30, n_out), n_out))
        return fastmlp.Model(*weights, negative_slope, x_range=x_range), x

    return make


@pytest.mark.parametrize("negative_slope", [0.0, 0.1])
@pytest.mark.parametrize(("n_in", "n_out"), SHAPES)
def test_onnx_runtime_computes_what_predict_does(make_net, tmp_path, n_in, n_out, negative_slope):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x = make_net(n_in, n_out, negative_slope)
    model.to_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["y"], {"x": x.astype(np.float32)})
    expected = model.predict(x).reshape(len(x), n_out)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    (empty,) = session.run(["y"], {"x": x[:0].astype(np.float32)})
    assert empty.shape == (0, n_out)


@pytest.mark.parametrize("negative_slope", [0.0, 0.1, -2.5])
@pytest.mark.parametrize(("n_in", "n_out"), SHAPES)
def test_a_graph_in_double_is_the_net_to_rounding(make_net, tmp_path, n_in, n_out, negative_slope):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x = make_net(n_in, n_out, negative_slope)
    model.to_onnx(tmp_path / "net.onnx", dtype="float64")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["y"], {"x": x})
    expected = model.predict(x).reshape(len(x), n_out)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
    with pytest.raises(ValueError, match=r"dtype must be numpy.float32 or numpy.float64, got 'float16'"):
        model.to_onnx(tmp_path / "net.onnx", dtype="float16")


@pytest.mark.parametrize("n_in", [1, 2])
def test_a_float_graph_that_loses_the_curve_warns(tmp_path, n_in):
    onnxruntime = pytest.importorskip("onnxruntime")
    day = np.linspace(2460000.0, 2460001.0, 60)  # Julian dates: float32 resolves a quarter of a day
    x = day[:, None] if n_in == 1 else np.stack([day, np.cos(9 * day)], axis=1)
    y = np.sin(2 * np.pi * day)
    model = fastmlp.fit(x, y, hidden=20, epochs=300, rng=0)
    with pytest.warns(RuntimeWarning, match=r"In float32, .* of their standard deviation. Export it with dtype="):
        model.to_onnx(tmp_path / "float.onnx")
    model.to_onnx(tmp_path / "double.onnx", "float64")
    outputs = {}
    for name, dtype in (("float", np.float32), ("double", np.float64)):
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
        outputs[name] = session.run(["y"], {"x": x.astype(dtype)})[0][:, 0]
    expected = model.predict(x)
    assert np.abs(outputs["float"] - expected).max() > 0.1 * expected.std()
    np.testing.assert_allclose(outputs["double"], expected, rtol=0, atol=1e-6)
    near = x - 2460000.5 if n_in == 1 else x - [2460000.5, 0.0]
    scaled = fastmlp.fit(near, y, hidden=20, epochs=300, rng=0)
    scaled.to_onnx(tmp_path / "float.onnx")  # no warning


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"negative_slope": 0.1}, {"n_out": 2}])
def test_skl2onnx_converts_a_pipeline(dtype, options):
    onnxruntime, skl2onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("skl2onnx")
    own = dict(options)
    n_out = own.pop("n_out", 1)
    x = np.random.default_rng(0).normal(50, 20, size=(80, 3))
    y = x[:, 0] if n_out == 1 else np.stack([x[:, 0], x[:, 1] * x[:, 2]], axis=1)
    pipeline = make_pipeline(StandardScaler(), FastMLPRegressor(hidden=12, epochs=50, random_state=0, **own)).fit(x, y)
    graph = skl2onnx.to_onnx(pipeline, x[:1].astype(dtype))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {session.get_inputs()[0].name: x.astype(dtype)})
    expected = pipeline.predict(x).reshape(len(x), n_out)
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_an_onnx_file_is_replaced_whole_or_not_at_all(make_net, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    model, _ = make_net(2, 1)
    path = tmp_path / "net"
    model.to_onnx(path)
    before = path.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["net"]
    too_large = fastmlp.Model([[1e300]], [0.0], [[1.0]], [0.0])
    with pytest.raises(ValueError, match=r"w1 must be within the range of float32, got 1e\+300"):
        too_large.to_onnx(path)
    monkeypatch.setattr(onnx.ModelProto, "SerializeToString", lambda self: "not bytes", raising=False)
    with pytest.raises(TypeError):
        model.to_onnx(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net"]


@pytest.mark.parametrize("negative_slope", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_computes_what_predict_does(make_net, dtype, negative_slope):
    torch = pytest.importorskip("torch")
    model, x = make_net(3, 2, negative_slope, dtype)
    middle = torch.nn.LeakyReLU(negative_slope) if negative_slope else torch.nn.ReLU()
    module = torch.nn.Sequential(torch.nn.Linear(3, 30), middle, torch.nn.Linear(30, 2))
    module.to(getattr(torch, np.dtype(dtype).name))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.to_torch_state().items()})
    got = module(torch.from_numpy(x.astype(dtype))).detach().numpy()
    expected = model.predict(x.astype(dtype))
    tolerance = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("negative_slope", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_torch_module_computes_what_predict_does(make_net, dtype, negative_slope):
    torch = pytest.importorskip("torch")
    model, x = make_net(3, 2, negative_slope, dtype)
    module = model.to_torch()
    got = module(torch.from_numpy(x.astype(dtype)))
    expected = model.predict(x.astype(dtype))
    tolerance = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=0, atol=tolerance * np.abs(expected).max())
    got.sum().backward()
    with torch.no_grad():
        module[0].weight += 1  # a copy: the model stays as it is
    np.testing.assert_array_equal(model.predict(x.astype(dtype)), expected)


def test_to_torch_without_torch_says_what_to_install(make_net, monkeypatch):
    model, _ = make_net(2, 1)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="to_torch needs the package torch: pip install torch"):
        model.to_torch()


@pytest.fixture
def compiled(tmp_path):
    """Compile C with all warnings as errors and return the function with this name."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")

    def compile_c(source, name="predict"):
        (tmp_path / "net.c").write_text(source)
        library = tmp_path / f"{name}.so"  # a loaded one must not be overwritten
        flags = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-shared", "-fPIC")
        done = subprocess.run(
            [
                *("gcc", *flags, f"-D{name.upper()}_SELF_TEST", "-fsanitize=undefined", "-fno-sanitize-recover"),
                *(tmp_path / "net.c", "-o", library),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        functions = ctypes.CDLL(str(library))
        assert functions[f"{name}_self_test"]() == 0
        function = functions[name]
        function.restype = None
        return function

    return compile_c


def evaluate(function, x, n_out, number):
    """Call the compiled function for each row of x, converted to the dtype `number`."""
    rows = np.ascontiguousarray(x, dtype=number)
    outputs = np.empty((len(rows), n_out), dtype=number)
    for row, output in zip(rows, outputs, strict=True):
        function(row.ctypes.data_as(ctypes.c_void_p), output.ctypes.data_as(ctypes.c_void_p))
    return outputs


@pytest.mark.parametrize("negative_slope", [0.0, 0.1, -2.5])
@pytest.mark.parametrize(("n_in", "n_out"), SHAPES)
@pytest.mark.parametrize(("numbers", "tolerance"), [("float", 2e-6), ("double", 4e-15)])
def test_c_computes_what_predict_does(make_net, compiled, n_in, n_out, numbers, tolerance, negative_slope):
    model, x = make_net(n_in, n_out, negative_slope)
    x = np.concatenate([x, 100 * x[:5]])
    function = compiled(model.to_c("net_2", numbers), "net_2")
    got = evaluate(function, x, n_out, np.float32 if numbers == "float" else np.float64)
    expected = model.predict(x).reshape(len(x), n_out)
    error = np.abs(got - expected) / np.abs(expected[:200]).max()
    np.testing.assert_array_less(error[:200], tolerance)
    np.testing.assert_array_less(error[200:], 100 * tolerance)


def fixed_bits(source, name):
    (line,) = (line for line in source.splitlines() if line.startswith(f"#define PREDICT_{name}_BITS {{"))
    return np.array([int(number) for number in line.split("{")[1].rstrip("}").split(", ")])


@pytest.mark.parametrize("scale", [1.0, 1e9, 1e-9])
@pytest.mark.parametrize("negative_slope", [0.0, 0.1, -2.5])
@pytest.mark.parametrize(("n_in", "n_out"), SHAPES)
def test_c_in_fixed_point_computes_what_predict_does(make_net, compiled, n_in, n_out, negative_slope, scale):
    model, x = make_net(n_in, n_out, negative_slope, scale=scale ** np.arange(n_in))
    model = fastmlp.Model(
        model.w1 / scale ** np.arange(n_in)[:, None],
        model.b1,
        model.w2 * scale ** np.arange(n_out),
        model.b2 * scale ** np.arange(n_out),
        negative_slope,
        x_range=model.x_range,
    )
    source = model.to_c(numbers="fixed")
    function = compiled(source)
    scaled = np.rint(np.ldexp(x, fixed_bits(source, "X")))
    got = np.ldexp(evaluate(function, scaled, n_out, np.int32).astype(float), -fixed_bits(source, "Y"))
    expected = model.predict(x).reshape(len(x), n_out)
    np.testing.assert_array_less(np.abs(got - expected).max(axis=0) / np.abs(expected).max(axis=0), 2e-7)


@pytest.mark.parametrize("negative_slope", [0.0, -2.5])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 3), (5, 2)])
def test_c_in_fixed_point_never_overflows(make_net, compiled, n_in, n_out, negative_slope):
    model, _ = make_net(n_in, n_out, negative_slope)
    source = model.to_c(numbers="fixed")
    function = compiled(source)  # which aborts on an overflow of signed integers
    corners = np.array(np.meshgrid(*[[-(2**31), 2**31 - 1]] * n_in)).reshape(n_in, -1).T
    got = np.ldexp(evaluate(function, corners, n_out, np.int32).astype(float), -fixed_bits(source, "Y"))
    expected = model.predict(np.ldexp(corners.astype(float), -fixed_bits(source, "X")))
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-7 * np.abs(expected).max())


@pytest.mark.parametrize(("numbers", "tolerance"), [("float", 1e-6), ("double", 1e-14), ("fixed", 1e-7)])
def test_c_of_a_curve_with_kinks_together_and_far_away(compiled, numbers, tolerance):
    near = 0.5 + 1e-9 * np.arange(-3, 4)  # one and the same in float
    kinks = np.concatenate([near, [0.0, 0.0, -1.0, 1e4, -1e30]])
    w = np.ones(12) * 2.0 ** -np.arange(12) * (-1) ** np.arange(12)
    model = fastmlp.Model(w[None], -w * kinks, np.cos(np.arange(12))[:, None], [0.3], x_range=[[-1.5, 1.5]])
    source = model.to_c(numbers=numbers)
    function = compiled(source)
    x = np.concatenate([np.linspace(-2.0, 2.0, 400), kinks[:-2]])
    if numbers == "fixed":
        scaled = np.rint(np.ldexp(x[:, None], fixed_bits(source, "X")))
        got = np.ldexp(evaluate(function, scaled, 1, np.int32).astype(float), -fixed_bits(source, "Y"))
    else:
        x = x.astype(np.float32)
        got = evaluate(function, x[:, None], 1, np.float32 if numbers == "float" else np.float64)
    expected = model.predict(x)
    np.testing.assert_allclose(got[:, 0], expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("n_in", [1, 2])
def test_c_of_a_net_of_zeros(compiled, n_in):
    model = fastmlp.Model([[0.0]] * n_in, [0.0], [[0.0]], [0.0], x_range=[[0.0, 0.0]] * n_in)
    for numbers, number in (("fixed", np.int32), ("float", np.float32)):
        function = compiled(model.to_c(f"zeros_{numbers}", numbers), f"zeros_{numbers}")
        assert evaluate(function, [[7] * n_in], 1, number).item() == 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"name": "2x"}, ValueError, "name must be a C identifier, got '2x'."),
        ({"name": "float"}, ValueError, "name must be a C identifier, got 'float'."),
        ({"name": "_Bool"}, ValueError, "name must be a C identifier, got '_Bool'."),
        ({"name": "größe"}, ValueError, "name must be a C identifier"),
        ({"name": 3}, TypeError, "name must be a C identifier, got 3."),
        ({"numbers": "half"}, ValueError, 'numbers must be one of "float", "double", "fixed"'),
        ({"numbers": "fixed"}, ValueError, 'numbers="fixed" requires the range of the inputs'),
    ],
)
def test_invalid_arguments_of_to_c_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).to_c(**arguments)


def assert_same_curve(model, x):
    """Assert that the table agrees with predict at x, at the kinks and next to them."""
    table = model.to_piecewise()
    assert (np.diff(table.breakpoints) > 0).all()
    kinks = model.kinks()
    kinks = kinks[np.isfinite(kinks)]
    x = np.concatenate([x, kinks, np.nextafter(kinks, -np.inf), np.nextafter(kinks, np.inf), table.breakpoints])
    got, expected = table.evaluate(x), model.predict(x)
    assert got.shape == expected.shape
    reach = np.abs(x)[:, None] + np.abs(table.breakpoints).max()
    terms = (reach[:, :, None] * np.abs(model.w1[0]) + np.abs(model.b1)) @ np.abs(model.w2) + np.abs(model.b2)
    scale = max(1.0, abs(model.negative_slope)) * terms[:, 0].reshape(expected.shape)
    np.testing.assert_array_less(np.abs(got - expected), 1e-14 * scale + 1e-300)
    return table


@pytest.mark.parametrize("negative_slope", [0.0, 0.1, -2.5])
@pytest.mark.parametrize("n_out", [1, 3])
def test_the_table_is_the_curve_everywhere(make_net, n_out, negative_slope):
    model, x = make_net(1, n_out, negative_slope)
    table = assert_same_curve(model, np.concatenate([x[:, 0], [-1e6, 1e6]]))
    assert table.breakpoints.shape == (30,)
    assert table.slopes.shape == ((31,) if n_out == 1 else (31, 3))
    middles = (table.breakpoints[1:] + table.breakpoints[:-1]) / 2
    expected = model.input_gradient(middles)
    np.testing.assert_allclose(table.slopes[1:-1], expected, rtol=1e-12, atol=1e-12)


@given(
    units=st.lists(st.tuples(*[st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])] * 3), min_size=1, max_size=8),
    offset=st.sampled_from([0.0, 1.5]),
    negative_slope=st.sampled_from([0.0, 0.1, 1.0, -2.0]),
)
def test_the_table_is_the_curve_with_equal_kinks_and_units_without_kinks(units, offset, negative_slope):
    w, b, v = np.array(units).T
    model = fastmlp.Model(w[None], b, v[:, None], [offset], negative_slope)
    table = assert_same_curve(model, np.linspace(-20, 20, 161))
    assert table.breakpoints.size == max(1, np.unique(model.kinks()[w != 0]).size)


def test_the_table_of_a_fit_is_the_curve():
    x = np.linspace(1e4, 1e4 + 1, 50)
    assert_same_curve(fastmlp.fit(x, np.sin(6 * x), hidden=300, epochs=300, rng=0, algorithm="reference"), x)


def test_a_kink_beyond_float64_is_no_breakpoint():
    model = fastmlp.Model([[1e-320, -1e-320, 1.0]], [1e10, -1e10, -1.0], [[1.0], [1.0], [1.0]], [0.0])
    table = model.to_piecewise()
    np.testing.assert_array_equal(table.breakpoints, [1.0])
    np.testing.assert_array_equal(table.evaluate([-3.0, 2.0]), [1e10, 1e10 + 1])


def test_the_table_is_read_only_and_requires_one_input(make_net):
    table = make_net(1, 1)[0].to_piecewise()
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 1
    with pytest.raises(ValueError, match=r"Model\.to_piecewise supports one input; this net has 2\."):
        make_net(2, 1)[0].to_piecewise()


def limited(model, x):
    """Return the model with limits that clip about half of its outputs at x."""
    outputs = model.predict(x).reshape(len(x), model.n_out)
    return dataclasses.replace(model, y_clip=np.quantile(outputs, [0.2, 0.7], axis=0).T)


@pytest.mark.parametrize(("n_in", "n_out"), SHAPES)
@pytest.mark.parametrize(("numbers", "tolerance"), [("float", 2e-6), ("double", 4e-15), ("fixed", 2e-7)])
def test_c_obeys_the_limits_of_the_outputs(make_net, compiled, n_in, n_out, numbers, tolerance):
    model, x = make_net(n_in, n_out)
    model = limited(model, x)
    source = model.to_c(numbers=numbers)
    if numbers == "fixed":
        scaled = np.rint(np.ldexp(x, fixed_bits(source, "X")))
        integers = evaluate(compiled(source), scaled, n_out, np.int32)
        got = np.ldexp(integers.astype(float), -fixed_bits(source, "Y"))
    else:
        got = evaluate(compiled(source), x, n_out, np.float32 if numbers == "float" else np.float64)
    expected = model.predict(x).reshape(len(x), n_out)
    np.testing.assert_array_less(np.abs(got - expected).max(axis=0) / np.abs(expected).max(axis=0), 10 * tolerance)


def test_fixed_point_with_limits_that_no_output_reaches(make_net, compiled):
    model, x = make_net(5, 2)
    model = dataclasses.replace(model, y_clip=[[-1e30, 1e30], [-1e30, 1e-30]])
    source = model.to_c(numbers="fixed")
    integers = evaluate(compiled(source), np.rint(np.ldexp(x, fixed_bits(source, "X"))), 2, np.int32)
    got = np.ldexp(integers.astype(float), -fixed_bits(source, "Y"))
    np.testing.assert_allclose(got, model.predict(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("n_in", "n_out"), SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_onnx_obeys_the_limits_of_the_outputs(make_net, tmp_path, n_in, n_out, dtype, tolerance):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x = make_net(n_in, n_out)
    model = limited(model, x)
    model.to_onnx(tmp_path / "net.onnx", dtype=dtype)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["y"], {"x": x.astype(dtype)})
    np.testing.assert_allclose(got, model.predict(x).reshape(got.shape), rtol=0, atol=tolerance * np.abs(got).max())


def test_the_torch_module_obeys_the_limits_of_the_outputs(make_net):
    torch = pytest.importorskip("torch")
    model, x = make_net(3, 2)
    module = limited(model, x).to_torch()
    got = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(got, limited(model, x).predict(x), rtol=1e-12)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.to_torch_state().items()})


@pytest.mark.parametrize("negative_slope", [0.0, -2.5])
@pytest.mark.parametrize("n_out", [1, 3])
def test_the_table_obeys_the_limits_of_the_outputs(make_net, n_out, negative_slope):
    model, x = make_net(1, n_out, negative_slope)
    clipped = limited(model, x)
    table = assert_same_curve(clipped, np.concatenate([x[:, 0], [-1e6, 1e6]]))
    values, slopes = table.values.reshape(-1, n_out), table.slopes.reshape(-1, n_out)
    assert (values >= clipped.y_clip[:, 0]).all()
    assert (values <= clipped.y_clip[:, 1]).all()
    assert (np.diff(slopes, axis=0) != 0).any(axis=1).all()
    middles = (table.breakpoints[1:] + table.breakpoints[:-1]) / 2
    expected = clipped.input_gradient(middles).reshape(len(middles), n_out)
    np.testing.assert_allclose(slopes[1:-1], expected, rtol=1e-11, atol=1e-11)


def test_the_table_of_a_net_that_is_clipped_everywhere():
    line = fastmlp.Model([[2.0]], [1.0], [[3.0]], [10.0], y_clip=[[-1.0, 2.5]])
    table = line.to_piecewise()
    np.testing.assert_array_equal(table.evaluate([-9.0, 0.0, 9.0]), [2.5, 2.5, 2.5])
    np.testing.assert_array_equal(table.slopes, [0.0, 0.0])
    assert line.input_gradient([1.0]) == 0.0


def stated_bounds(source):
    """Return the bounds on the rounding errors that the comment of a source states."""
    (found,) = re.findall(r"differ from those\s+of the\s+model by\s+at\s+most (.*?), because", " ".join(source.split()))
    return np.array([float(number) for number in found.split(", ")])


def evaluated(source, function, x, n_out, numbers):
    """Evaluate a compiled function at inputs in units of the data, and return outputs in units of the data."""
    if numbers != "fixed":
        return evaluate(function, x, n_out, np.float32 if numbers == "float" else np.float64).astype(float)
    integers = np.clip(np.rint(np.ldexp(x, fixed_bits(source, "X"))), -(2**31), 2**31 - 1)
    return np.ldexp(evaluate(function, integers, n_out, np.int32).astype(float), -fixed_bits(source, "Y"))


@pytest.mark.parametrize("negative_slope", [0.0, 0.1, -2.5])
@pytest.mark.parametrize("n_in", [1, 3])
@pytest.mark.parametrize("numbers", ["float", "double", "fixed"])
def test_c_is_within_its_stated_error_and_clamps_when_asked(make_net, compiled, n_in, numbers, negative_slope):
    model, x = make_net(n_in, 2, negative_slope)
    model = limited(model, x)
    low, high = model.x_range.T
    rng = np.random.default_rng(1)
    points = rng.uniform(low - (high - low) / 2, high + (high - low) / 2, (10_000, n_in)).astype(np.float32)
    is_inside = ((points >= low) & (points <= high)).all(axis=1)
    for clamp in (False, True):
        name = f"net_{clamp}".lower()
        source = model.to_c(name, numbers, clamp).replace(f"{name.upper()}_X_BITS", "PREDICT_X_BITS")
        source = source.replace(f"{name.upper()}_Y_BITS", "PREDICT_Y_BITS")
        got = evaluated(source, compiled(source, name), points, 2, numbers)
        expected = model.predict(np.clip(points, low, high) if clamp else points)
        error = np.abs(got - expected)
        bound = stated_bounds(source) * 1.01 + 1e-13 * np.abs(expected).max()  # three digits; rounding of predict
        inside = error if clamp else error[is_inside]
        assert (inside <= bound).all()
        assert (inside.max(axis=0) > bound / 500).all()  # the bound is no empty promise
        assert (error <= 20 * bound).all()


def test_the_self_test_notices_a_wrong_table(make_net, tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    for n_in, numbers in ((1, "float"), (2, "fixed")):
        source = make_net(n_in, 1)[0].to_c("net", numbers)
        table = re.search(r"net_(?:y|w2).*?\};", source, re.DOTALL)[0]
        wrong = re.sub(r"-?\d+(?:\.\d+)?(?=[,}e])", "7", table.split("=")[1])
        main = "\nint main(void) { return net_self_test(); }\n"
        for text, is_right in ((source, True), (source.replace(table.split("=")[1], wrong), False)):
            (tmp_path / "net.c").write_text(text + main)
            subprocess.run(["gcc", "-DNET_SELF_TEST", tmp_path / "net.c", "-o", tmp_path / "net"], check=True)
            assert (subprocess.run([tmp_path / "net"]).returncode == 0) is is_right


def test_a_clamped_source_has_no_breakpoints_outside_the_range(make_net):
    model = make_net(1, 1)[0]
    table = model.to_piecewise(clamp=True)
    (low, high) = model.x_range[0]
    kinks = model.kinks()
    inside = np.sort(kinks[(kinks > low) & (kinks < high)])
    np.testing.assert_allclose(table.breakpoints, [low, *inside, high], rtol=1e-12)
    assert (table.slopes[0], table.slopes[-1]) == (0.0, 0.0)
    points = np.linspace(low - 3, high + 3, 501)
    expected = model.predict(np.clip(points, low, high))
    np.testing.assert_allclose(table.evaluate(points), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.interp(points, table.breakpoints, table.values), expected, rtol=0, atol=1e-12)
    assert f"net_x[{len(inside) + 2}]" in model.to_c("net", clamp=True)
    assert "net_x[30]" in model.to_c("net")
    one = dataclasses.replace(model, x_range=[[0.5, 0.5]]).to_piecewise(clamp=True)
    np.testing.assert_array_equal(one.breakpoints, [0.5])
    np.testing.assert_allclose(one.evaluate([-9.0, 9.0]), model.predict([0.5, 0.5]), rtol=1e-12)


def test_clamping_requires_the_range():
    model = fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0])
    words = "clamp=True requires the range of the inputs. Fit the model, or create it with x_range."
    with pytest.raises(ValueError, match=words):
        model.to_c(clamp=True)
    with pytest.raises(ValueError, match=words):
        model.to_piecewise(clamp=True)
    with pytest.raises(TypeError, match="clamp must be True or False"):
        model.to_c(clamp="yes")


def test_the_comment_of_a_source_has_names_range_and_errors():
    x = np.linspace(2.0, 8.0, 40)
    y = np.stack([np.sin(x), x], axis=1)
    model = fastmlp.fit_cv(x, y, hidden=3, n_estimators=1, rng=0)
    model = dataclasses.replace(model, feature_names=["V */ int"], target_names=["°C", "bar"])
    comment = " ".join(model.to_c("sensor", "fixed").partition("*/")[0].split())
    assert "Trained on inputs in [2, 8]. x: 'V * / int'. y: '\\xb0C', 'bar'." in comment
    errors = ", ".join(f"{error:.3g}" for error in model.info.cv_rmse_by_output)
    assert f"RMSE on new data (cross-validated): {errors}." in comment
    assert "because of rounding, also of x." in comment
    stopped = fastmlp.fit(x, y, hidden=3, epochs=50, rng=0, validation=(x, y), patience=3)
    assert f"RMSE on validation data: {stopped.history.val_rmse.min():.3g}." in " ".join(stopped.to_c().split())


@pytest.mark.parametrize("n_in", [1, 2])
def test_exports_of_an_ensemble_are_of_the_mean(tmp_path, compiled, n_in):
    x = np.random.default_rng(0).normal(size=(30, n_in))
    ensemble = fastmlp.fit_many(x, x.sum(axis=1) ** 2, [{"hidden": 5}, {"hidden": 9}], rng=0, epochs=100)
    expected = ensemble.predict(x)
    got = evaluate(compiled(ensemble.to_c("mean", "double"), "mean"), x, 1, np.float64)[:, 0]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)
    state = ensemble.to_torch_state()
    assert state["0.weight"].shape == (14, n_in)
    if n_in == 1:
        np.testing.assert_allclose(ensemble.to_piecewise().evaluate(x), expected, rtol=0, atol=1e-13)
    onnxruntime = pytest.importorskip("onnxruntime")
    ensemble.to_onnx(tmp_path / "mean.onnx", "float64")
    session = onnxruntime.InferenceSession(tmp_path / "mean.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0][:, 0], expected, rtol=0, atol=1e-13)


def test_ensembles_that_are_not_one_net_are_refused():
    line = fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0])
    for other, words in (({"y_clip": [[0.0, 1.0]]}, "with y_clip"), ({"negative_slope": 0.1}, "negative_slope")):
        ensemble = fastmlp.Ensemble((line, dataclasses.replace(line, **other)), {})
        with pytest.raises(ValueError, match=f"The average of models with .*{words[-6:]}.* is not one net"):
            ensemble.to_c()
    one = fastmlp.Ensemble((dataclasses.replace(line, y_clip=[[0.0, 1.0]]), None), {1: RuntimeError("failed")})
    assert one.to_piecewise().values.tolist() == [0.0, 1.0]


def test_without_onnx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs the package onnx: pip install 'onnx>=1\.17'\."):
        fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).to_onnx(tmp_path / "net.onnx")
