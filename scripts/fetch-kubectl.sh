#!/bin/bash
# Prints the path of Debian 13's kubectl (Debian 12's is years older, with a kustomize that knows no `labels`), fetching it
# on first use into .cache/.
set -euo pipefail
. "$(dirname "$0")/cache.sh" kubectl

[[ -e $cache/kubectl ]] || scripts/unpack-debian.sh "$cache/kubectl" trixie kubectl
echo "$cache/kubectl/usr/bin/kubectl"
