"""Write the options of a fit into signatures and docstrings: `make options`.

`fastmlp.starting.options.FitOptions` declares every option once. Editors, type checkers and documentation tools read
the source files, so each signature must list all options. This script rewrites three parts of `fastmlp.fit`,
`fastmlp.fit_many` and the estimator:

- the parameters of the signature,
- their entries in the docstring's section "Parameters",
- the arguments of ``FitOptions(...)`` and the assignments ``self.name = name``.

It does not change anything else in these files, such as parameters that are not options of a fit.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path

from fastmlp.starting.options import FitOptions

ROOT = Path(__file__).parent.parent
OPTIONS = {field.name: field for field in fields(FitOptions)}


@dataclass(frozen=True)
class Target:
    """A function that takes options.

    Attributes
    ----------
    path, name : str
        File and name. For a class, the signature is that of ``__init__`` and the docstring that of the class.
    left_out : frozenset of str
        Options that the function does not take.
    documented_there : frozenset of str
        Options with another meaning in this function; their docstring entries are written by hand.
    defaults : mapping of str to object
        Defaults that differ from those of `fastmlp.fit`.
    with_details : bool
        Whether the docstring includes the details after the first line.
    """

    path: str
    name: str
    left_out: frozenset[str] = frozenset()
    documented_there: frozenset[str] = frozenset()
    defaults: Mapping[str, object] = field(default_factory=dict)
    with_details: bool = False

    @property
    def options(self) -> list[str]:
        """The options that it takes, in order."""
        return [name for name in OPTIONS if name not in self.left_out]

    def annotation(self, name: str) -> str:
        """Return the annotation of an option in the signature."""
        declared = str(OPTIONS[name].metadata["annotation"] or OPTIONS[name].type)
        takes_none = declared.endswith("| None") or self.defaults.get(name, OPTIONS[name].default) is not None
        return declared if takes_none else f"{declared} | None"

    def default(self, name: str) -> str:
        """Return the default of an option, as it is written in code."""
        value = self.defaults.get(name, OPTIONS[name].default)
        return f'"{value}"' if isinstance(value, str) else repr(value)


TARGETS = (
    Target("fastmlp/fitting.py", "fit", with_details=True),
    Target(
        "fastmlp/many.py",
        "fit_many",
        left_out=frozenset({"checkpoint"}),  # every net needs a file of its own
        documented_there=frozenset({"rng", "threads", "record_every", "progress"}),
    ),
    Target(
        "fastmlp/sklearn/regressor.py",
        "FastMLPRegressor",
        # Arguments of the estimator's own `fit`, or of a single run.
        left_out=frozenset({"rng", "sample_weight", "validation", "dtype", "snapshots", "stop_at_crossing"})
        | {"checkpoint", "checkpoint_every", "resume", "progress"},
        documented_there=frozenset({"patience", "weight_decay"}),
        defaults={"hidden": 100, "epochs": 400, "optimizer": "lbfgs", "weight_decay": None},
    ),
)


def written(target: Target, source: str) -> str:
    """Return the source of a target's file with the options written into it."""
    for rewrite in (_docstring, _signature, _call, _assignments):
        source = rewrite(target, source)
    return source


def _definition(target: Target, source: str) -> tuple[ast.FunctionDef, ast.Expr]:
    """Return the function of a target and its docstring."""
    (node,) = (node for node in ast.parse(source).body if getattr(node, "name", None) == target.name)
    function = node
    if isinstance(node, ast.ClassDef):
        (function,) = (inner for inner in node.body if getattr(inner, "name", None) == "__init__")
    assert isinstance(function, ast.FunctionDef)
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    docstring = node.body[0]
    assert isinstance(docstring, ast.Expr)
    return function, docstring


def _replaced(source: str, first: int, last: int, lines: list[str]) -> str:
    """Replace the lines from first to last, counted from 1."""
    old = source.split("\n")
    return "\n".join([*old[: first - 1], *lines, *old[last:]])


def _signature(target: Target, source: str) -> str:
    function, _ = _definition(target, source)
    taken = [arg for arg in (*function.args.args, *function.args.kwonlyargs) if arg.arg in OPTIONS]
    indent = " " * taken[0].col_offset
    lines = [f"{indent}{name}: {target.annotation(name)} = {target.default(name)}," for name in target.options]
    return _replaced(source, taken[0].lineno, taken[-1].end_lineno or 0, lines)


def _call(target: Target, source: str) -> str:
    function, _ = _definition(target, source)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "FitOptions":
            indent = " " * node.keywords[0].col_offset
            lines = [f"{indent}{name}={name}," for name in target.options]
            return _replaced(source, node.keywords[0].lineno, node.keywords[-1].end_lineno or 0, lines)
    return source


def _assignments(target: Target, source: str) -> str:
    function, _ = _definition(target, source)
    assigned = [
        node
        for node in function.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in OPTIONS
    ]
    if not assigned:
        return source
    indent = " " * assigned[0].col_offset
    lines = [f"{indent}self.{name} = {name}" for name in target.options]
    return _replaced(source, assigned[0].lineno, assigned[-1].end_lineno or 0, lines)


def _docstring(target: Target, source: str) -> str:
    """Rewrite the section "Parameters", in the order of the signature."""
    function, docstring = _definition(target, source)
    lines = source.split("\n")
    indent = " " * docstring.col_offset
    first = lines.index(f"{indent}Parameters", docstring.lineno - 1) + 2  # the line below the dashes
    last = lines.index("", first)
    entries: dict[str, list[str]] = {}
    for line in lines[first:last]:
        found = re.match(rf"{indent}(\w+)(, \w+)* :", line)
        if found:
            entries[found[1]] = []
        list(entries.values())[-1].append(line)
    for name in target.options:
        if name not in target.documented_there:
            entries[name] = _entry(target, name, indent)
    for name in target.left_out:
        entries.pop(name, None)
    own = {arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)} - OPTIONS.keys()
    before, after = (
        [name for name in entries if name in own and _is_before(function, name) is wanted] for wanted in (True, False)
    )
    new = [line for name in (*before, *target.options, *after) for line in entries[name]]
    return _replaced(source, first + 1, last, new)


def _is_before(function: ast.FunctionDef, name: str) -> bool:
    """Return whether a parameter stands before the options."""
    names = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
    return names.index(name) < min(i for i, other in enumerate(names) if other in OPTIONS)


def _entry(target: Target, name: str, indent: str) -> list[str]:
    """Return an option's entry of a docstring."""
    option = OPTIONS[name]
    details = option.metadata["details"].splitlines() if target.with_details else []
    head = f"{name} : {kind(option)}, default {target.default(name)}"
    return [f"{indent}{head}", *(f"{indent}    {line}" for line in (option.metadata["line"], *details))]


def kind(option: Field[object]) -> str:
    """Return an option's type as docstrings say it: "int or None"."""
    return str(option.metadata["kind"] or str(option.type).replace(" | ", " or "))


def main() -> None:
    """Rewrite every target's file."""
    for target in TARGETS:
        path = ROOT / target.path
        path.write_text(written(target, path.read_text()))


if __name__ == "__main__":
    main()
