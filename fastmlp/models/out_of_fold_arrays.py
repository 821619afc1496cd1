"""The nets of the folds and their predictions as the arrays of a file."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.models.out_of_fold import OutOfFold
from fastmlp.nets.net import Net

PREFIX = "out_of_fold_"  # the names of these arrays begin with it
SAMPLE_FIELDS = ("fold", "predictions", "residuals", "sample_weight")


def out_of_fold_arrays(out_of_fold: OutOfFold) -> dict[str, Array]:
    """Return the arrays by name; the weights of the nets, which have one shape, are stacked."""
    nets = out_of_fold.nets
    arrays = {name: np.stack([getattr(net, name) for net in nets]) for name in Weights._fields}
    clips = [net.y_clip for net in nets if net.y_clip is not None]
    if clips:
        arrays["y_clip"] = np.stack(clips)
    arrays |= {name: getattr(out_of_fold, name) for name in SAMPLE_FIELDS}
    return {f"{PREFIX}{name}": array for name, array in arrays.items()}


def out_of_fold_from(arrays: dict[str, Array], weights: Weights) -> OutOfFold | None:
    """Return what `out_of_fold_arrays` wrote, None if it wrote nothing; these arrays are removed from the dict.

    weights are those of the model.
    """
    own = {name.removeprefix(PREFIX): arrays.pop(name) for name in [*arrays] if name.startswith(PREFIX)}
    if not own:
        return None
    stacks = Weights(*(own.pop(name) for name in Weights._fields))
    clips = own.pop("y_clip", None)
    n_in, n_out = len(weights.w1), len(weights.b2)
    n_nets = len(stacks.b1)
    if any(len(stack) != n_nets for stack in (*stacks, *(() if clips is None else (clips,)))) or not n_nets:
        raise ValueError("the numbers of the nets of the folds differ")
    nets = tuple(
        Net(*(stack[k] for stack in stacks), y_clip=None if clips is None else clips[k]) for k in range(n_nets)
    )
    if any((net.n_in, net.n_out) != (n_in, n_out) for net in nets):
        raise ValueError("the nets of the folds have other inputs or outputs")
    if own.keys() != set(SAMPLE_FIELDS):
        raise ValueError(f"the arrays of the folds are {sorted(own)}")
    _check_samples(own, n_nets, n_out)
    return OutOfFold(nets, *(own[name] for name in SAMPLE_FIELDS))


def _check_samples(own: dict[str, Array], n_nets: int, n_out: int) -> None:
    """Check the arrays that have an entry for each sample."""
    fold = own["fold"]
    shapes = {"fold": fold.shape[:1], "sample_weight": fold.shape[:1]}
    for name, array in own.items():
        shape = shapes.get(name, (*fold.shape[:1], n_out))
        dtype = np.int64 if name == "fold" else np.float64
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{name} of the folds has dtype {array.dtype} and shape {array.shape}")
    is_predicted = fold >= 0
    if fold.size and not (fold.min() >= -1 and fold.max() < n_nets):
        raise ValueError("a sample is in an unknown fold")
    if not all(np.isin(k, fold) for k in range(n_nets)):
        raise ValueError("a fold has no sample")
    if not (np.isfinite(own["residuals"][is_predicted]).all() and (own["sample_weight"] >= 0).all()):
        raise ValueError("the errors or the weights of the folds are not valid")
