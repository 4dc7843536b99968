# make train · make app · make study · make test · make lint · make bench · make demo: each makes .venv when missing.
# make test-jax · make test-torch: the other backends, each in an environment of its own.
# make docs: the documentation site; make test-docs runs every code block and notebook in it.
# make screenshots: docs/app anew, from the runs in RUNS.
# PYTHON=python3.13 chooses the Python of the environments; default: what they are of, else python3.
RUNS ?= runs
BIN := .venv/bin

.PHONY: train app study test test-jax test-torch lint bench demo docs test-docs screenshots clean FORCE

# looked at each time, changed only where it has to be made anew, and then all is installed again
.venv/pyvenv.cfg .venv-jax/pyvenv.cfg .venv-torch/pyvenv.cfg: FORCE
	@.ci/environment $(@D)

.venv/.runtime: .venv/pyvenv.cfg requirements.txt requirements-base.txt requirements-tensorflow.txt requirements-app.txt
	.ci/environment .venv --upgrade pip
	.ci/environment .venv -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt requirements-test.txt .venv/.runtime
	.ci/environment .venv -r requirements-dev.txt
	@touch $@

.venv/.bench: benchmarks/requirements.txt .venv/.dev
	.ci/environment .venv -r benchmarks/requirements.txt
	@touch $@

.venv/.docs: requirements-docs.txt .venv/.dev
	.ci/environment .venv -r requirements-docs.txt
	@touch $@

train: .venv/.runtime
	$(BIN)/python -m slr_keras.train --train.export $(ARGS)

app: .venv/.runtime
	$(BIN)/python main.py $(ARGS)

study: .venv/.runtime
	$(BIN)/python -m slr_keras.study digits $(ARGS)

# its many processes read what the first one compiled, whatever the environment says
test test-jax test-torch: export PYTHONDONTWRITEBYTECODE :=
test: .venv/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# Contracts, the golden trajectory, the Keras model, SavedModels and resuming, on the other backends.
# TORCH=torch==X installs that build instead of the newest, where pip is offered one without CUDA.
TORCH ?=
OTHERS := tests/core tests/contracts/test_contracts_golden.py tests/contracts/test_contracts_attacks.py \
	tests/contracts/test_contracts_label_bank.py tests/contracts/test_contracts_methods.py \
	tests/contracts/test_contracts_parts.py \
	tests/jobs/test_jobs_kill_resume.py tests/jobs/test_jobs_leaving.py
# what one process of JAX compiled, the others read
test-jax: export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.venv-jax/compiled
test-jax: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0
test-torch: OTHERS += tests/jobs/test_lab_attacks.py
test-torch: export OMP_NUM_THREADS ?= 1
test-jax test-torch: test-%: .venv-%/.dev
	KERAS_BACKEND=$* .venv-$*/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(OTHERS) $(ARGS)

.venv-%/.dev: requirements-%.txt requirements-base.txt requirements-app.txt requirements-test.txt .venv-%/pyvenv.cfg
	.ci/environment .venv-$* --upgrade pip
	.ci/environment .venv-$* -r $< $(if $(filter torch,$*),$(TORCH)) -r requirements-test.txt
	@touch $@

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy slr_keras
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 slr_keras
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin slr_keras

bench: .venv/.bench
	$(BIN)/python -m benchmarks $(ARGS)

demo: .venv/.runtime
	$(BIN)/python -m benchmarks.phenomenon $(ARGS)

# The site in build/docs; then every code block and notebook of its pages is run.
docs: .venv/.docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs $(ARGS)
	@echo "build/docs/index.html"

test-docs: .venv/.docs
	$(BIN)/python -m pytest -m "slow or not slow" tests/docs $(ARGS)

screenshots: .venv/.runtime
	$(BIN)/python -m gui.screenshots --runs $(RUNS) $(ARGS)

clean:
	rm -rf .venv .venv-jax .venv-torch .pytest_cache .ruff_cache .mypy_cache
