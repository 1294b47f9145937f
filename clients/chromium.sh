#!/bin/sh
# Say where Chromium is; where there is none and Debian's can be installed, install it.
set -eu
find_it() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if ! find_it; then
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; } >&2
    find_it
  else
    echo "make clients needs Chromium: install the package chromium, or put a chromium into the PATH." >&2
    exit 1
  fi
fi
