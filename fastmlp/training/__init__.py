"""The loop that drives an engine: recording, stopping, checkpoints, callbacks, Ctrl-C.

May import `models` and what that may import.
"""
