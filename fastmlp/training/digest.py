"""The digest of a configuration, by which a checkpoint recognises the fit that it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.versions import versions

if TYPE_CHECKING:
    from fastmlp.starting.config import FitConfig

# Fields of a configuration that do not change the result of a fit.
IGNORED_FIELDS = {
    "callback",
    "callback_every",
    "progress",
    "checkpoint",
    "checkpoint_every",
    "resume",
    "is_seeded",
    "keeps_state",
    "needs",
}


def config_digest(config: FitConfig) -> str:
    """Return a hash that differs between fits whose results could differ."""
    digest = hashlib.sha256(versions()["fastmlp"].encode())
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name == "rng" and not config.is_seeded:
            value = None  # fresh entropy differs in every call
        if field.name not in IGNORED_FIELDS:
            digest.update(field.name.encode())
            _add(digest, value)
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    """Add a value of a configuration to a hash."""
    digest.update(type(value).__name__.encode())
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif isinstance(value, np.random.Generator):
        _add(digest, value.bit_generator.state)
    elif is_dataclass(value):
        _add(digest, {field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            _add(digest, (key, entry))
    elif isinstance(value, (tuple, list)):
        digest.update(f"{len(value)}".encode())
        for entry in value:
            _add(digest, entry)
    elif callable(value):
        _add(digest, float(value(0)))  # of a schedule only the first rate is compared
    else:
        digest.update(repr(value).encode() + b"\0")
