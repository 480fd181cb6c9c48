#!/bin/bash
# with-engine.sh COMMAND [ARGUMENT]...: runs COMMAND where `docker` and `docker compose` work. Where an engine answers, that
# one is used; else one is started for COMMAND alone: Debian 13's, unpacked into .cache/engine and not installed, in
# namespaces of its own (mounts, processes, network), so that the machine's addresses, routes and firewall stay as they are,
# and no process, mount, network or container is left when it ends, even killed. Its images and the cache of their builds
# are in .cache/engine-data for the next time. It needs root and Debian's mirror. Files that the engine shall see are in this
# directory or in $TMPDIR. Exit status 77: no engine can be had; standard error says why.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/.cache/engine

cannot() {
  echo "with-engine: $*" >&2
  exit 77
}

if timeout 20 docker compose version >/dev/null 2>&1 && timeout 20 docker version >/dev/null 2>&1; then exec "$@"; fi

# --- outside: what the namespaces need, then into them
if [[ ${GSSOCKS_ENGINE_STAGE:-} == "" ]]; then
  [[ $(id -u) == 0 ]] || cannot "no engine answers, and only root can start one"
  [[ $(uname -s) == Linux ]] || cannot "no engine answers, and one can be started on Linux only"
  for tool in unshare chroot pivot_root mount ip; do
    command -v "$tool" >/dev/null || cannot "no engine answers, and to start one the program $tool is missing"
  done
  unshare --mount --net --pid --fork true 2>/dev/null || cannot "no engine answers, and namespaces are not to be had here"
  [[ -c /dev/net/tun ]] || cannot "no engine answers, and without /dev/net/tun one could fetch nothing"
  if [[ ! -e $root ]]; then
    scripts/unpack-debian.sh --closure "$root.new" trixie docker.io docker-cli docker-compose docker-buildx iptables \
      slirp4netns coreutils bash mount >&2 || cannot "no engine answers, and Debian's could not be fetched"
    # What the packages' scripts would have done.
    for directory in bin sbin lib lib64; do
      if [[ -d $root.new/usr/$directory ]]; then ln -s "usr/$directory" "$root.new/$directory"; fi
    done
    for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
      ln -s xtables-nft-multi "$root.new/usr/sbin/$name"
    done
    mkdir -p "$root.new"/{proc,sys,dev,run,tmp,etc/ssl/certs}
    mv "$root.new" "$root"
  fi

  work=$(mktemp -d) uplink='' inner=''
  # What was killed needs a moment to be gone from its control groups.
  remove_cgroups() {
    local round
    for round in {1..50}; do
      find /sys/fs/cgroup -depth -type d -path "*/gssocks-engine-$$*" -exec rmdir {} + 2>/dev/null && return 0
      sleep 0.1
    done
    echo "with-engine: left behind: control groups gssocks-engine-$$ ($round rounds)" >&2
  }
  clean_up() {
    # In this order: `inner` takes the process namespace's first with it (--kill-child), which ends all in it, and with the
    # last of them all mounts are gone.
    local process
    for process in $inner $uplink; do
      kill -KILL "$process" 2>/dev/null || true
      wait "$process" 2>/dev/null || true
    done
    remove_cgroups
    rm -rf "$work"
  }
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkfifo "$work/entered" "$work/connected"
  exec {entered}<>"$work/entered"
  export GSSOCKS_ENGINE_STAGE=entered GSSOCKS_ENGINE_WORK=$work GSSOCKS_ENGINE_CGROUP=/gssocks-engine-$$
  # Held until all of it has ended: of two at once in this directory, the second one's images are not kept.
  mkdir -p .cache/engine-data
  exec {kept}<.cache/engine-data
  if flock --nonblock "$kept"; then export GSSOCKS_ENGINE_DATA=$PWD/.cache/engine-data; fi
  unshare --mount --net --propagation private "${BASH_SOURCE[0]}" "$@" <&0 &
  inner=$!
  until read -r -t 1 -u "$entered" _; do
    kill -0 "$inner" 2>/dev/null || cannot "no engine answers, and a network namespace can't be set up here"
  done
  # The way out for image builds: a network stack in a process, without a bridge or a rule on the machine itself.
  loader=$(find "$root"/usr/lib* -name 'ld-linux*.so.*' | head -n 1)
  libraries=$(dirname "$(find "$root/usr/lib" -name 'libslirp.so.0')")
  "$loader" --library-path "$libraries" "$root/usr/bin/slirp4netns" --configure --disable-host-loopback --ready-fd=3 \
    "$inner" tap0 3>"$work/connected" >"$work/uplink.log" 2>&1 &
  uplink=$!
  status=0
  wait "$inner" || status=$?
  inner=
  exit "$status"
fi

work=$GSSOCKS_ENGINE_WORK
# --- in namespaces of mounts and network: wait for the way out, then become a process namespace too
if [[ $GSSOCKS_ENGINE_STAGE == entered ]]; then
  ip link set lo up
  echo >"$work/entered"
  [[ $(timeout 30 head -c 1 "$work/connected") == 1 ]] || {
    cat "$work/uplink.log" >&2
    cannot "slirp4netns does not work here"
  }
  export GSSOCKS_ENGINE_STAGE=alone
  exec unshare --pid --fork --kill-child --mount-proc "${BASH_SOURCE[0]}" "$@"
fi

# --- alone: the engine, and COMMAND beside it
repository=$PWD
mkdir "$work"/{upper,merged,data,bin,tmp}
data=${GSSOCKS_ENGINE_DATA:-$work/data}
# The engine's layers are overlays, which an overlay (as where this is a container itself) can't hold: then in memory.
mkdir "$work"/{probe,over,over-work}
can_hold_layers() { mount -t overlay -o "lowerdir=$work/probe,upperdir=$1/upper,workdir=$1/work" overlay "$work/over"; }
mkdir -p "$data/probe"/{upper,work}
if can_hold_layers "$data/probe" 2>/dev/null; then umount "$work/over"; else
  [[ $(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) -gt 6000000 ]] ||
    cannot "no engine answers, and neither disk nor memory could hold the layers of one's images"
  data=$work/data
  mount -t tmpfs tmpfs "$data"
fi
rm -rf "$data/probe"
tree=$work/merged
mount -t tmpfs tmpfs "$work/upper"
mkdir "$work"/upper/{upper,work}
mount -t overlay -o "lowerdir=$root,upperdir=$work/upper/upper,workdir=$work/upper/work" overlay "$tree"
mount -t proc proc "$tree/proc"
for directory in /sys /dev; do mount --rbind "$directory" "$tree$directory"; done
mount -t tmpfs tmpfs "$tree/run"
# Files that compose reads and mounts keep their paths.
for directory in "$repository" "$data" "$work/tmp"; do
  mkdir -p "$tree$directory"
  mount --bind "$directory" "$tree$directory"
done
echo 'nameserver 10.0.2.3' >"$tree/etc/resolv.conf"
cp /etc/hosts "$tree/etc/hosts"
if [[ -e ${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} ]]; then
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$tree/etc/ssl/certs/ca-certificates.crt"
fi

cat >"$work/bin/docker" <<WRAPPER
#!/bin/sh
# The engine's own client, in the engine's tree, in the directory of whoever asks.
exec chroot "$tree" /usr/bin/env --chdir="\$PWD" DOCKER_HOST=unix:///run/docker.sock docker "\$@"
WRAPPER
chmod +x "$work/bin/docker"
export PATH=$work/bin:$PATH TMPDIR=$work/tmp

# Its sockets are in its own /run, where nobody else looks. It has to have the tree as its root in truth (pivot_root), or
# what enters a container's mounts later, as a health check, would find itself outside.
touch "$work/engine.log"
mkdir "$tree/before"
unshare --mount --propagation private bash -c '
  cd "$1" && shift && pivot_root . before && exec chroot . env bash -c "umount --lazy /before && exec \"\$@\"" - "$@"
' - "$tree" /usr/sbin/dockerd --data-root "$data" --host unix:///run/docker.sock --pidfile /run/dockerd.pid \
  --exec-root /run/docker --cgroup-parent "$GSSOCKS_ENGINE_CGROUP" --exec-opt native.cgroupdriver=cgroupfs \
  --ip6tables=false >"$work/engine.log" 2>&1 &
engine=$!
exec {log}< <(exec tail -n +1 -f --pid="$engine" "$work/engine.log")
tail=$!
if ! timeout 60 grep -q -m 1 "API listen on" <&"$log"; then
  tail -n 20 "$work/engine.log" >&2
  cannot "no engine answers, and one does not start here: $(sed -n 's/.*failed to start daemon: //p' "$work/engine.log" | tail -n 1)"
fi
kill "$tail"
exec {log}<&-
# That it answers does not mean that the kernel lets it run containers: one that only ends well.
(cd "$root" && tar -c lib* usr/lib64 usr/lib/*/{ld-linux,libc.so}* usr/bin/true 2>/dev/null || true) | docker import - gssocks-probe >/dev/null
timeout 60 docker run --rm --network none --read-only gssocks-probe /usr/bin/true 2>"$work/probe.log" || {
  tail -n 5 "$work/engine.log" >&2
  cannot "no engine answers, and one that is started here runs no containers: $(tail -n 1 "$work/probe.log")"
}
docker image rm gssocks-probe >/dev/null
# To a busy machine's scheduler all containers together are as one process; they may be as much as eight.
for file in /sys/fs/cgroup/*"$GSSOCKS_ENGINE_CGROUP"/cpu.shares; do if [[ -e $file ]]; then echo 8192 >"$file" || true; fi; done
for file in /sys/fs/cgroup"$GSSOCKS_ENGINE_CGROUP"/cpu.weight; do if [[ -e $file ]]; then echo 800 >"$file" || true; fi; done
# What an earlier one was killed with.
{ docker container prune --force && docker network prune --force && docker volume prune --all --force &&
  docker image prune --force; } >/dev/null
status=0
"$@" || status=$?
# Images have been seen to; of the cache of builds, what was used last. Then an orderly end, as far as there is time: what is
# left ends with this process, the namespace's first.
docker builder prune --force --keep-storage 4gb >/dev/null 2>&1 || true
kill "$engine"
timeout 30 tail -f /dev/null --pid="$engine" || true
exit "$status"
