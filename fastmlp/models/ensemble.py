"""`Ensemble`: the models of one call of `fit_many`, with their predictions, summary, plot and files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.average import averaged_net
from fastmlp.models.ensemble_file import load_ensemble, save_ensemble
from fastmlp.models.exportable import Exportable
from fastmlp.models.history import History
from fastmlp.models.model import Model
from fastmlp.nets.net import Net

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = (0.05, 0.95)  # quantiles between which a plot draws the band
SUMMARY_DTYPES: dict[str, type] = {
    "n_hidden": np.int64,
    "lr": np.float64,
    "epochs_run": np.int64,
    "best_epoch": np.int64,
    "start_rmse": np.float64,
    "rmse": np.float64,
    "crossings": np.int64,
    "live_units": np.int64,
    "fit_seconds": np.float64,
}


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(Exportable):
    """The models of one call of `fastmlp.fit_many`.

    Exports are of the network that averages the models, which has the hidden units of all of them.

    Attributes
    ----------
    models : tuple of Model or None
        Models in the order of the jobs; None for a job that failed or was not run.
    failures : mapping of int to Exception
        Errors of the failed jobs, by the index of the job.

    Examples
    --------
    >>> import fastmlp
    >>> x, y = [-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]
    >>> ensemble = fastmlp.fit_many(x, y, [{"lr": 0.1}, {"lr": 1e9}], rng=0, init="he", hidden=10, epochs=500)
    >>> ensemble
    Ensemble(2 nets, 1 failed)
    >>> type(ensemble.failures[1]).__name__
    'DivergenceError'
    """

    models: tuple[Model | None, ...]
    failures: Mapping[int, Exception]

    def __len__(self) -> int:
        return len(self.models)

    def __repr__(self) -> str:
        not_run = f", {len(self.not_run)} not run" if self.not_run else ""
        return f"Ensemble({checks.counted(len(self), 'net')}, {len(self.failures)} failed{not_run})"

    @property
    def not_run(self) -> tuple[int, ...]:
        """Indices of the jobs that Ctrl-C kept from being run, or from being finished."""
        return tuple(i for i, model in enumerate(self.models) if model is None and i not in self.failures)

    @property
    def histories(self) -> tuple[History | None, ...]:
        """Histories of the models in the order of the jobs; None for a job that failed or was not run."""
        return tuple(None if model is None else model.history for model in self.models)

    @overload
    def predict(self, x: npt.ArrayLike, return_std: Literal[False] = False) -> Array: ...

    @overload
    def predict(self, x: npt.ArrayLike, return_std: Literal[True]) -> tuple[Array, Array]: ...

    def predict(self, x: npt.ArrayLike, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return the mean of the predictions of the models, and optionally their standard deviation.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the training data.
        return_std : bool, default False
            Whether to return the standard deviation too.
            It is the standard deviation over the models, with ``ddof=0``.

        Returns
        -------
        mean : ndarray of float64, shape (n,) or (n, n_out)
            Mean of the predictions.
        std : ndarray of float64, shape (n,) or (n, n_out)
            Standard deviation of the predictions; only with ``return_std=True``.

        Raises
        ------
        TypeError, ValueError
            If x has the wrong type or shape or is not finite, if all jobs failed, or if the models have different
            numbers of inputs or outputs.

        Examples
        --------
        >>> import fastmlp
        >>> up, down = (fastmlp.Model([[1.0]], [0.0], [[sign]], [0.0]) for sign in (1.0, -1.0))
        >>> fastmlp.Ensemble((up, down), {}).predict([2.0], return_std=True)
        (array([0.]), array([2.]))
        """
        return_std = checks.flag("return_std", return_std)
        outputs = self._outputs(x)
        mean = outputs.mean(axis=0)
        return (mean, outputs.std(axis=0)) if return_std else mean

    def quantiles(self, x: npt.ArrayLike, q: npt.ArrayLike) -> Array:
        """Return quantiles of the predictions of the models.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the training data.
        q : float or array_like of shape (n_q,)
            Probabilities of the quantiles, from 0 to 1.

        Returns
        -------
        ndarray of float64, shape (n_q, n) or (n_q, n, n_out)
            Quantiles of the predictions.
            There is no first axis if q is a number.

        Raises
        ------
        TypeError, ValueError
            As in `predict`, or if q is not between 0 and 1.

        Examples
        --------
        >>> import fastmlp
        >>> up, down = (fastmlp.Model([[1.0]], [0.0], [[sign]], [0.0]) for sign in (1.0, -1.0))
        >>> fastmlp.Ensemble((up, down), {}).quantiles([2.0], [0.25, 0.5])
        array([[-1.],
               [ 0.]])
        """
        return np.asarray(np.quantile(self._outputs(x), checks.fractions("q", q), axis=0))

    def _outputs(self, x: npt.ArrayLike) -> Array:
        """Return the predictions of all models, stacked along the first axis."""
        trained = self._trained_models()
        return np.stack([model.predict(x) for model in trained]).astype(np.float64, copy=False)

    def _trained_models(self) -> list[Model]:
        """Return the models of the jobs that did not fail; they must have the same inputs and outputs."""
        trained = [model for model in self.models if model is not None]
        if not trained:
            raise ValueError(f"{self!r} has no trained net.")
        shapes = sorted({(model.n_in, model.n_out, model.y_ndim) for model in trained})
        if len(shapes) > 1:
            sizes = " and ".join(f"(n_in={n_in}, n_out={n_out}, y_ndim={y_ndim})" for n_in, n_out, y_ndim in shapes[:2])
            raise ValueError(f"The nets of the ensemble must have the same inputs and outputs, got {sizes}.")
        return trained

    def summary(self, as_frame: bool = False) -> Any:
        """Return a table with one row for each job.

        Parameters
        ----------
        as_frame : bool, default False
            Whether to return a pandas.DataFrame.
            Requires pandas.

        Returns
        -------
        structured ndarray of shape (n_jobs,), or pandas.DataFrame
            Table with the columns n_hidden, lr, epochs_run, best_epoch, start_rmse, rmse, crossings, live_units,
            fit_seconds, stop_reason and failure.
            `start_rmse` and `rmse` are the first and the last RMSE of the history. `failure` is the text of the error
            of a failed job, or "not run". Unknown values are -1 in columns of integers and NaN in columns of floats.
            `lr` is also NaN if it is a mapping or a callable.

        Examples
        --------
        >>> import fastmlp
        >>> ensemble = fastmlp.fit_many([0.0, 1.0], [0.0, 1.0], [{"hidden": 5}, {"hidden": 9}], rng=0, epochs=10)
        >>> ensemble.summary()["n_hidden"]
        array([5, 9])
        """
        rows = [self._row(i, model) for i, model in enumerate(self.models)]
        longest = [max([1, *(len(row[k]) for row in rows)]) for k in (-2, -1)]
        kinds = [*SUMMARY_DTYPES.items(), ("stop_reason", f"U{longest[0]}"), ("failure", f"U{longest[1]}")]
        table = np.array(rows, dtype=kinds)
        if not checks.flag("as_frame", as_frame):
            return table
        import pandas as pd

        return pd.DataFrame(table)

    def _row(self, i: int, model: Model | None) -> tuple[Any, ...]:
        if model is None:
            error = self.failures.get(i)
            nothing = [-1 if kind is np.int64 else np.nan for kind in SUMMARY_DTYPES.values()]
            return (*nothing, "", "not run" if error is None else f"{type(error).__name__}: {error}")
        info, history = model.info, model.history
        if info is None or history is None:
            raise ValueError(f"Every model of a summary must have history and info, but {model} has none.")
        return (
            model.n_hidden,
            info.lr if isinstance(info.lr, float) else np.nan,
            info.epochs_run,
            info.best_epoch,
            history.rmse[0],
            history.rmse[-1],
            -1 if info.crossings is None else info.crossings,
            -1 if info.live_units is None else info.live_units,
            info.fit_seconds,
            info.stop_reason or "",
            "",
        )

    def plot(self, x: npt.ArrayLike | None = None, y: npt.ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
        """Plot the mean and the error band of networks with one input, and samples if given.

        The band lies between the 5 % and the 95 % quantiles of the predictions.

        Parameters
        ----------
        x : array_like of shape (n,) or (n, 1), optional
            Inputs of the samples.
            They determine the plotted range, which is the range of the training data by default.
        y : array_like of shape (n,) or (n, n_out), optional
            Targets of the samples.
        ax : matplotlib Axes, optional
            Axes to draw on.
            By default, a new figure is created.

        Returns
        -------
        matplotlib Axes
            Axes with the plot.

        Raises
        ------
        TypeError, ValueError
            If the networks have several inputs, if the samples have the wrong type or shape, or if the plotted range is
            unknown.

        Examples
        --------
        >>> import fastmlp, matplotlib
        >>> matplotlib.use("Agg")
        >>> fastmlp.fit_many([0.0, 1.0], [0.0, 1.0], [{}, {}], rng=0, hidden=9, epochs=10).plot().get_xlabel()
        'x'
        """
        from fastmlp.showing.band_plot import plot_band
        from fastmlp.showing.net_plot import samples_to_plot
        from fastmlp.showing.plot_range import grid, input_limits

        models = self._trained_models()
        if models[0].n_in != 1:
            raise ValueError(f"Ensemble.plot supports one input; these nets have {models[0].n_in}.")
        data = samples_to_plot(models[0], x, y)
        limits = np.concatenate([input_limits(model, x) for model in models], axis=1)
        (curve_x,) = grid(np.stack([limits.min(axis=1), limits.max(axis=1)], axis=1))
        n = len(curve_x)
        mean, band = self.predict(curve_x), self.quantiles(curve_x, BAND)
        label = f"{BAND[1] - BAND[0]:.0%} of the nets"
        curves = curve_x, mean.reshape(n, -1), band.reshape(2, n, -1)
        return plot_band(models[0], curves, label, data, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ensemble to a file that `Ensemble.load` reads.

        The file contains the models with their history and info, and the texts of the failures.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file.
            No suffix is added. An existing file is replaced only when the new file is complete.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is left unchanged.

        Examples
        --------
        >>> import fastmlp, pathlib, tempfile
        >>> ensemble = fastmlp.fit_many([0.0, 1.0], [0.0, 1.0], [{}, {"hidden": 0}], rng=0, hidden=9, epochs=10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "ensemble.npz")
        ...     ensemble.save(path)
        ...     fastmlp.Ensemble.load(path)
        Ensemble(2 nets, 1 failed)
        """
        save_ensemble(path, self.models, self.failures)

    def _exported(self) -> Net:
        return averaged_net(self._trained_models())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Ensemble:
        """Read an ensemble from a file that `Ensemble.save` wrote.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file.

        Returns
        -------
        Ensemble
            The saved ensemble.
            Each failure is a RuntimeError with the text of the original error.

        Raises
        ------
        FileFormatError
            If the file is damaged, does not contain an ensemble, or has a format that this version of fastmlp does not
            know. Nothing in the file is executed.
        OSError
            If the file cannot be opened.

        Examples
        --------
        See `save`.
        """
        return cls(*load_ensemble(path))
