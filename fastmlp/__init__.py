"""Two-layer ReLU networks, trained by full-batch gradient descent in compiled loops on a CPU."""

from importlib.metadata import version as _version

from fastmlp.exporting.piecewise import PiecewiseLinear
from fastmlp.files.archives import FileFormatError
from fastmlp.fitting import fit, warmup
from fastmlp.many import fit_many
from fastmlp.models.ensemble import Ensemble
from fastmlp.models.model import FitInfo, Model
from fastmlp.models.storage import load
from fastmlp.training.callback import CallbackInfo
from fastmlp.training.divergence import DivergenceError
from fastmlp.training.recording import History
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
    "fit_many",
    "load",
    "show_versions",
    "warmup",
]
__version__ = _version("fastmlp")
