"""The commands of setuptools that put the libraries into a wheel.

The environment variable FASTMLP_KERNELS chooses what is built: "native", the level of this processor (default), "all"
levels, or "none". Where nothing can be built, the installation succeeds, and kernels are compiled at first use.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.parent
LIBRARIES = Path("fastmlp", "compiled", "libraries")
# What the kernels of the package import when they are built.
REQUIREMENTS = ("numba>=0.68", "numpy>=2.0", "tqdm>=4.66", "joblib>=1.4")


def obstacle() -> str | None:
    """Return why no library can be built here, or None."""
    choice = os.environ.get("FASTMLP_KERNELS", "native")
    if choice not in ("none", "native", "all"):
        raise SystemExit(f"FASTMLP_KERNELS must be none, native or all, got {choice!r}.")
    if choice == "none":
        return "FASTMLP_KERNELS=none"
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        return f"no libraries are built on {platform.system()} {platform.machine()}"
    if shutil.which(os.environ.get("CC", "cc").split()[0]) is None:
        return "there is no C compiler"
    return None


class BuildPy(build_py):
    """Copy the sources, and build the libraries beside them, but not in an editable installation."""

    def run(self) -> None:
        """Build."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib).absolute() / LIBRARIES
        shutil.rmtree(folder, ignore_errors=True)
        reason = obstacle()
        if reason is None:
            reason = _build(folder)
        if reason is not None:
            print(f"fastmlp: {reason}: kernels will be compiled at first use", file=sys.stderr)


def _build(folder: Path) -> str | None:
    """Build the libraries; return what went wrong, or None."""
    choice = os.environ.get("FASTMLP_KERNELS", "native")
    print(f"fastmlp: building {choice} kernels takes a minute or two for each level", file=sys.stderr)
    command = [sys.executable, "-m", "building", "--levels", choice, "--output", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0:
        return None
    if choice == "all":
        raise SystemExit("fastmlp: the kernels could not be built")
    shutil.rmtree(folder, ignore_errors=True)
    return "the kernels could not be built"


class BdistWheel(bdist_wheel):
    """Name the platform in the wheel's name if it has libraries. They serve every version of Python."""

    def finalize_options(self) -> None:
        """Put the package where libraries may be."""
        super().finalize_options()
        self.root_is_pure = obstacle() is not None

    def get_tag(self) -> tuple[str, str, str]:
        """Return the tags of Python, its binary interface and the platform."""
        tag: Any = super().get_tag()
        return tag if self.root_is_pure else ("py3", "none", tag[2])
