"""The memory that is available to this process."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
# The files of a control group, in versions 2 and 1: the limit, the usage, and the file cache in statistics of the
# usage, which the system drops when it needs memory.
V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_memory() -> float:
    """Return how many bytes this process can still use, infinite if the system does not report it.

    This is the memory that the machine has available, or less if a control group, as of a container or a batch job, or
    a limit of the address space allows less. It takes about 0.1 ms.
    """
    return min(_of_machine(), *_of_control_groups(), _of_address_space())


def _of_machine() -> float:
    available = _fields(PROC / "meminfo").get("MemAvailable:")
    if available is not None:
        return 1024 * available
    with suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return math.inf


def _of_control_groups() -> Iterator[float]:
    """Yield what the limits of the groups of this process, and of those around them, leave."""
    yield math.inf
    for line in _text(PROC / "self" / "cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            mount, names = CGROUPS, V2
        elif "memory" in controllers.split(","):
            mount, names = CGROUPS / "memory", V1
        else:
            continue
        group = mount / path.lstrip("/")  # within a container, it may not exist there; the mount is its own group then
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount):
                yield _left(folder, *names)


def _left(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> float:
    """Return what the limit of one group leaves."""
    limit, usage = _text(folder / limit_name).strip(), _text(folder / usage_name).strip()
    if not (limit.isdigit() and usage.isdigit()):  # "max" is no limit
        return math.inf
    cache = _fields(folder / "memory.stat").get(cache_name, 0)
    return max(0, int(limit) - int(usage) + cache)


def _of_address_space() -> float:
    """Return what the limit of the address space leaves, as `ulimit -v` sets it."""
    try:
        import resource
    except ImportError:  # on Windows
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text(PROC / "self" / "statm").split()
    if limit == resource.RLIM_INFINITY or not pages:
        return math.inf
    return max(0, limit - int(pages[0]) * os.sysconf("SC_PAGE_SIZE"))


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers in a file with lines of a name and a number."""
    lines = (line.split() for line in _text(path).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) >= 2 and line[1].isdigit()}


def _text(path: Path) -> str:
    """Return the text of a file, empty if it cannot be read."""
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    return ""
