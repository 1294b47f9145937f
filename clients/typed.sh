#!/bin/sh
# Check one client's types strictly, then run it against the live service: ./typed.sh hey-api
set -eu
tsc --project "$1"
esbuild "$1/main.ts" --bundle --platform=node --format=esm --packages=external --log-level=warning \
  --outfile="generated/$1/main.mjs"
node "generated/$1/main.mjs"
