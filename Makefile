# Everything that a newcomer types. Needs Python 3.11 or newer and make; CONTRIBUTING.md says what each target does.
PYTHON ?= python3
# Another index for torch only, for example TORCH_INDEX=https://download.pytorch.org/whl/cpu (or .../cu130).
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread for each of the two test processes: with more they fight for the same cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2
INSTALL := pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: course test test-fast lab lock
.DELETE_ON_ERROR:

course: $(READY)
	@$(BIN)/hyplearn course demo

test: $(READY)
	$(PYTEST)

test-fast: $(READY)
	$(PYTEST) -m "not slow"

lab: $(READY)
	@$(BIN)/hyplearn lab

# Made again whenever the list of packages or their pins change; otherwise set-up costs nothing.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hyplearn needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV): some minutes, once (README: what it costs) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m $(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@$(BIN)/python -m $(INSTALL) --editable '.[dev]'
	@touch $@

# Renews constraints.txt from what a clean environment resolves to today; torch stays as pinned (edit its line to move it).
lock:
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder/venv"; pip="$$folder/venv/bin/python -m pip --disable-pip-version-check"; \
	torch=$$(grep '^torch==' constraints.txt); echo "$$torch" > "$$folder/torch.txt"; \
	$$pip install --quiet --constraint "$$folder/torch.txt" $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch; \
	$$pip install --quiet --constraint "$$folder/torch.txt" --editable '.[dev]'; \
	$$pip freeze --exclude-editable > "$$folder/freeze.txt"; \
	grep '^#' constraints.txt > "$$folder/new.txt"; \
	sed -n 's/^\([A-Za-z0-9._-]*==[^+]*\).*/\1/p' "$$folder/freeze.txt" \
	  | grep -v -i -E '^(nvidia|cuda|triton|setuptools|wheel)' >> "$$folder/new.txt"; \
	mv "$$folder/new.txt" constraints.txt; git --no-pager diff --stat constraints.txt
