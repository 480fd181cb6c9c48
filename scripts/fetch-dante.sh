#!/bin/bash
# Prints the path of the library that makes a program use SOCKS when it is preloaded (as Dante's socksify does), fetching
# it on first use into .cache/: that of Debian 12, for Debian 13 has no Dante. It needs nothing but the C library.
set -euo pipefail
. "$(dirname "$0")/cache.sh" dante

[[ -d $cache/dante ]] || scripts/unpack-debian.sh "$cache/dante" bookworm libdsocksd0
find "$cache/dante" -name libdsocksd.so.0 | grep .
