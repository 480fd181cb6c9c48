#!/bin/bash
# boot.sh ROOT CGROUP: becomes a systemd that runs the system in ROOT as process 1 of namespaces of its own, in a cgroup of
# its own, with this shell's network. Started by `unshare --mount --pid --fork --kill-child`. systemd tells NOTIFY_SOCKET
# when it has booted. Whoever started it removes CGROUP.
set -euo pipefail
root=$1 cgroup=$2

if [[ ${3:-} != inside ]]; then
  mount --make-rprivate /
  mount --bind "$root" "$root"
  # Of the unified hierarchy, beside others or alone; what systemd sees of it is its own part.
  hierarchy=$(mktemp -d)
  mount -t cgroup2 cgroup2 "$hierarchy"
  mkdir "$hierarchy/$cgroup"
  echo 0 >"$hierarchy/$cgroup/cgroup.procs"
  umount "$hierarchy"
  rmdir "$hierarchy"
  exec unshare --cgroup --uts --ipc "$0" "$root" "$cgroup" inside
fi

cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
hostname gssocks-test
mkdir -p old
pivot_root . old
umount -l old
# What systemd mounts is to be seen by its services, as credentials: it leaves that to whoever makes its container.
mount --make-rshared /
exec env -i container=gssocks-test NOTIFY_SOCKET="$NOTIFY_SOCKET" PATH=/usr/sbin:/usr/bin \
  /usr/lib/systemd/systemd --system --show-status=no </dev/null
