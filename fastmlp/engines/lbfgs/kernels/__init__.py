"""The compiled parts of L-BFGS."""
