# `make demo` shows the whole job on synthetic scenes, `make test` runs every check.
# Both make a virtual environment first; set VENV to use another one. JOBS files of tests run
# at the same time. `make lowest` runs the quick tests with the lowest versions allowed.
# `make docs` builds the documentation as a site: docs/_build/html/index.html.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
DEMO ?= demo
JOBS ?= 2
# Files of tests share the cores, in the order of tests/conftest.py. In each, PyTorch and BLAS
# would only wait for their threads.
TOGETHER = --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest $(TOGETHER)

.PHONY: demo picture models study test check docs quick lowest adapters fuzz bench coverage format clean

demo: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" DEMO=$(DEMO) bash tests/support/demo.sh

# docs/pictures/map.png, from a trained run: make picture RUN=run
picture: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" RUN=$(RUN) bash tests/support/picture.sh

# The paper's main finding in small: with all channels better than with SAR alone.
models: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" DEMO=$(DEMO) bash tests/support/models.sh

# The study of seaice_model/STUDY.md: a night on two cores.
study: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" JOBS=$(JOBS) bash tests/support/make_study.sh

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST) -rs --cov --cov-report=term:skip-covered

check: test

# Warnings are errors, and every notebook is run. From nothing, or pages that have not changed
# would keep links to others that have gone.
docs: $(READY)
	rm -rf docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --jobs $(JOBS) docs docs/_build/html

# While writing: no type checks, no slow tests.
quick: $(READY)
	$(BIN)/ruff check .
	$(PYTEST) -q -m "not slow"

# The lowest versions that pyproject.toml allows, of core and all extras, and the quick tests,
# in an environment of their own. torch is the version TORCH: the lowest has no CPU build on
# PyPI. Old libraries warn beside newer ones, so warnings are not errors here.
LOWEST ?= .venv-lowest
TORCH ?= 2.13.0+cpu
UV = UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(LOWEST)/bin/uv pip

lowest: $(LOWEST)/.ready
	PATH="$(abspath $(LOWEST)/bin):$$PATH" OMP_NUM_THREADS=1 \
	    $(LOWEST)/bin/pytest -q -m "not slow" -W default $(TOGETHER)

$(LOWEST)/.ready: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet uv
	echo "torch==$(TORCH)" > $(LOWEST)/torch.txt
	$(UV) compile pyproject.toml --all-extras --resolution lowest-direct --quiet \
	    --constraint $(LOWEST)/torch.txt --output-file $(LOWEST)/versions.txt
	$(UV) install --quiet --python $(LOWEST) --requirement $(LOWEST)/versions.txt
	$(UV) install --quiet --python $(LOWEST) --no-deps --editable .
	touch $@

# torchgeo, terratorch and nnU-Net read what we give. They need torchvision, for which PyPI
# has builds for CUDA only, so torch is one, too: 6.2 GB in an environment of its own, in a
# minute and a half here. They run on the CPU. `make test` skips these tests, and says so.
ADAPTERS ?= .venv-adapters
JUDGED = $$(grep --recursive --files-with-matches --include 'test_*.py' 'mark.adapters' tests)

adapters: $(ADAPTERS)/.ready
	$(ADAPTERS)/bin/pytest -q -m adapters -W default $(JUDGED)

$(ADAPTERS)/.ready: pyproject.toml
	$(PYTHON) -m venv $(ADAPTERS)
	$(ADAPTERS)/bin/pip install --quiet uv
	$(ADAPTERS)/bin/uv pip install --quiet --python $(ADAPTERS) --group adapters --editable .
	touch $@

# Hostile variants of every kind of file; another SEED makes others.
N ?= 3000
SEED ?= 0
fuzz: $(READY)
	PYTHONPATH=.:tests PYTHONWARNINGS=ignore $(BIN)/python -m fuzz.runner --n $(N) --seed $(SEED) --jobs $(JOBS)

bench: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" ADAPTERS="$(abspath $(ADAPTERS))" bash tests/support/bench.sh

# How often the intervals of a study contain the true difference, in simulated studies.
REPEATS ?= 4000
coverage: $(READY)
	PYTHONPATH=.:tests OMP_NUM_THREADS=1 $(BIN)/python -m support.study_coverage --repeats $(REPEATS) --jobs $(JOBS)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(LOWEST) $(ADAPTERS) $(DEMO) docs/_build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage

# pip would compile modules on one core. A few of them are for other versions of Python.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -W ignore -m compileall -q -q -j 0 $(VENV)/lib || true
	touch $@
