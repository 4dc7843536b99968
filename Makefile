# make train · make app · make test · make lint · make bench · make demo: each makes .venv when missing.
# make test-jax · make test-torch: the other backends, each in an environment of its own.
# make screenshots: docs/app anew, from the runs in RUNS.
PYTHON ?= python3
RUNS ?= runs
BIN := .venv/bin

.PHONY: train app test test-jax test-torch lint bench demo screenshots clean

.venv/.runtime: requirements.txt requirements-base.txt requirements-tensorflow.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/.bench: benchmarks/requirements.txt .venv/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

train: .venv/.runtime
	$(BIN)/python -m slr_keras.train --train.export $(ARGS)

app: .venv/.runtime
	$(BIN)/python main.py $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# Contracts, the golden trajectory, the Keras model, SavedModels and resuming, on the other backends.
# TORCH=torch==X installs that build instead of the newest, where pip is offered one without CUDA.
TORCH ?=
OTHERS := tests/core tests/contracts/test_contracts_golden.py tests/contracts/test_contracts_attacks.py \
	tests/contracts/test_contracts_label_bank.py tests/contracts/test_contracts_methods.py \
	tests/jobs/test_jobs_kill_resume.py
# what one process of JAX compiled, the others read
test-jax: export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.venv-jax/compiled
test-jax: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0
test-torch: OTHERS += tests/jobs/test_lab_attacks.py
test-torch: export OMP_NUM_THREADS ?= 1
test-jax test-torch: test-%: .venv-%/.dev
	KERAS_BACKEND=$* .venv-$*/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(OTHERS) $(ARGS)

.venv-%/.dev: requirements-%.txt requirements-base.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $< \
		$(if $(filter torch,$*),$(TORCH)) pytest pytest-xdist hypothesis
	@touch $@

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy slr_keras

bench: .venv/.bench
	$(BIN)/python -m benchmarks $(ARGS)

demo: .venv/.runtime
	$(BIN)/python -m benchmarks.phenomenon $(ARGS)

screenshots: .venv/.runtime
	$(BIN)/python -m gui.screenshots --runs $(RUNS) $(ARGS)

clean:
	rm -rf .venv .venv-jax .venv-torch .pytest_cache .ruff_cache .mypy_cache
