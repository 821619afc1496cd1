"""Engines for nets of one input, whose cost per epoch hardly depends on the width."""
