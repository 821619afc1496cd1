"""Compiled kernels of least squares for one input."""
