"""The training loop: it runs an engine and records, stops, saves, and calls back.

May import `models` and the folders below it.
"""
