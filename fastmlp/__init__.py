"""Two-layer ReLU networks, trained on a CPU by gradient descent in compiled loops."""

from importlib.metadata import version as _version

from fastmlp.cross_validation.fit_cv import fit_cv
from fastmlp.exporting.piecewise import PiecewiseLinear
from fastmlp.files.archives import FileFormatError
from fastmlp.fitting import fit, warmup
from fastmlp.knots import fit_knots
from fastmlp.many import fit_many
from fastmlp.models.ensemble import Ensemble
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History
from fastmlp.models.loading import load
from fastmlp.models.model import Model
from fastmlp.training.callback import CallbackInfo
from fastmlp.training.divergence import DivergenceError
from fastmlp.versions import show_versions

__all__ = [
    "CallbackInfo",
    "DivergenceError",
    "Ensemble",
    "FileFormatError",
    "FitInfo",
    "History",
    "Model",
    "PiecewiseLinear",
    "fit",
    "fit_cv",
    "fit_knots",
    "fit_many",
    "load",
    "show_versions",
    "warmup",
]
__version__ = _version("fastmlp")


def __dir__() -> list[str]:
    """Return the public names, without the folders of the package."""
    return [*__all__, "__version__"]
