"""The command ``fastmlp``."""

from fastmlp.cli.commands import main

__all__ = ["main"]
