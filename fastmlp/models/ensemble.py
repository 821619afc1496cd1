"""Nets that belong together: what they say as one, a table of them, a picture, a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.model import Model
from fastmlp.training.recording import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIELDS: dict[str, type] = {
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
class Ensemble:
    """Nets that were trained in one call of `fastmlp.fit_many`, in the order of its jobs.

    Attributes
    ----------
    models : tuple of Model or None
        The nets; None for one that failed.
    failures : mapping of int to Exception
        Why, by the number of the job.

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
        return f"Ensemble({checks.counted(len(self), 'net')}, {len(self.failures)} failed)"

    @property
    def histories(self) -> tuple[History | None, ...]:
        """The course of each fit; None for a net that failed."""
        return tuple(None if model is None else model.history for model in self.models)

    @overload
    def predict(self, x: npt.ArrayLike, return_std: Literal[False] = False) -> Array: ...

    @overload
    def predict(self, x: npt.ArrayLike, return_std: Literal[True]) -> tuple[Array, Array]: ...

    def predict(self, x: npt.ArrayLike, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return the mean of the nets' outputs and, if asked, their standard deviation.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the data.
        return_std : bool, default False
            Whether to return the standard deviation over nets (ddof 0) too.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_out), or a tuple of two
            The mean; with `return_std` the mean and the deviation.

        Raises
        ------
        TypeError, ValueError
            As `Model.predict`, and if no net was trained or their sizes differ.

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
        """Return quantiles of the nets' outputs.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the data.
        q : float or array_like of shape (n_q,)
            Which, from 0 to 1.

        Returns
        -------
        ndarray of float64, shape (n_q, n) or (n_q, n, n_out), without the first axis for one q

        Raises
        ------
        TypeError, ValueError
            As `predict`, and if q is not within 0 and 1.

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
        """Return the outputs of all trained nets, stacked."""
        trained = self._of_one_shape()
        return np.stack([model.predict(x) for model in trained]).astype(np.float64, copy=False)

    def _of_one_shape(self) -> list[Model]:
        trained = [model for model in self.models if model is not None]
        if not trained:
            raise ValueError(checks.wording("the ensemble", "one with a trained net", repr(self)))
        shapes = sorted({(model.n_in, model.n_out, model.y_ndim) for model in trained})
        if len(shapes) > 1:
            got = f"nets of {shapes[0][:2]} and of {shapes[1][:2]} inputs and outputs"
            raise ValueError(checks.wording("the ensemble", "of nets for the same data", got))
        return trained

    def summary(self, as_frame: bool = False) -> Any:
        """Return a table with a row for each job.

        Parameters
        ----------
        as_frame : bool, default False
            Whether to return a pandas.DataFrame, which needs pandas.

        Returns
        -------
        ndarray of shape (n_jobs,) with fields, or pandas.DataFrame
            n_hidden; lr (NaN where each group has its own); epochs_run, best_epoch; start_rmse and rmse, at the start
            and at the end; crossings and live_units, -1 where the engine does not know them; fit_seconds; stop_reason;
            failure, the error of a net that failed, whose numbers are NaN and -1.

        Examples
        --------
        >>> import fastmlp
        >>> ensemble = fastmlp.fit_many([0.0, 1.0], [0.0, 1.0], [{"hidden": 5}, {"hidden": 9}], rng=0, epochs=10)
        >>> ensemble.summary()["n_hidden"]
        array([5, 9])
        """
        rows = [self._row(i, model) for i, model in enumerate(self.models)]
        longest = [max([1, *(len(row[k]) for row in rows)]) for k in (-2, -1)]
        kinds = [*FIELDS.items(), ("stop_reason", f"U{longest[0]}"), ("failure", f"U{longest[1]}")]
        table = np.array(rows, dtype=kinds)
        if not checks.flag("as_frame", as_frame):
            return table
        import pandas as pd

        return pd.DataFrame(table)

    def _row(self, i: int, model: Model | None) -> tuple[Any, ...]:
        if model is None:
            error = self.failures[i]
            nothing = [-1 if kind is np.int64 else np.nan for kind in FIELDS.values()]
            return (*nothing, "", f"{type(error).__name__}: {error}")
        info, history = model.info, model.history
        if info is None or history is None:
            raise ValueError(checks.wording("models", "fitted ones", f"{model} without history"))
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
        """Draw the mean of nets of one input and the band that holds 90 % of them, and data if given.

        Parameters
        ----------
        x, y : array_like, optional
            Samples to draw; x alone sets the range, which is that of the training data by default.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ValueError
            If the nets have several inputs, or if no range is known.

        Examples
        --------
        >>> import fastmlp, matplotlib
        >>> matplotlib.use("Agg")
        >>> fastmlp.fit_many([0.0, 1.0], [0.0, 1.0], [{}, {}], rng=0, hidden=9, epochs=10).plot().get_xlabel()
        'x'
        """
        from fastmlp.showing.plotting import plot_ensemble

        return plot_ensemble(self, self._of_one_shape(), x, y, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ensemble to a file, wholly or not at all: its nets with histories and infos, and its failures.

        Parameters
        ----------
        path : str or os.PathLike
            The file, replaced if there is one; nothing is appended to its name.

        Raises
        ------
        OSError
            If the file cannot be written; the one before it, if any, is untouched.

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
        from fastmlp.models.storage import save_ensemble

        save_ensemble(self.models, self.failures, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Ensemble:
        """Read an ensemble that `save` wrote; of failures only the text is kept, as a RuntimeError.

        Parameters
        ----------
        path : str or os.PathLike
            The file.

        Raises
        ------
        FileFormatError
            If the file is damaged, no ensemble, or of a format unknown to this version. Nothing in it is executed.
        OSError
            If the file cannot be opened.

        Examples
        --------
        See `save`.
        """
        from fastmlp.models.storage import load_ensemble

        return cls(*load_ensemble(path))
