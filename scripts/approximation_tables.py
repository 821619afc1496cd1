"""The tables of approximation.py and what they mean; a module for the scripts, not one itself."""

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
{points} equally spaced points of [-pi, pi], as in the report; {hidden:,} hidden units unless said otherwise, float64,
seed {seed}; inputs and targets standardised, balanced start. `rate` is in units of the automatic rate, so that 1 is
`fastmlp.fit(x, y, epochs=...)` and nothing else."""

READING = """\
Slopes are of log RMSE against log epoch, by least squares over the range said; in brackets the largest factor between
curve and fit. A power law would have one slope in both ranges and factors near 1. "A tenth at" is the epoch at which
the last slope, if it held, would bring a tenth of the RMSE: it says how slow the curve is now, and is no forecast.

What the claim leaves out, as the functions above show at seed 0 (yours aside):

- It is about the samples. At {fine:,} points the error ends near that of straight lines from sample to sample: from
  there on the net interpolates {points} numbers, and no epoch brings it nearer to the function. Of a jump it knows the
  two samples on either side.
- No slope lasts. sin(x) falls by a straight line for decades and then all but halts, its error left at a few samples
  at both ends of the interval; the step creeps, then falls steeply. So no curve tells how many epochs the next tenth
  takes.
- The rate has to hold out. Descent is stable while rate x lambda_max, lambda_max being the largest eigenvalue of the
  objective's Gauss-Newton matrix, is below 2. It starts at `rate`; a net that bends round jumps drives it up to 2 and
  stays there: units then hop over samples for ever (see crossings per epoch) and the error stalls or leaps up. The
  sawtooth does so early at the automatic rate, after more than a million epochs at {steady:g} of it, and not within
  these epochs at {steadier:g} of it. "Enough epochs" are epochs at a rate that shrinks with the error wanted."""

COST = """\
Crossings are (unit, sample) sign changes; live units are those that may soon cross ("-": the method in use at the end
does not know). These explain what an epoch costs at a given number of samples. Seconds are by the clock with every core
in use; CPU seconds are those of the fit's own thread."""

WIDTH_READING = """\
Medians of {seeds} seeds; least and greatest after the last number of epochs. The automatic rate falls about as
1 / sqrt(units), so the rows of a column are equal in epochs, not in rate times epochs. Where a column no longer falls,
epochs are the limit, not units: the next column is lower at the same width. At 10 units it is the reverse, and the seed
decides. {fine:,} points here, since {many:,} would take longer than the training."""


def page(
    curves: Sequence[Curve], series: Sequence[WidthSeries], epochs: Sequence[int], seconds: float, note: str
) -> str:
    """Return what is printed and written."""
    run = curves[0].run
    widths = "\n\n".join(
        f"`{one.run.formula}`, {rate_text(one.run.rate)}; {_slopes(one, epochs[-1])}\n\n{width_table(one, epochs)}"
        for one in series
    )
    reservation = (
        f"\n\n**Shortened{note}: what the text says of the curves is seen in the full run only.**" if note else ""
    )
    return f"""\
# With enough epochs and units, does the loss fall below any number?{reservation}

{SETTING.format(points=POINTS, hidden=run.hidden, seed=run.seed)}

## RMSE against epochs

{epoch_table(curves)}

{READING.format(points=POINTS, fine=run.fine, steady=STEADY, steadier=STEADIER)}

## What it costs

{cost_table(curves)}

{COST}

## RMSE against width

{widths}

{WIDTH_READING.format(seeds=len(series[0].curves[0]), fine=series[0].run.fine, many=FINE)}

All trainings: {seconds:.0f} s on {os.cpu_count()} cores.
"""


def epoch_table(curves: Sequence[Curve]) -> str:
    """Return the errors and slopes of the curves."""
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
    return f"slopes after {epoch:,} epochs {', '.join(map(_law, laws))}"


def _law(law: PowerLaw) -> str:
    return f"{law.slope:.2f} over {law.span} ({law.misfit:.2f})"
