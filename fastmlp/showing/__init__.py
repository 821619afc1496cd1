"""Plots of nets, histories and ensembles, GIF animations, and what a notebook shows.

May import `nets`, `files`, `checks` and `engines`. The modules that draw import matplotlib, so import them only where
something is drawn.
"""
