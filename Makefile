# The commands for a person and for CI: the same targets serve both.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo-output

DATA ?= data
MINUTES ?= 600
DEVICE ?= auto

.PHONY: demo test check format install clean weights weights-continue

# A stamp, so that a second `make` does not install again; setup.cfg decides when it must.
$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

install: $(VENV)/.installed

demo: install
	$(BIN)/autoremove demo --output $(DEMO)

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The embedded weights anew from folders of pictures, or on from what they are; see benchmarks/rebuild_weights.py.
weights: install
	$(BIN)/python benchmarks/rebuild_weights.py --data $(DATA) -o runs/weights --minutes $(MINUTES) --device $(DEVICE)

weights-continue: install
	$(BIN)/python benchmarks/rebuild_weights.py --data $(DATA) -o runs/weights-continue --minutes $(MINUTES) --device $(DEVICE) --continue

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info
