"""The trials of `make reliability`, a few times each."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def trials(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import reliability_trials

    return reliability_trials


def assert_nothing_lost(trial):
    assert trial.n_tried > 0
    assert trial.n_lost == 0, trial


def test_eight_threads_fit_and_predict_as_one_does(trials):
    assert_nothing_lost(trials.threads(1))


def test_killed_processes_leave_a_whole_checkpoint(trials, tmp_path):
    assert_nothing_lost(trials.kills(3, tmp_path))


def test_ctrl_c_while_another_thread_fits_reaches_the_main_thread(trials):
    assert_nothing_lost(trials.interrupts("thread", 1))


def test_nonsense_is_refused_by_name(trials):
    assert_nothing_lost(trials.bad_inputs())


def test_what_the_trials_compare_can_differ(trials):
    one, other = (trials.fastmlp.fit(trials.X, trials.Y, hidden=3, epochs=2, rng=rng) for rng in (0, 1))
    assert trials.same(one, one)
    assert not trials.same(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["univariate", "few", "many", "reference", "joblib"])
def test_ctrl_c_is_answered_within_a_second(trials, kind):
    assert_nothing_lost(trials.interrupts(kind, 1 if kind == "joblib" else 3))


@pytest.mark.slow
def test_pools_fit_as_one_process_does(trials):
    assert_nothing_lost(trials.pools())


@pytest.mark.slow
def test_a_limit_of_memory_gives_memory_errors_and_no_crash(trials):
    assert_nothing_lost(trials.memory_limits((100,)))


@pytest.mark.slow
def test_eight_processes_at_once_on_a_cold_cache_all_succeed(trials, tmp_path):
    assert_nothing_lost(trials.cold_processes(8, tmp_path))


@pytest.mark.slow
def test_the_script_writes_its_table(tmp_path):

    command = [sys.executable, "-W", "error", str(SCRIPTS / "reliability.py"), "--quick", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table in done.stdout
    assert "\n0 lost;" in table
