"""`Model`: a trained network, with the methods that plot, save and export it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array, Weights
from fastmlp.models.exportable import Exportable
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History, record_at
from fastmlp.models.new_data import errors_on_new_data
from fastmlp.models.out_of_fold import OutOfFold
from fastmlp.nets.net import Net

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Model(Exportable, Net):
    """A two-layer ReLU network.

    Its outputs are ``h2 = act(h1) w2 + b2`` with ``h1 = x w1 + b1`` and
    ``act(z) = z if z > 0 else negative_slope * z``. `fastmlp.fit` returns models, and `fastmlp.load` reads them from
    files. A model stores read-only copies of its arrays. Models are compared by identity.

    Parameters
    ----------
    w1, b1, w2, b2 : array_like
        Weights and biases of the two layers.
        The shapes are (n_in, n_hidden), (n_hidden,), (n_hidden, n_out) and (n_out,). They are stored as float32 if all
        four are float32, and as float64 otherwise.
    negative_slope : float, default 0.0
        Slope of the activation for negative arguments; 0 is ReLU.
    x_range : ndarray of shape (n_in, 2), optional
        Smallest and largest training value of each input.
    y_ndim : 1 or 2, optional
        Number of dimensions of the predictions.
        By default, 1 for one output and 2 for several.
    feature_names, target_names : sequence of str, optional
        Names of the inputs and of the outputs, such as the columns of a table.
        They are stored as tuples. `fastmlp.fit` takes them from data frames, and keeps those of a Model in `init`. A
        data frame with other names, or with the same in another order, is then refused.
    y_clip : array_like of shape (n_out, 2), optional
        Smallest and largest prediction of each output.
        Predictions, RMSE, plots and exports are clipped to it; `input_gradient` is 0 where it clips. `gradients` and
        `kinks` are those of the network without it. Only `fastmlp.fit_cv` sets it.
    history : History, optional
        History of the fit.
    info : FitInfo, optional
        Facts about the fit, such as the learning rate and the reason for stopping.
    out_of_fold : OutOfFold, optional
        The nets of the folds of `fastmlp.fit_cv`, with their predictions of the samples that each has not seen.

    Raises
    ------
    TypeError, ValueError
        If an array has the wrong type or shape or is not finite, or if another argument is invalid.

    Examples
    --------
    >>> import fastmlp
    >>> absolute = fastmlp.Model([[1.0, -1.0]], [0.0, 0.0], [[1.0], [1.0]], [0.0])
    >>> absolute.predict([-2.0, 3.0])
    array([2., 3.])
    """

    _: KW_ONLY
    history: History | None = None
    info: FitInfo | None = None
    out_of_fold: OutOfFold | None = None

    def __repr__(self) -> str:
        rmse = ""
        if self.history is not None:  # with patience, the weights are not those of the last epoch
            record = -1 if self.info is None else record_at(self.history, self.info.best_epoch)
            rmse = f", rmse={self.history.rmse[record]:.4g}"
        elif self.info is not None and self.info.cv_rmse is not None:
            rmse = f", cv_rmse={self.info.cv_rmse:.4g}"
        return f"Model({self._facts()}{rmse})"

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from fastmlp.showing.notebook import html

        return html(self)

    def predict_interval(self, x: npt.ArrayLike, coverage: float = 0.9) -> tuple[Array, Array]:
        """Return an interval for a new observation at each input, from the errors of a cross-validation.

        Only models of `fastmlp.fit_cv` have the nets of the folds that this requires. The interface is provisional
        until version 1.0.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the training data.
        coverage : float, default 0.9
            Share of new observations that the intervals should contain, between 0 and 1.

        Returns
        -------
        low, high : ndarray of float64, shape (n,) or (n, n_out)
            Ends of the intervals.
            They contain ``predict(x)`` and are not clipped to `y_clip`. They are infinite if there are too few samples:
            fewer than 9 for a coverage of 0.9, fewer than 19 for 0.95.

        Raises
        ------
        AttributeError
            If the model was not trained by `fastmlp.fit_cv`.
        TypeError, ValueError
            If x has the wrong type or shape or is not finite, or if `coverage` is not between 0 and 1.

        Notes
        -----
        These are CV+ intervals [1]_. With the net f_k of the fold that sample i is in, and the error R_i of its
        prediction, the ends are quantiles of f_k(x) - R_i and f_k(x) + R_i over all samples. A sample weight counts
        how often a sample is there. Above about 1,100 samples, the nets of fewer than five folds are trained. The
        intervals are then split conformal: only the samples of these folds count.

        The coverage holds on average over new observations from the distribution of the samples. It does not hold at
        every input: where the noise is larger than elsewhere, fewer observations are inside. It does not hold outside
        the range of the samples, nor for time series. The theorem of [1]_ guarantees a coverage of 1 - 2 (1 -
        coverage) for nets that know nothing of the samples they predict; here, the penalty was chosen with their help.
        In practice the share is near the nominal coverage.

        References
        ----------
        .. [1] R. F. Barber, E. J. Candes, A. Ramdas, R. J. Tibshirani, "Predictive inference with the jackknife+",
           Annals of Statistics 49 (2021).

        Examples
        --------
        >>> import numpy as np, fastmlp
        >>> rng = np.random.default_rng(0)
        >>> x = np.linspace(-2, 2, 60)
        >>> model = fastmlp.fit_cv(x, np.sin(x) + 0.1 * rng.standard_normal(60), rng=0)
        >>> low, high = model.predict_interval([0.0, 1.0])
        >>> bool((low < [0.0, 0.84]).all() and (high > [0.0, 0.84]).all())
        True
        """
        if self.out_of_fold is None:
            raise AttributeError("predict_interval requires the nets of a cross-validation. Train with fastmlp.fit_cv.")
        level = checks.real("coverage", coverage)
        if not 0 < level < 1:
            raise ValueError(checks.wording("coverage", "between 0 and 1", repr(coverage)))
        columns, _ = checks.inputs(x, self.n_in, self.feature_names)
        predictions = self._outputs(columns)
        low, high = self.out_of_fold.interval([net._outputs(columns) for net in self.out_of_fold.nets], level)
        ends = np.minimum(low, predictions), np.maximum(high, predictions)
        return (ends[0][:, 0], ends[1][:, 0]) if self.y_ndim == 1 else ends

    def plot(self, x: npt.ArrayLike | None = None, y: npt.ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
        """Plot the network, and samples if given.

        With one input, the plot is a curve with a tick on the x axis for each kink, and for models of `fastmlp.fit_cv`
        a band with the intervals of `predict_interval` for a coverage of 0.9. With two inputs and one output, it
        shows filled contours, and the samples in the same colours. With more inputs or outputs, it shows predictions
        against targets.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1, optional
            Inputs of the samples.
            They determine the plotted range, which is `x_range` by default.
        y : array_like of shape (n,) or (n, n_out), optional
            Targets of the samples.
            The plot of predictions against targets requires x and y.
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
            If the samples have the wrong type or shape, if the plot requires x and y and one is missing, or if neither
            x nor `x_range` is given.

        Examples
        --------
        >>> import fastmlp, matplotlib
        >>> matplotlib.use("Agg")
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).plot([-1.0, 1.0]).get_xlabel()
        'x'
        """
        from fastmlp.showing.net_plot import plot_net

        return plot_net(self, x, y, ax, None if self.out_of_fold is None else self.predict_interval)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file that `fastmlp.load` reads.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file.
            No suffix is added. An existing file is replaced only when the new file is complete and on the disk.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is left unchanged.

        Notes
        -----
        The file is an npz archive without pickle. It contains the model with its history and info, except that a
        callable `info.lr` is saved as None.

        Examples
        --------
        >>> import fastmlp, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).save(pathlib.Path(folder, "line.npz"))
        ...     [path.name for path in pathlib.Path(folder).iterdir()]
        ['line.npz']
        """
        from fastmlp.models.saving import save_model

        save_model(path, self, self.history, self.info, self.out_of_fold)

    def _exported(self) -> Net:
        return self

    def _errors_on_new_data(self) -> Mapping[str, Sequence[float]]:
        return errors_on_new_data(self.info, self.history)


def unchecked_model(weights: Weights, **fields: Any) -> Model:
    """Return a model without the checks of its constructor, which take 45 us.

    The weights, which are copied, must be finite, of one dtype and of matching shapes. The other fields must be all
    fields of `Model`, as it stores them.
    """
    model = object.__new__(Model)
    arrays = {name: np.array(array, order="C") for name, array in weights._asdict().items()}
    model.__setstate__(arrays | fields)
    return model
