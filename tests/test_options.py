"""Options are declared once; signatures, docstrings and the command line say the same."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import fastmlp
from fastmlp.cli.commands import parser
from fastmlp.cli.fit import OPTIONS
from fastmlp.starting.options import FitOptions

ROOT = Path(__file__).parent.parent
DECLARED = {field.name: field for field in dataclasses.fields(FitOptions)}


@pytest.fixture
def write_options(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import write_options

    return write_options


def test_sources_are_in_step_with_the_declaration(write_options):
    for target in write_options.TARGETS:
        source = (ROOT / target.path).read_text()
        assert write_options.written(target, source) == source, "run `make options`"


def test_the_script_repairs_what_was_edited_by_hand(write_options):
    for target in write_options.TARGETS:
        source = (ROOT / target.path).read_text()
        edited = re.sub(r"hidden: int = \d+", "hidden: float = 3", source, count=1)
        edited = edited.replace("    Number of hidden units.\n", "    How many.\n", 1)
        edited = re.sub(r" {4}epochs: int = \d+,\n", "", edited, count=1)
        assert edited.count("\n") == source.count("\n") - 1
        assert write_options.written(target, edited) == source


def test_fit_takes_exactly_the_declared_options():
    parameters = list(inspect.signature(fastmlp.fit).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] == ["x", "y"]
    assert {p.name: p.default for p in parameters[2:]} == {name: field.default for name, field in DECLARED.items()}


def test_public_functions_name_their_parameters():
    public = [getattr(fastmlp, name) for name in fastmlp.__all__]
    functions = [each for each in public if inspect.isfunction(each)]
    functions += [method for each in public if inspect.isclass(each) for method in public_methods(each)]
    assert len(functions) > 20
    for function in functions:
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, function


def public_methods(kind):
    """Return the methods of a class, inherited ones too, that have public names."""
    return [member for name, member in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


def test_the_command_takes_the_declared_defaults():
    args = parser().parse_args(["fit", "data.csv", "--target", "y", "--out", "model.npz"])
    assert {name: getattr(args, name) for name in OPTIONS} == {name: DECLARED[name].default for name in OPTIONS}


def test_the_command_reads_the_declared_types():
    text = "fit data.csv --target y --out model.npz --hidden 3 --lr 0.5 --momentum 1 --batch-size 7 --optimizer adam"
    args = parser().parse_args(text.split())
    got = (args.hidden, args.lr, args.momentum, args.batch_size, args.optimizer)
    assert got == (3, 0.5, 1.0, 7, "adam")
    assert [type(value) for value in got] == [int, float, float, int, str]
