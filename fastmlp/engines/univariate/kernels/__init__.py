"""Kernels that train nets of one input, one algorithm per file.

Each file imports only files before it: layout, sums, prefix_sums, optimized, maps, live_classes, rebuilding, moments.
The kernels that Python calls are `train_units`, `train_optimized`, `train_moments` and `gather_units`.
"""
