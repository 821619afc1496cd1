"""The two kinds of errors of a command, each with its exit code."""

FAILED, USED_WRONGLY = 1, 2


class UsageError(Exception):
    """The command was used wrongly."""


class CommandError(Exception):
    """The command failed."""
