"""The results as tables in Markdown: means by size of table, and differences to FastMLPRegressorCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rivals import CV, MLP_FORMS

TIE = 0.005  # of R^2
SMALL = 2000  # rows below which a table counts for means and differences
SIZES = {"under 150 rows": (0, 150), "150 to 2,000": (150, SMALL), "2,000 and more": (SMALL, 10**9)}
ORACLE = "best MLP form of each table"

Values = dict[str, dict[tuple[str, int], float]]  # by method, then by table and seed of the folds


def by_method(scores: Sequence[Mapping[str, Any]], key: str) -> Values:
    """Return the "r2" or the "seconds" of each method.

    With those of `ORACLE`: on each table and seed, the form of MLPRegressor with the best test score.
    """
    found: Values = {}
    for score in scores:
        found.setdefault(score["method"], {})[score["table"], score["seed"]] = score[key]
    forms = [found[form] for form in MLP_FORMS if form in found]
    if key == "r2" and len(forms) == len(MLP_FORMS):
        places = set.intersection(*(set(form) for form in forms))
        found[ORACLE] = {place: max(form[place] for form in forms) for place in places}
    return found


def differences(r2: Values, method: str, rows: Mapping[str, int]) -> np.ndarray:
    """Return the R^2 of FastMLPRegressorCV minus that of a method, on each small table that both were run on.

    They are averages over the seeds of the folds with which both were run.
    """
    gaps: dict[str, list[float]] = {}
    for place, value in r2[method].items():
        if rows[place[0]] < SMALL and place in r2.get(CV, {}):
            gaps.setdefault(place[0], []).append(r2[CV][place] - value)
    return np.array([np.mean(gaps[table]) for table in gaps])


def order_of_methods(r2: Values, rows: Mapping[str, int]) -> list[str]:
    """Return the methods by their mean difference to FastMLPRegressorCV, which is the first."""

    def place(method: str) -> float:
        gaps = differences(r2, method, rows)
        return -np.inf if method == CV else float(gaps.mean()) if gaps.size else np.inf

    return sorted(r2, key=place)


def league(scores: Sequence[Mapping[str, Any]], rows: Mapping[str, int]) -> str:
    """Return a table with a row for each method."""
    r2, seconds = by_method(scores, "r2"), by_method(scores, "seconds")
    head = ["method", f"R², under {SMALL:,} rows", *SIZES, "CPU s a fit", "CV minus it (SE)", "won, tied, lost"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for method in order_of_methods(r2, rows):
        groups = [mean_of(r2[method], rows, *limits) for limits in ((0, SMALL), *SIZES.values())]
        time = mean_of(seconds.get(method, {}), rows, 0, SMALL, ".2g").split(" ")[0]
        gaps = differences(r2, method, rows)
        compared = ["", ""] if method == CV or not gaps.size else [with_error(gaps), outcome(gaps)]
        lines.append("| " + " | ".join([method, *groups, time, *compared]) + " |")
    return "\n".join(lines)


def mean_of(
    values: Mapping[tuple[str, int], float], rows: Mapping[str, int], low: int, high: int, form: str = ".3f"
) -> str:
    """Return the mean over the tables of a size; with their number if the method was not run on all."""
    wanted = {table for table, n in rows.items() if low <= n < high}
    run = {place: value for place, value in values.items() if place[0] in wanted}
    if not run:
        return "-"
    n_run = len({table for table, _ in run})
    return f"{np.mean(list(run.values())):{form}}" + f" ({n_run} of {len(wanted)})" * (n_run < len(wanted))


def with_error(gaps: np.ndarray) -> str:
    """Return the mean of some differences, with its standard error."""
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.nan
    return f"{np.mean(gaps):+.3f} ({error:.3f})"


def outcome(gaps: np.ndarray) -> str:
    """Return how many differences are positive, ties and negative."""
    won, lost = int((gaps > TIE).sum()), int((gaps < -TIE).sum())
    return f"{won}, {len(gaps) - won - lost}, {lost}"


def by_table(scores: Sequence[Mapping[str, Any]], shapes: Mapping[str, Sequence[int]]) -> str:
    """Return a table with a row for each method and a column for each data set, from the fewest rows to the most."""
    r2 = by_method(scores, "r2")
    names = sorted(shapes, key=lambda table: shapes[table][0])
    lines = [
        "| method | " + " | ".join(names) + " |",
        "| --- |" + " ---: |" * len(names),
        "| rows, columns | " + " | ".join("{:,}, {}".format(*shapes[table]) for table in names) + " |",
    ]
    for method in order_of_methods(r2, {table: shape[0] for table, shape in shapes.items()}):
        lines.append(f"| {method} | " + " | ".join(mean_of_table(r2[method], table) for table in names) + " |")
    return "\n".join(lines)


def mean_of_table(values: Mapping[tuple[str, int], float], table: str) -> str:
    """Return the mean over the seeds of the folds."""
    run = [value for place, value in values.items() if place[0] == table]
    return f"{np.mean(run):.3f}" if run else "-"
