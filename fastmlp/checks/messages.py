"""The words of errors: ``<name> must be <rule>, got <value>.``, followed by a remedy if there is one."""

from __future__ import annotations

MAX_SHOWN = 60  # characters of a wrong value


def wording(name: str, rule: str, got: str, remedy: str = "") -> str:
    """Return the text of an error: "<name> must be <rule>, got <got>. <remedy>"."""
    return f"{name} must be {rule}, got {shortened(got)}.{' ' if remedy else ''}{remedy}"


def shortened(text: str) -> str:
    """Return the text, cut off after MAX_SHOWN characters."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "2 rows"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def described(value: object) -> str:
    """Return the type of a value with its article: "a generator", "an ndarray"."""
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
