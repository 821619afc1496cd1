"""Compiles all kernels of fastmlp into one shared library for each level of processors: `python -m building --help`."""
