"""Two-layer ReLU networks, trained by full-batch gradient descent in compiled loops on a CPU."""

from importlib.metadata import version as _version

from fastmlp.archives import FileFormatError
from fastmlp.driving import DivergenceError
from fastmlp.ensemble import Ensemble
from fastmlp.fitting import fit, warmup
from fastmlp.many import fit_many
from fastmlp.model import FitInfo, Model
from fastmlp.piecewise import PiecewiseLinear
from fastmlp.recording import History
from fastmlp.storage import load
from fastmlp.versions import show_versions
from fastmlp.watching import CallbackInfo

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
