"""What every result is kept with: the versions, the processor, how loaded the machine was, and when."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite.binding import get_host_cpu_name

import fastmlp
from fastmlp.versions import versions


def conditions() -> str:
    """Say what was measured, where and when; a load above the one process means that the machine was shared."""
    load = f"load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores"
    machine = f"{get_host_cpu_name()}, {load}, {time.strftime('%Y-%m')}"
    return f"fastmlp {fastmlp.__version__}, NumPy {np.__version__}; {machine}."


def save(path: Path, results: Any) -> None:
    """Write results as JSON, with the versions and the machine; a file that exists is replaced by a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"conditions": conditions(), "versions": dict(versions()), "results": results}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)
