#!/bin/bash
# with-engine.sh COMMAND [ARGUMENT]...: runs COMMAND where `docker` and `docker compose` work. Where an engine answers, that
# one is used; else one is started for COMMAND alone: Debian 13's, unpacked into .cache/engine and not installed, in
# namespaces of its own (mounts, processes, network), so that the machine's addresses, routes and firewall stay as they are,
# and nothing is left when it ends. It needs root and Debian's mirror. Exit status 77: no engine can be had; standard error says why.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/.cache/engine

cannot() {
  echo "with-engine: $*" >&2
  exit 77
}

if docker compose version >/dev/null 2>&1 && docker version >/dev/null 2>&1; then exec "$@"; fi

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

  work=$(mktemp -d) uplink= inner=
  clean_up() {
    # In this order: with its init every process in the namespaces has ended, and with the last of them all mounts.
    if [[ -n $inner ]]; then
      kill "$inner" 2>/dev/null || true
      wait "$inner" 2>/dev/null || true
    fi
    if [[ -n $uplink ]]; then
      kill "$uplink" 2>/dev/null || true
      wait "$uplink" 2>/dev/null || true
    fi
    find /sys/fs/cgroup -depth -type d -path "*/gssocks-engine-$$*" -exec rmdir {} + 2>/dev/null || true
    rm -rf "$work"
  }
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkfifo "$work/entered" "$work/connected"
  export GSSOCKS_ENGINE_STAGE=entered GSSOCKS_ENGINE_WORK=$work GSSOCKS_ENGINE_CGROUP=/gssocks-engine-$$
  unshare --mount --net --propagation private "${BASH_SOURCE[0]}" "$@" <&0 &
  inner=$!
  read -r _ <"$work/entered"
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
  [[ $(head -c 1 "$work/connected") == 1 ]] || {
    cat "$work/uplink.log" >&2
    cannot "slirp4netns does not work here"
  }
  export GSSOCKS_ENGINE_STAGE=alone
  exec unshare --pid --fork --kill-child --mount-proc "${BASH_SOURCE[0]}" "$@"
fi

# --- alone: the engine, and COMMAND beside it
repository=$PWD
mkdir "$work"/{upper,workdir,merged,data,bin}
tree=$work/merged
mount -t tmpfs tmpfs "$work/upper"
mkdir "$work"/upper/{upper,work}
mount -t overlay -o "lowerdir=$root,upperdir=$work/upper/upper,workdir=$work/upper/work" overlay "$tree"
mount -t proc proc "$tree/proc"
for directory in /sys /dev; do mount --rbind "$directory" "$tree$directory"; done
mount -t tmpfs tmpfs "$tree/run"
# Files that compose reads and mounts keep their paths.
for directory in "$repository" "$work/data"; do
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
export PATH=$work/bin:$PATH

# Its sockets are in its own /run, where nobody else looks. It has to have the tree as its root in truth (pivot_root), or
# what enters a container's mounts later, as a health check, would find itself outside.
touch "$work/engine.log"
mkdir "$tree/before"
unshare --mount --propagation private bash -c '
  cd "$1" && shift && pivot_root . before && exec chroot . env bash -c "umount --lazy /before && exec \"\$@\"" - "$@"
' - "$tree" /usr/sbin/dockerd --data-root "$work/data" --host unix:///run/docker.sock --pidfile /run/dockerd.pid \
  --exec-root /run/docker --cgroup-parent "$GSSOCKS_ENGINE_CGROUP" --exec-opt native.cgroupdriver=cgroupfs \
  --ip6tables=false >"$work/engine.log" 2>&1 &
engine=$!
exec {log}< <(exec tail -n +1 -f --pid="$engine" "$work/engine.log")
tail=$!
if ! grep -q -m 1 "API listen on" <&"$log"; then
  tail -n 20 "$work/engine.log" >&2
  cannot "the engine does not start"
fi
kill "$tail"
exec {log}<&-
status=0
"$@" || status=$?
# An orderly end, as far as there is time; what is left ends with this process, the namespace's first.
kill "$engine"
wait "$engine" || true
exit "$status"
