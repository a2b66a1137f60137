#!/bin/sh
# Installs Debian's headless Chromium, which the browser tests drive.
set -eu
sudo=$([ "$(id -u)" = 0 ] || echo sudo)
if ! command -v apt-get >/dev/null; then
  echo "Chromium is needed by the browser tests; install it and run make test again." >&2
  exit 1
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
