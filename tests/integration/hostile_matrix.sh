#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Starts a container from a root with one hostile object at one mount point, for every pair of both, and prints a line for each:
#   POINT KIND exit=N ms=N host=same|CHANGED lines=N first line of stderr
# Runs inside a test host. The words after TREE are further options for `berth run`.
#
#   hostile_matrix.sh TREE [OPTION…]
set -u
tree=$1; shift
W=$(mktemp -d /var/lib/hostile.XXXXXX)
trap 'chattr -R -f -i "$W" 2>/dev/null; rm -rf --one-file-system "$W"' EXIT
points="proc sys dev run tmp etc var dev/pts dev/shm dev/mqueue dev/console dev/null sys/fs/cgroup run/host etc/resolv.conf etc/hosts etc/localtime etc/machine-id etc/hostname"
kinds="absolute dangling relative loop procroot procfd fifo socket file chardev setuid mode000"

snapshot() { find "$W/victim" -printf '%P %y %m %U %G %s %l %n %T@ %C@\n' | sort; cat "$W/victim/secret"; }

mkdir -p "$W"/victim/{d,net,host,fs/cgroup}; echo SECRET >"$W/victim/secret"; echo P >"$W/victim/ptmx"
cp -a "$tree" "$W/c"
exec 3<"$W/victim"              # what /proc/self/fd/3 would lead to

plant() { # POINT KIND
  local at=$W/c/$1
  rm -rf "$at"; mkdir -p "$(dirname "$at")"
  case $2 in
    absolute) ln -s "$W/victim" "$at";;
    dangling) ln -s "$W/victim/new" "$at";;
    relative) ln -s "$(echo "$1" | sed 's#[^/]*#..#g')/victim" "$at";;
    loop)     ln -s "$(basename "$1")" "$at";;
    procroot) ln -s "/proc/self/root$W/victim" "$at";;
    procfd)   ln -s /proc/self/fd/3 "$at";;
    fifo)     mkfifo "$at";;
    socket)   perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!' "$at";;
    file)     echo text >"$at";;
    chardev)  mknod "$at" c 1 3;;
    setuid)   cp "$W/c/bin/busybox" "$at"; chmod 4755 "$at";;
    mode000)  mkdir -m 000 "$at";;
  esac
}

for point in $points; do
  for kind in $kinds; do
    # the tree is made anew when a start or the planting could have changed it
    rm -rf --one-file-system "$W/c"; cp -a "$tree" "$W/c"
    plant "$point" "$kind" || { echo "$point $kind cannot be planted"; continue; }
    before=$(snapshot); start=${EPOCHREALTIME/./}
    timeout -k 1 10 berth run -q -P -M hostile -D "$W/c" "$@" -- /bin/true >"$W/out" 2>"$W/err" </dev/null; status=$?
    ms=$(( (${EPOCHREALTIME/./} - start) / 1000 ))
    [ "$before" = "$(snapshot)" ] && host=same || host=CHANGED
    grep -q SECRET "$W/out" "$W/err" && host=LEAKED
    echo "$point $kind exit=$status ms=$ms host=$host lines=$(grep -c '' <"$W/err") $(head -n 1 "$W/err")"
  done
done
