#!/usr/bin/env bash
# What a GPU is needed for, in under eight minutes: the tests marked gpu, scGPT's steps, and both deep models at the paper's size.
# It needs a PyTorch that sees the GPU, and scpertbias with its extras: pip install -e ".[test,gears,scgpt]", then
# pip install --no-deps scgpt==0.2.4. PYTHON names another interpreter.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-python3}
failed=0
run() {
	echo "== ${*:2}"
	timeout "$1" "${@:2}" || { failed=1; echo "failed or over $1 seconds: ${*:2}"; }
}
"$PYTHON" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || { echo "PyTorch sees no GPU here." >&2; exit 1; }
run 150 "$PYTHON" -m pytest -m gpu -q -s tests/models/deep tests/test_benchmarks.py
run 180 "$PYTHON" -m benchmarks.gpu --models GEARS --epochs 2
run 140 "$PYTHON" -m benchmarks.gpu --models scGPT --epochs 1
exit "$failed"
