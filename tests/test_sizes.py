"""Memory and time of a fit: what is available, and what is refused before anything is computed."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import fastmlp
from fastmlp import checks
from fastmlp.checks import available, sizes
from fastmlp.pipeline import configured
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.needs import needs_of
from fastmlp.starting.options import FitOptions
from fastmlp.training import progress

GIB = 2**30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that writes files of a system with 8 GiB of available memory."""
    monkeypatch.setattr(available, "PROC", tmp_path / "proc")
    monkeypatch.setattr(available, "CGROUPS", tmp_path / "cgroup")

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("proc/meminfo", f"MemTotal: 99999999 kB\nMemAvailable: {8 * 2**20} kB\nHugePages_Total: 0\n")
    return write


def test_the_memory_of_the_machine(machine):
    assert available.available_memory() == 8 * GIB


@pytest.mark.parametrize("line", ["0::/", "0::/jobs/one", "0::/elsewhere/in/the/host", "0::/../.."])
def test_limits_of_control_groups_of_version_2(machine, line):
    machine("proc/self/cgroup", f"{line}\n")
    machine("cgroup/memory.max", f"{4 * GIB}\n")
    machine("cgroup/memory.current", f"{3 * GIB}\n")
    machine("cgroup/memory.stat", f"anon 1\ninactive_file {GIB // 2}\n")
    assert available.available_memory() == 1.5 * GIB  # the cache is dropped when memory is needed
    machine("cgroup/jobs/one/memory.max", "max\n")
    machine("cgroup/jobs/one/memory.current", "7\n")
    assert available.available_memory() == 1.5 * GIB
    machine("cgroup/jobs/one/memory.max", f"{GIB}\n")
    assert available.available_memory() == (GIB - 7 if "jobs" in line else 1.5 * GIB)
    machine("cgroup/memory.current", f"{5 * GIB}\n")
    assert available.available_memory() == 0


@pytest.mark.parametrize("controllers", ["memory", "cpu,memory"])
def test_limits_of_control_groups_of_version_1(machine, controllers):
    machine("proc/self/cgroup", f"9:name=systemd:/\n4:{controllers}:/batch/job\n0::/\n")
    machine("cgroup/memory/batch/memory.limit_in_bytes", f"{2 * GIB}\n")
    machine("cgroup/memory/batch/memory.usage_in_bytes", f"{GIB}\n")
    machine("cgroup/memory/batch/job/memory.limit_in_bytes", "9223372036854771712\n")  # no limit
    machine("cgroup/memory/batch/job/memory.usage_in_bytes", "7\n")
    assert available.available_memory() == GIB
    machine("cgroup/memory/batch/memory.stat", f"total_inactive_file {GIB // 4}\n")
    assert available.available_memory() == 1.25 * GIB


def test_a_limit_of_the_address_space(machine, monkeypatch):
    resource = pytest.importorskip("resource")
    machine("proc/self/statm", "1000 5 5 5 0 5 0\n")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (3 * GIB, resource.RLIM_INFINITY))
    monkeypatch.setattr(available.os, "sysconf", lambda name: 4096)
    assert available.available_memory() == 3 * GIB - 1000 * 4096


def test_other_systems_report_the_memory_of_the_machine_or_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(available, "PROC", tmp_path)
    monkeypatch.setattr(available, "CGROUPS", tmp_path)
    assert 2**20 < available.available_memory() < 2**60
    monkeypatch.delattr(available.os, "sysconf")
    monkeypatch.setattr(available, "_of_address_space", lambda: np.inf)
    assert available.available_memory() == np.inf


@pytest.mark.parametrize("x", [np.linspace(-1, 1, 100), np.random.default_rng(0).normal(size=(100, 5))])
def test_a_net_that_does_not_fit_is_refused_with_size_and_time(machine, monkeypatch, x):
    monkeypatch.setattr("fastmlp.pipeline.find_coordinates", None)  # nothing may be computed
    words = r"hidden must be small enough for memory, got 100000000\. This needs about \d+ GB of memory and about \d+"
    with pytest.raises(MemoryError, match=words + r" (s|min|h|days); 8\.6 GB are available\."):
        fastmlp.fit(x, np.ones(100), hidden=10**8, epochs=1)


def test_the_same_size_fits_into_more_memory(machine):
    machine("proc/meminfo", f"MemAvailable: {2**40} kB\n")
    config = configured(np.linspace(-1, 1, 100), np.ones(100), FitOptions(hidden=10**8, epochs=1))
    assert 8e9 < config.needs.n_bytes < 5e10
    assert 20 < config.needs.seconds < 2000
    assert re.fullmatch(r"This fit needs about \d+ GB of memory and about \d+ (s|min)\.", str(config.needs))


def test_small_fits_do_not_read_the_limits(monkeypatch):
    monkeypatch.setattr(sizes, "available_memory", None)
    fastmlp.fit([0.0, 1.0], [0.0, 1.0], hidden=1000, epochs=2, snapshots=[1], rng=0)


def test_estimates_grow_with_the_sizes():
    small, wide, long, deep = (
        needs_of(Architecture(n_in, n_hidden, 1), 1000, "dense", epochs, stores_layer=False)
        for n_in, n_hidden, epochs in [(2, 100, 10), (2, 10**6, 10), (2, 100, 10**6), (50, 100, 10)]
    )
    assert small.n_bytes < wide.n_bytes
    assert small.start_seconds < wide.start_seconds
    assert small.n_bytes == long.n_bytes
    assert small.start_seconds == long.start_seconds
    assert long.seconds > 1e4 * small.seconds
    assert deep.n_bytes > small.n_bytes
    huge = needs_of(Architecture(1, 10**400, 1), 100, "univariate", 10**18, stores_layer=False)
    assert "days" in str(huge)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "1 s"), (90, "90 s"), (150, "2 min"), (7200, "2 h"), (10**6, "12 days"), (1e300, "11,574,074,074 days")],
)
def test_durations_in_words(seconds, words):
    assert checks.duration(seconds) == words


def test_a_file_that_is_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).save(path)
    fastmlp.load(path)
    monkeypatch.setattr("fastmlp.files.archives.fits_memory", lambda n_bytes: False)
    with pytest.raises(fastmlp.FileFormatError, match="larger than the file or the memory"):
        fastmlp.load(path)


def test_what_a_fit_needs_is_told_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("fastmlp.training.progress.is_terminal", lambda: True)
    monkeypatch.setattr("fastmlp.pipeline.LARGE", 0)
    for option in (None, False):
        fastmlp.fit([0.0, 1.0], [0.0, 1.0], hidden=5, epochs=2, rng=0, progress=option)
        assert ("This fit needs about" in capsys.readouterr().err) is (option is None)


def test_long_steps_are_named_on_a_terminal_after_two_seconds(capsys, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "is_terminal", lambda: True)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    activity = progress.Activity(None)
    activity.begin("compiling")
    activity._ends.set()  # no other thread looks at the clock
    activity._watcher.join()
    activity._ends = SimpleNamespace(wait=lambda seconds: stops.pop(), set=lambda: None)

    def look(seconds):
        clock.now = seconds
        stops[:] = [True, False]
        activity._watch()
        return capsys.readouterr().err

    stops = []
    assert look(1.9) == ""
    assert look(2.0) == "\rfastmlp: compiling (2 s)"
    assert look(12.0) == "\rfastmlp: compiling (12 s)"
    activity.begin("sorting")
    assert capsys.readouterr().err == "\r" + " " * len("fastmlp: compiling (12 s)") + "\r"
    assert look(13.0) == ""
    assert look(14.0).startswith("\rfastmlp: sorting (2 s)")
    activity.end()
    assert capsys.readouterr().err.strip() == ""
    assert look(99.0) == ""
    quiet = progress.Activity(False)
    quiet.begin("compiling")
    assert quiet._watcher is None


def test_every_step_of_a_fit_has_a_name(sine, monkeypatch):
    begun = []
    words = ["learning rate", "initial weights", "compiling", "sorting", "first epoch", "converting"]
    monkeypatch.setattr("fastmlp.training.progress.Activity.begin", lambda self, what: begun.append(what))
    fastmlp.fit(*sine, hidden=5, epochs=2, rng=0)
    assert len(begun) == len(words)
    for step, word in zip(begun, words, strict=True):
        assert word in step
