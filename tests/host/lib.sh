# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Shared by the scripts of this folder: where things lie, and small helpers. Sourced, never run.

: "${BERTH_HOSTS_CACHE:=/var/tmp/berth-hosts/cache}" "${BERTH_HOSTS_RUN:=/var/tmp/berth-hosts/run}"
export BERTH_HOSTS_CACHE BERTH_HOSTS_RUN

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# A host outlives its caller: keep none of the caller's pipes open, for someone may wait for them to close
close_fds() {
    local f
    for f in "/proc/$BASHPID/fd"/*; do
        f=${f##*/}
        if ((f > 2 && f != 255)); then eval "exec $f>&-"; fi
    done
}

check_suite() {
    case ${1:-} in
        bookworm | trixie | forky | sid) ;;
        *) die "unknown suite '${1:-}': bookworm, trixie, forky or sid" ;;
    esac
}

# unpack TAR DIR: all but the device nodes, with everything that a file can carry
unpack() {
    tar -xpf "$1" -C "$2" --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*'
}
