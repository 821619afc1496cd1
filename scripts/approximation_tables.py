"""The tables of approximation.py and their explanations. This module is imported, not run."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from approximation_runs import (
    BORNE,
    FINE,
    POINTS,
    STEADIER,
    STEADY,
    Curve,
    WidthSeries,
    joined_samples_rmse,
    rate_text,
)
from power_law import PowerLaw, power_law
from reproduce_report import markdown

SETTING = """\
The data is {points} equally spaced points of [-pi, pi], as in the report. The nets have {hidden:,} hidden units unless
a table says otherwise. The initial weights are balanced, with seed {seed}. Inputs and targets are standardised. The
precision is float64. `rate` is the learning rate divided by the automatic rate. With `rate` 1, the call is
`fastmlp.fit(x, y, epochs=...)` without further options."""

READING = """\
A slope is that of log RMSE against log epoch, fitted by least squares over the given range. The number in parentheses
is the largest factor between the curve and the fit. A power law would have the same slope in both ranges and factors
near 1. "A tenth at" is the epoch at which the RMSE would be a tenth if the last slope continued. It measures how slow
the curve is now, and is not a forecast.

The conclusion of the report needs three qualifications. The functions above, except yours, show them at seed 0:

- It is a statement about the samples. At {fine:,} points, the error ends near that of straight lines between the
  samples. The net then interpolates {points} numbers, and further epochs do not bring it closer to the function. Near a
  jump, only the two samples on either side are known.
- No slope stays constant. The error of sin(x) falls as a straight line for decades and then almost stops. The
  remaining error is that of a few samples at both ends of the interval. The error of the step falls slowly at first and
  steeply later. So no curve predicts how many epochs reduce the error to the next tenth.
- The rate must stay stable. Gradient descent is stable while rate x lambda_max is below 2; lambda_max is the largest
  eigenvalue of the Gauss-Newton matrix. The product is `rate` at the start. If the function has jumps, it
  rises to 2 and stays there. Kinks then cross samples in every epoch (see crossings per epoch), and the error stalls or
  jumps up. For the sawtooth, this happens early at the automatic rate, and after more than a million epochs at
  {steady:g} times the rate. It does not happen within these epochs at {steadier:g} times the rate. "Enough epochs"
  therefore means epochs at a rate that decreases with the wanted error."""

COST = """\
A crossing is a change of a unit from inactive to active on a sample, or back. Live units may cross a sample in the next
epochs ("-": the last method does not count them). Both explain the time of an epoch for a given number of samples.
Seconds are elapsed time with all cores in use. CPU seconds are the processor time of the thread of the fit."""

WIDTH_READING = """\
The numbers are medians of {seeds} seeds; min and max are those after the largest number of epochs. The automatic rate
falls roughly as 1 / sqrt(units), so the rows of a column have the same number of epochs, but not the same rate times
epochs. Where a column no longer falls, more units do not help, but more epochs do: the next column is lower at the same
width. At 10 units, more epochs do not help, and the error depends on the seed. The fine grid has {fine:,} points here,
because {many:,} would take longer than the training."""


def page(
    curves: Sequence[Curve], series: Sequence[WidthSeries], epochs: Sequence[int], units: str, seconds: float, note: str
) -> str:
    """Return the page with all tables and their explanations."""
    run = curves[0].run
    widths = "\n\n".join(
        f"`{one.run.formula}`, {rate_text(one.run.rate)}; {_slopes(one, epochs[-1])}\n\n{width_table(one, epochs)}"
        for one in series
    )
    reservation = f"\n\n**Shortened{note}. The text below describes the curves of the full run.**" if note else ""
    return f"""\
# With enough epochs and units, does the loss fall below any number?{reservation}

{SETTING.format(points=POINTS, hidden=run.hidden, seed=run.seed)}

## What units can do

{units}

## RMSE against epochs

{epoch_table(curves)}

{READING.format(points=POINTS, fine=run.fine, steady=STEADY, steadier=STEADIER)}

## Cost

{cost_table(curves)}

{COST}

## RMSE against width

{widths}

{WIDTH_READING.format(seeds=len(series[0].curves[0]), fine=series[0].run.fine, many=FINE)}

All trainings: {seconds:.0f} s on {os.cpu_count()} cores.
"""


def epoch_table(curves: Sequence[Curve]) -> str:
    """Return a table of the errors and slopes of the curves."""
    head = ["function", "rate", "epochs", f"RMSE, {POINTS} samples", f"{curves[0].run.fine:,} points"]
    head += [
        "samples joined by lines",
        "slope",
        "slope, last decade",
        "a tenth at",
        "rate x lambda_max at the end",
        f"samples with {BORNE:.0%} of the error",
    ]
    rows = []
    for curve in curves:
        laws = [power_law(curve.epoch, curve.rmse, span) for span in curve.ranges]
        tenth = f"{curve.run.epochs * 10 ** (-1 / laws[1].slope):.0e}" if laws[1].slope < 0 else "never"
        row = [f"`{curve.run.formula}`", f"{curve.run.rate:g}", f"{curve.run.epochs:,}", f"{curve.rmse[-1]:.2e}"]
        row += [f"{curve.fine_rmse[-1]:.2e}", f"{joined_samples_rmse(curve.run.formula, curve.run.fine):.2e}"]
        row += [*map(_law, laws), tenth, f"{curve.sharpness:.2f}", f"{curve.bearers}"]
        rows.append(row)
    return markdown(head, rows)


def cost_table(curves: Sequence[Curve]) -> str:
    """Return a table of the time of the curves, with crossings and live units."""
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
    """Return a table of the errors and the cost of the nets of one function by width."""
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
    return f"slopes after {epoch:,} epochs {', '.join(map(_law, laws))}"


def _law(law: PowerLaw) -> str:
    return f"{law.slope:.2f} over {law.span} ({law.misfit:.2f})"
