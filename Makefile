# Every command sets up what it needs in .venv and starts at once the next time.
#   make train      train a network on handwritten digits and show what it learned
#   make test       the test suite, on all processors
#   make test-quick all but the slow ones, in less than a minute
#   make lint       ruff and mypy
#   make bench      the same training step in other frameworks
#   make writeup    render the assignment, docs/writeup.html, after a change of docs/writeup.md
#   make docs       the documentation as a site, site/index.html, which opens from disk
#   make handout    build dist/handout.tar.gz and dist/handout.zip for students
#   make grade      grade a class: make grade ARGS="SUBMISSIONS --out REPORTS"
# PYTHON=python3.12 chooses the interpreter; ARGS="--epochs 5" goes to the program.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# As many tests at once as there are processors; each takes over neighbours of its own, so that what they share is made once.
WORKERS := -n auto --maxprocesses 8 --dist worksteal
READY := $(VENV)/.plots $(VENV)/.dev

.PHONY: help train test test-quick lint bench writeup docs handout grade clean

help:
	@sed -n '/^[^#]/q; s/^#  *//p' Makefile

train: $(VENV)/.plots
	@$(BIN)/python hw_bonus/mlp_runner.py $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

test-quick: $(READY)
	@$(BIN)/python -m pytest $(WORKERS) -m "not slow" $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.base
	@$(BIN)/python -m benchmarks $(ARGS)

writeup: $(VENV)/.writeup
	@$(BIN)/python docs/render.py $(ARGS)

docs: $(VENV)/.docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)
	@echo "The site is built. Open site/index.html in any browser; it needs no network."

handout: $(VENV)/.base
	@$(BIN)/python -m autograder.staff handout $(ARGS)

grade: $(VENV)/.staff
	@$(BIN)/python -m autograder.staff grade $(ARGS)

$(VENV)/.base: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or newer was found. Install one, or name it: make PYTHON=/path/to/python3 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python cannot make a virtual environment here; on Debian and Ubuntu: apt install python3-venv"; exit 2; }
	@echo "Setting up $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary --editable .
	@touch $@

$(VENV)/.plots $(VENV)/.dev $(VENV)/.staff $(VENV)/.writeup $(VENV)/.docs: $(VENV)/.%: $(VENV)/.base
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary --editable '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) build dist results site .pytest_cache .mypy_cache .ruff_cache .hypothesis
