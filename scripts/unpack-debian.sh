#!/bin/bash
# unpack-debian.sh [--closure] [--architecture ARCH] DIRECTORY SUITE,... PACKAGE...: unpacks packages of other Debian
# releases, or for another processor (arm64), into DIRECTORY, which must not be there yet; with --closure, also everything
# they need, down to the C library. They are checked by
# apt with Debian's archive keys, and not installed. The machine's mirror and proxy settings are used; its apt state is
# not touched. Needs no root.
set -euo pipefail

fail() {
  echo "unpack-debian: $*" >&2
  exit 1
}
closure='' architecture=$(dpkg --print-architecture)
while [[ $1 == --* ]]; do
  case $1 in
    --closure) closure=$1 ;;
    --architecture) architecture=$2 && shift ;;
    *) fail "no such option: $1" ;;
  esac
  shift
done
target=$1 suites=$2
shift 2
command -v apt-get >/dev/null || fail "needs apt-get"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $keyring ]] || fail "needs the package debian-archive-keyring"

# Where this machine gets its own release's main component from.
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
mirror=$(apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' |
  awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
[[ -n $mirror ]] || fail "no mirror for $codename main in this machine's apt sources"

work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,root}
touch "$work/status"
for suite in ${suites//,/ }; do echo "deb [signed-by=$keyring] $mirror $suite main"; done >"$work/sources.list"
# Of the machine's settings only how to fetch (proxies and the like); an empty status makes apt resolve the whole closure.
{
  apt-config dump | grep '^Acquire::'
  cat <<CONFIG
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$work";
Dir::State::status "$work/status";
Dir::Cache "$work";
Dir::Cache::archives "$work/archives";
APT::Sandbox::User "";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Get::List-Cleanup "false";
Acquire::Languages "none";
CONFIG
} >"$work/apt.conf"
export APT_CONFIG=$work/apt.conf

fetch() {
  apt-get update && if [[ -n $closure ]]; then
    apt-get install -y --download-only --no-install-recommends -t "${suites##*,}" "$@"
  else
    (cd "$work/archives" && apt-get download "$@")
  fi
}
log=$work/log
if ! fetch "$@" >"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  fail "apt could not fetch $* of $suites"
fi
for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done
mv "$work/root" "$target"
