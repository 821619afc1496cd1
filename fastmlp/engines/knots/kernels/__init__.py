"""The compiled parts of free-knot splines: one idea per file."""
