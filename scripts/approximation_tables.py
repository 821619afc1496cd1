"""The tables of approximation.py and what they mean; a module for the scripts, not one itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from approximation_runs import BORNE, POINTS, Curve, WidthSeries, joined_samples_rmse, power_law, rate_text
from reproduce_report import markdown

SETTING = """\
{points} points of [-pi, pi] as in the report, {hidden:,} hidden units, seed {seed}."""
READING = COST = WIDTH_READING = "TODO"


def page(
    curves: Sequence[Curve], series: Sequence[WidthSeries], epochs: Sequence[int], seconds: float, note: str
) -> str:
    """Return what is printed and written."""
    run = curves[0].run
    widths = "\n\n".join(
        f"`{one.run.formula}`, {rate_text(one.run.rate)}: {_slopes(one, epochs[-1])}\n\n{width_table(one, epochs)}"
        for one in series
    )
    return f"""\
# With enough epochs and units, does the loss fall below any number?{note}

{SETTING.format(points=POINTS, hidden=run.hidden, seed=run.seed)}

## RMSE against epochs

{epoch_table(curves)}

{READING}

## What it costs

{cost_table(curves)}

{COST}

## RMSE against width

{widths}

{WIDTH_READING}

All of it: {seconds:.0f} s.
"""


def epoch_table(curves: Sequence[Curve]) -> str:
    """Return the errors and slopes of the curves."""
    head = ["function", "rate", "epochs", f"RMSE, {POINTS} samples", f"RMSE, {curves[0].run.fine:,} points"]
    head += ["samples joined by lines, there", "slope, two decades before the last", "slope, last decade"]
    head += ["tenth of the RMSE at epoch", f"samples with {BORNE:.0%} of the error"]
    rows = []
    for curve in curves:
        before, last = (power_law(curve.epoch, curve.rmse, span).slope for span in curve.ranges)
        tenth = f"{curve.run.epochs * 10 ** (-1 / last):.0e}" if last < 0 else "never"
        row = [f"`{curve.run.formula}`", f"{curve.run.rate:g}", f"{curve.run.epochs:,}", f"{curve.rmse[-1]:.2e}"]
        row += [f"{curve.fine_rmse[-1]:.2e}", f"{joined_samples_rmse(curve.run.formula, curve.run.fine):.2e}"]
        row += [f"{before:.2f}", f"{last:.2f}", tenth, f"{curve.bearers}"]
        rows.append(row)
    return markdown(head, rows)


def cost_table(curves: Sequence[Curve]) -> str:
    """Return what the curves cost, and the crossings and live units that explain it."""
    head = ["function", "rate", "crossings", "per epoch", "per epoch, last decade", "live units"]
    head += ["seconds", "CPU seconds", "CPU us/epoch"]
    rows = []
    for curve in curves:
        epochs, total = curve.run.epochs, curve.crossings[-1]
        start = np.searchsorted(curve.epoch, curve.ranges[1][0])
        late = (total - curve.crossings[start]) / (curve.epoch[-1] - curve.epoch[start])
        row = [f"`{curve.run.formula}`", f"{curve.run.rate:g}", f"{total:,}", f"{total / epochs:.2f}", f"{late:.2f}"]
        row += ["-" if curve.live_units is None else f"{curve.live_units:,}"]
        row += [f"{curve.seconds:.1f}", f"{curve.cpu_seconds:.1f}", f"{1e6 * curve.cpu_seconds / epochs:.2f}"]
        rows.append(row)
    return markdown(head, rows)


def width_table(series: WidthSeries, epochs: Sequence[int]) -> str:
    """Return the errors and the cost of one function's nets by width."""
    head = ["hidden", *(f"RMSE, {epoch:,} epochs" for epoch in epochs), "min", "max"]
    head += [f"RMSE, {series.run.fine:,} points", "crossings", "live units", "seconds", "CPU us/epoch"]
    rows = []
    for index, curves in enumerate(series.curves):
        live = [curve.live_units for curve in curves if curve.live_units is not None]
        at_epochs = [series.rmse(epoch)[index] for epoch in epochs]
        row = [f"{curves[0].run.hidden:,}", *(f"{np.median(rmse):.2e}" for rmse in at_epochs)]
        row += [
            f"{at_epochs[-1].min():.2e}",
            f"{at_epochs[-1].max():.2e}",
            f"{np.median(series.fine_rmse()[index]):.2e}",
        ]
        row += [f"{np.median([curve.crossings[-1] for curve in curves]):,.0f}"]
        row += [f"{np.median(live):,.0f}" if live else "-"]
        row += [f"{np.median([curve.seconds for curve in curves]):.2f}"]
        row += [f"{1e6 * np.median([curve.cpu_seconds for curve in curves]) / epochs[-1]:.2f}"]
        rows.append(row)
    return markdown(head, rows)


def _slopes(series: WidthSeries, epoch: int) -> str:
    median = np.median(series.rmse(epoch), axis=1)
    laws = [power_law(series.widths, median, span) for span in series.ranges]
    return ", ".join(f"slope {law.slope:.2f} over {law.first:,.0f} - {law.last:,.0f} units" for law in laws)
