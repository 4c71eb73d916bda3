# Two commands do everything on a machine with Python 3.11 and git:
#   make demo    train, deploy, calibrate, train again, deploy again; ends with a report
#   make test    lint, types and tests
# Both first make the environment .venv, and make it again only when pyproject.toml has changed.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Installed first: a plain `torch`, as other packages ask for it, may bring gigabytes of CUDA.
TORCH ?= torch==2.13.0

# Options of the demo: make demo ARGS="--output runs/another --seed 1"
ARGS ?=

.PHONY: demo test lint check proofs clean

demo: $(STAMP)
	$(BIN)/sim2real demo $(ARGS)

test: lint check

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

# One thread a library: the simulator and the tests bring their own, and more only fight.
check: export OMP_NUM_THREADS = 1
check: export OPENBLAS_NUM_THREADS = 1
check: export MKL_NUM_THREADS = 1
check: $(STAMP)
	$(BIN)/python -m pytest

# Hours, and only worth something on an idle machine; see benchmarks/README.md.
PROOFS ?= $(wildcard benchmarks/[a-z]*.py benchmarks/*/[a-z]*.py)

proofs: $(STAMP)
	$(BIN)/python -m pip install --quiet -e '.[benchmark]'
	@for script in $(PROOFS); do echo "== $$script"; $(BIN)/python $$script || exit; done

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What pip says is shown only when it fails.
$(STAMP): pyproject.toml
	@set -f; \
	for name in $(or $(PYTHON),python3.11 python3 python3.12 python3.13 python); do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        python="$$name"; break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "error: no Python 3.11 or newer among: $(or $(PYTHON),python3.11 python3 python);" \
	        "install one, or say where it is: make PYTHON=/path/to/python3.11" >&2; \
	    exit 2; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version), a few minutes ..."; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV) || { \
	    echo "error: '$$python -m venv' failed, see above (on Debian: apt install python3-venv)" >&2; \
	    rm -rf $(VENV); exit 2; \
	}; \
	for packages in '$(TORCH)' '-e .[dev]'; do \
	    if ! $(BIN)/python -m pip install --no-input --disable-pip-version-check $$packages \
	        >$(VENV)/pip.log 2>&1 </dev/null; then \
	        cat $(VENV)/pip.log >&2; \
	        echo "error: 'pip install $$packages' failed, see above; 'make' again to retry" >&2; \
	        exit 2; \
	    fi; \
	done; \
	touch $@
