"""The commands that build the package; all else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).parent))

from building.commands import BdistWheel, BuildPy

setup(cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel})
