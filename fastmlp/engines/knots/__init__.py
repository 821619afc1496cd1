"""Least-squares linear splines with free knots, for one input and one output."""
