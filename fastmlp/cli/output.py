"""What a command prints: facts to standard output, messages to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Facts whose names in JSON are short, as they are shown to people.
LABELS = {
    "rmse": "training RMSE",
    "val_rmse": "RMSE on validation data",
    "cv_rmse": "RMSE on new data (cross-validated)",
    "cv_rmse_by_output": "RMSE on new data, by output",
}
MAX_LISTED = 5  # lines of a table in one message


def print_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print facts, one in each line or as JSON."""
    if sys.stdout is None:  # in a program without a console
        return
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    labelled = {LABELS.get(name, name): fact for name, fact in facts.items()}
    width = max(map(len, labelled))
    text = "".join(f"{label:{width}} {_shown(fact)}\n" for label, fact in labelled.items())
    encoding = sys.stdout.encoding or "utf-8"  # some terminals cannot show every letter of the names
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _shown(fact: object) -> str:
    if isinstance(fact, float):
        return f"{fact:.6g}"
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_shown(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        return ", ".join(f"[{_shown(part)}]" if isinstance(part, list) else _shown(part) for part in fact)
    return str(fact)


def tell(text: str) -> None:
    """Write a message in one line to standard error, which a program without a console does not have."""
    if sys.stderr is not None:
        sys.stderr.write(" ".join(text.splitlines()) + "\n")


def first_few(descriptions: Sequence[str]) -> str:
    """Return some descriptions of rows, and how many more there are."""
    more = len(descriptions) - MAX_LISTED
    listed = ", ".join(descriptions[:MAX_LISTED])
    return listed if more <= 0 else f"{listed} and {more} more"
