"""The conditions that are stored with every result: versions, processor, load of the machine and date."""

from __future__ import annotations

import importlib.metadata
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llvmlite.binding import get_host_cpu_name

from fastmlp.versions import versions

RIVALS = {"torch": "torch", "jax": "jax", "sklearn": "scikit-learn"}  # distributions by module


def all_versions() -> dict[str, str]:
    """Return the versions of fastmlp, its dependencies and the installed rivals."""
    return versions() | {name: importlib.metadata.version(name) for module, name in RIVALS.items() if find_spec(module)}


def processor() -> str:
    """Return the name of the processor and the number of its cores."""
    return f"{get_host_cpu_name()}, {os.cpu_count()} cores"


def conditions() -> str:
    """Return the versions, machine, load and date as text; a load above 1 means that other programs were running."""
    named = ", ".join(f"{name} {version}" for name, version in all_versions().items())
    return f"{named}; {processor()}, load {os.getloadavg()[1]:.1f}, {time.strftime('%Y-%m')}."


def save(path: Path, results: Any) -> None:
    """Write results as JSON, with the versions and the machine; a file is replaced completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "conditions": conditions(),
        "processor": processor(),
        "versions": all_versions(),
        "results": results,
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(_as_text(content, 3) + "\n")
    temporary.replace(path)


def saved(path: Path) -> Any:
    """Return the results in a file, or None if there is no file or it is from other versions or another processor."""
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    same = (content["versions"], content["processor"]) == (all_versions(), processor())
    return content["results"] if same else None


def _as_text(value: Any, depth: int) -> str:
    """Return JSON with one line for each entry, down to a depth; deeper entries are in one line."""
    if depth and isinstance(value, dict):
        return "{\n" + ",\n".join(f"{json.dumps(key)}: {_as_text(value[key], depth - 1)}" for key in value) + "\n}"
    if depth and isinstance(value, list):
        return "[\n" + ",\n".join(_as_text(entry, depth - 1) for entry in value) + "\n]"
    return json.dumps(value)
