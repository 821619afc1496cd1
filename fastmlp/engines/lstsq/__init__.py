"""Exact least squares for w2 and b2, given w1 and b1."""
