#!/bin/sh
# Generate, check the program's types against what was generated, then run it against the live service.
set -eu
package=generated/python/attain_client
mkdir -p generated/python
.venv/bin/openapi-python-client generate --path ../openapi/openapi.json --output-path "$package" --meta none --overwrite \
  --config python/openapi-python-client.yaml --fail-on-warning
../.venv/bin/pyright --project python
PYTHONPATH=generated/python .venv/bin/python python/openapi_python_client.py
