# Every target works first on a bare clone: what it needs is installed into $(VENV) before it runs.
PYTHON ?= python3
VENV   ?= .venv
HOST   ?= 127.0.0.1
PORT   ?= 8000
ARGS   ?=

# Stamps of finished installs. The interpreter is a prerequisite: when it is replaced or gone, all is installed again.
runtime := $(VENV)/.nudge-installed
dev     := $(VENV)/.nudge-installed-dev
python  := "$(VENV)/bin/python"
# The tests of a file stay together, as they share what is slow to make. How many processes there are, and the order of
# the files, tests/conftest.py says.
pytest  := $(python) -m pytest -n auto --maxprocesses 4 --max-worker-restart 1 --dist loadfile --no-loadscope-reorder

.PHONY: help install train check ask serve learn test thorough core lint bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile
	@echo 'ARGS="…" is handed on to the command; PYTHON, VENV, HOST and PORT can be set likewise.'

install: $(runtime) ## install Nudge into a virtual environment, .venv unless VENV names another
	@echo "Nudge is installed in $(VENV)."

train: $(runtime) ## train a network and save it, by default the guide's on XOR
	@exec $(python) -m model train $(ARGS)

check: $(runtime) ## compare the four gradients of a checkpoint
	@exec $(python) -m model check $(ARGS)

ask: $(runtime) ## ask a checkpoint for predictions, row by row
	@exec $(python) -m model ask $(ARGS)

serve: export NUDGE_LEARN ?= 1
serve: $(runtime) ## serve the checkpoints and the page for learners over HTTP, on HOST and PORT
	@$(python) serve/gunicorn_conf.py
	@test -n "$$NUDGE_CHECKPOINTS" || ls checkpoints/*.safetensors >/dev/null 2>&1 || $(python) -m model train
	@exec $(python) -m model serve --host "$(HOST)" --port "$(PORT)" $(ARGS)

learn: ## serve the page on which you watch a network learn: http://127.0.0.1:8000/learn
	@exec $(MAKE) --no-print-directory serve NUDGE_LEARN=1 HOST=127.0.0.1

test: lint ## run lint, then the tests
	@$(pytest) $(ARGS)

thorough: export NUDGE_THOROUGH = 1
thorough: test ## run lint, then all tests with every case and example

core: $(dev) ## run only the tests that every supported Python must pass
	@$(pytest) -m 'core and not slow' $(ARGS)

lint: $(dev) ## check style and types
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy

bench: $(dev) ## measure how far this is from the limit, and what one would use instead (a quarter of an hour)
	@$(python) -m bench $(ARGS)

$(runtime): pyproject.toml constraints.txt $(VENV)/bin/python
	@exec sh .ci/install "$(PYTHON)" "$(VENV)"
	@touch "$@"

$(dev): $(runtime)
	@exec sh .ci/install "$(PYTHON)" "$(VENV)" dev
	@touch "$@"

$(VENV)/bin/python: ;
