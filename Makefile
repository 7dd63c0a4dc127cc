# `make demo` and `make test` need Linux or macOS, Python 3.11 or newer and git. They install the rest themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
UV     := 0.13.9
DEMO_OUTPUT ?= demo-output
E2E_FIGURES ?= .switchover/e2e-figures.json
RELEASE_E2E_FIGURES ?= .switchover/release-e2e-figures.json

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-ui demo-stop test test-slow e2e release-e2e lint check format lock deployments benchmarks docs clean

help:  ## say what there is
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## make the virtual environment with the locked dependencies

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "switchover needs Python 3.11 or newer; found $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## the main job: release, deploy, canary under load, break, roll back
	@$(BIN)/switchover demo --output $(DEMO_OUTPUT)

demo-ui: $(READY)  ## the same, leaving the Prefect server and the environment up
	@$(BIN)/switchover demo --output $(DEMO_OUTPUT) --keep

demo-stop: $(READY)  ## end what `make demo-ui` left up
	@$(BIN)/switchover demo --stop --output $(DEMO_OUTPUT)

test: $(READY)  ## the tests, with real Prefect, Envoy and processes
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow and not cluster and not release"

test-slow: $(READY)  ## the demo as a test, the kill matrix, and what has to wait for a heartbeat
	$(BIN)/pytest -m slow --timeout 900

e2e: $(READY)  ## a real Kubernetes cluster is made, every test on it run, its figures printed, and it is taken down
	@rm -f $(E2E_FIGURES); status=0; \
	  SWITCHOVER_E2E_FIGURES=$(abspath $(E2E_FIGURES)) $(BIN)/python -m tests.cluster.run -- \
	  $(BIN)/pytest -m cluster -p no:cacheprovider --timeout 900 tests || status=$$?; \
	  test ! -e $(E2E_FIGURES) || cat $(E2E_FIGURES); exit $$status

release-e2e: $(READY)  ## the example released into real registries, twice, killed at each of its effects, and its figures printed
	@rm -f $(RELEASE_E2E_FIGURES); status=0; \
	  SWITCHOVER_E2E_FIGURES=$(abspath $(RELEASE_E2E_FIGURES)) \
	  $(BIN)/pytest -n 2 --dist worksteal -m release -p no:cacheprovider --timeout 900 tests/end_to_end/release || status=$$?; \
	  test ! -e $(RELEASE_E2E_FIGURES) || $(BIN)/python -m tests.end_to_end.release.summary $(RELEASE_E2E_FIGURES); \
	  exit $$status

lint: $(READY)  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## what has to pass before every commit

format: $(READY)  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## choose the newest allowed dependencies and write them down
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --upgrade \
	  --generate-hashes --no-annotate --no-header pyproject.toml -o requirements.lock

deployments: $(READY)  ## register flows, blocks and automations with the server of PREFECT_API_URL
	@$(BIN)/python -m flows.deployments $(ARGS)

benchmarks: $(READY)  ## every figure of docs/benchmarks.md
	@$(BIN)/python -m benchmarks.run

docs: $(READY)  ## write the generated pages again
	@$(BIN)/python -m switchover.config_reference docs

clean:  ## remove the virtual environment and the demo's output
	rm -rf $(VENV) $(DEMO_OUTPUT)
