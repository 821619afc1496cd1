"""The labels of axes and curves: the names of inputs and outputs where the net has them."""

from __future__ import annotations

from fastmlp.nets.net import Net

MAX_LABELLED = 10  # outputs in a legend: matplotlib has ten colours, and a longer legend hides the plot


def input_label(net: Net, i: int) -> str:
    """Return the label of the axis of input i."""
    if net.feature_names is not None:
        return plain(net.feature_names[i])
    return "x" if net.n_in == 1 else f"x[:, {i}]"


def target_label(net: Net) -> str:
    """Return the label of the axis of the outputs: the name of the target, if there is one target."""
    return plain(net.target_names[0]) if net.target_names is not None and net.n_out == 1 else "y"


def output_name(net: Net, k: int) -> str:
    """Return the name of output k, or its number."""
    return plain(net.target_names[k]) if net.target_names is not None else f"output {k}"


def curve_label(what: str, net: Net, k: int) -> str | None:
    """Return the label of the curve of output k, None for those that the legend leaves out."""
    if net.n_out == 1:
        return what
    return f"{what}, {output_name(net, k)}" if k < MAX_LABELLED else None


def plain(name: str) -> str:
    """Return a name as matplotlib shows it letter by letter.

    Between two dollar signs it would read a formula, and a label that starts with an underscore is not in the legend.
    """
    escaped = name.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped
