# make train · make app · make test · make lint · make bench · make demo: each makes .venv when missing.
# make screenshots: docs/app anew, from the runs in RUNS.
PYTHON ?= python3
RUNS ?= runs
BIN := .venv/bin

.PHONY: train app test lint bench demo screenshots clean

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
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache
