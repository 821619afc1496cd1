"""The package stays in layers without import circles, and in modules and functions that fit on a few screens.

Every import counts: inside functions and under TYPE_CHECKING too. The sources are parsed; nothing is imported.
"""

import ast
from functools import cache
from itertools import chain
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "fastmlp"
# A module imports from earlier lines, from its own folder, and, if it lies in no folder, from its own line.
LAYERS = (
    ("compiled",),
    ("engines",),
    ("checks", "versions"),
    ("files",),
    ("nets",),
    ("starting", "exporting", "showing"),
    ("models",),
    ("training",),
    ("cross_validation",),
    ("fitting", "knots", "pipeline", "many", "jobs", "parallel_fits", "batched_fits"),
    ("__init__",),
    ("sklearn", "cli"),
    ("__main__",),
)
MAX_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 400, 60, 6
# Functions of the public interface that may be longer or take more parameters: users pass the options by keyword.
EXCEPTIONS = {
    "fitting.fit": "each option of a fit is a parameter",
    "cross_validation.fit_cv.fit_cv": "each option of a cross-validated fit is a parameter",
    "many.fit_many": "those of fit, and how many fits",
    "sklearn.regressor.FastMLPRegressor.__init__": "scikit-learn clones estimators by their explicit parameters",
    "sklearn.cross_validated.FastMLPRegressorCV.__init__": "as above",
}


def name_of(path):
    """Return the name of a module within the package: "engines.engine", "files.__init__", "__init__"."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def syntax(module):
    return ast.parse(FILES[module].read_text())


def module_named(absolute):
    """Return the module of the package that an absolute name denotes, or None."""
    name = absolute.removeprefix("fastmlp").removeprefix(".")
    return next((found for found in (name, f"{name}.__init__".removeprefix(".")) if found in FILES), None)


@cache
def imports(module):
    """Return the modules of the package that a module imports; `from a import b` imports a.b if that is a module."""
    found = set()
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Import):
            absolute = {alias.name for alias in node.names if alias.name.split(".")[0] == "fastmlp"}
            found |= {module_named(name) for name in absolute}
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "fastmlp":
            found |= {module_named(f"{node.module}.{alias.name}") or module_named(node.module) for alias in node.names}
    return found - {None}


def reached(module):
    """Return the modules that a module imports, directly or through others."""
    found, pending = set(), [module]
    while pending:
        added = imports(pending.pop()) - found
        found |= added
        pending += added
    return found


def layer(module):
    """Return the place of a module in LAYERS; a module without one is above all."""
    return next((place for place, units in enumerate(LAYERS) if module.split(".")[0] in units), len(LAYERS))


def is_allowed(module, imported):
    """Return whether a module may import another."""
    if layer(module) == layer(imported):
        is_same_folder = module.split(".")[0] == imported.split(".")[0]
        return is_same_folder or not ("." in module or "." in imported)
    return layer(imported) < layer(module)


def shown(offenders):
    """Return lines for a message of failure."""
    return "\n".join(["", *sorted(offenders)])


def test_every_module_has_a_layer():
    units = {module.split(".")[0] for module in FILES}
    assert units == set(chain(*LAYERS)), shown(units ^ set(chain(*LAYERS)))


def test_no_import_points_upwards():
    upwards = [
        f"{module} imports {imported}"
        for module in FILES
        for imported in imports(module)
        if not is_allowed(module, imported)
    ]
    assert not upwards, shown(upwards)


def test_no_modules_import_each_other_in_a_circle():
    circles = {
        " and ".join(sorted(other for other in reached(module) if module in reached(other)))
        for module in FILES
        if module in reached(module)
    }
    assert not circles, shown(circles)


def test_imports_are_absolute_since_the_stamps_of_the_compile_cache_follow_those():
    relative = [
        f"{module}:{node.lineno}"
        for module in FILES
        for node in ast.walk(syntax(module))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, shown(relative)


def test_no_module_is_long():
    sizes = {module: len(path.read_text().splitlines()) for module, path in FILES.items()}
    long = [f"{module}: {size} lines" for module, size in sizes.items() if size > MAX_LINES]
    assert not long, shown(long)


def functions(module):
    """Yield each function of a module by its qualified name, and whether it is a method that gets self or cls."""

    def within(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                is_static = "staticmethod" in map(ast.unparse, child.decorator_list)
                yield f"{prefix}.{child.name}", child, isinstance(node, ast.ClassDef) and not is_static
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            yield from within(child, f"{prefix}.{child.name}" if named else prefix)

    return within(syntax(module), module)


def n_parameters(function, is_method):
    """Return how many parameters a function has, self and cls not counted."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len(named) - is_method + (arguments.vararg is not None) + (arguments.kwarg is not None)


def n_lines(function, lines):
    """Return how many lines of code a function has: docstring, comments and empty lines are not counted."""
    documented = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    docstring = range(documented.lineno, documented.end_lineno + 1) if documented else ()
    numbers = range(function.lineno, function.end_lineno + 1)
    code = [lines[number - 1].strip() for number in numbers if number not in docstring]
    return sum(bool(line) and not line.startswith("#") for line in code)


def big_functions():
    """Return a description of each function that is too long or has too many parameters."""
    big = {}
    for module, path in FILES.items():
        lines = path.read_text().splitlines()
        for name, function, is_method in functions(module):
            sizes = n_lines(function, lines), n_parameters(function, is_method)
            if sizes[0] > MAX_FUNCTION_LINES or sizes[1] > MAX_PARAMETERS:
                big[name] = f"{name}: {sizes[0]} lines, {sizes[1]} parameters"
    return big


def test_functions_are_short_and_take_few_parameters():
    offenders = [size for name, size in big_functions().items() if name not in EXCEPTIONS]
    assert not offenders, shown(offenders)


def test_no_exception_is_out_of_date():
    assert EXCEPTIONS.keys() - big_functions().keys() == set()
