"""Kernels that train nets of one input, one algorithm per file, each importing only files before it."""
