# SPDX-License-Identifier: LGPL-2.1-or-later
"""What exists in a host now: one line per thing. Runs inside the host, on python3-minimal.

Two of these, before and after a test, tell what the test left behind. Things that a healthy system
starts and ends by itself (services on demand, journal files, session bookkeeping) are not listed.
"""
import os
import re
import sys

# services that come on demand or by timers; what they have is not a leak
ON_DEMAND = re.compile(
    r"/(system\.slice/(systemd-|dbus|polkit|user@|man-db|berthd|berth-test|e2scrub|logrotate|modprobe@|"
    r"system-(modprobe|getty|serial|systemd))|user\.slice|init\.scope)"
)
VOLATILE_FILES = re.compile(
    r"/run/(udev|log|user|systemd/(units|journal|sessions|users|seats|inaccessible|resolve|netif|transient|"
    r"propagate|generator|ask-password|userdb|dynamic-uid|container|notify|io\.|incoming|private|nspawn/locks|nspawn-uid)|"
    r"lock/|dbus|utmp|cryptsetup|credentials|blkid|fsck|mount|initctl|shm)|"
    r"/(var/)?tmp/systemd-private|/run/berth/(seccomp|control|spawner|names|ranges)|/run/systemd/(machines|nspawn)$|/run/berth$"
)
FILE_TREES = ("/run", "/tmp", "/var/tmp", "/dev/shm", "/var/lib/berth")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def mounts():
    """Mount points of the host, with what is mounted there."""
    for line in read("/proc/1/mountinfo").splitlines():
        fields, _, fs = line.partition(" - ")
        where, fs = fields.split()[4], fs.split()
        if not re.match(r"/run/(user|credentials|systemd/)|/sys/fs/cgroup/|/proc/sys/fs/binfmt_misc", where):
            yield "mount", f"{where} ({fs[0]})"


def cgroups():
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        dirs[:] = [d for d in dirs if not d.startswith(("net_", "cpu", "memory", "pids", "blkio"))]
        path = top[len("/sys/fs/cgroup"):]
        # machine.slice stays once it was used; units of mounts come and go with daemon-reload
        if path and path not in ("/machine.slice", "/system.slice/berth-spawner.service") and not path.endswith(".mount") and not ON_DEMAND.search(path):
            yield "cgroup", path


def processes():
    """Every process but the on-demand services' and this one's own line of ancestors."""
    own = set()
    pid = os.getpid()
    while pid:
        own.add(pid)
        m = re.search(r"^PPid:\t(\d+)", read(f"/proc/{pid}/status"), re.M)
        pid = int(m[1]) if m else 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in own or not os.path.exists(f"/proc/{entry}/exe"):
            continue  # the last: kernel threads and zombies have none
        cgroup = re.search(r"^0::(.*)$", read(f"/proc/{entry}/cgroup"), re.M)
        cmdline = read(f"/proc/{entry}/cmdline").replace("\0", " ").strip()
        # what the spawner has executed is in its cgroup, and no service
        if cgroup and not ON_DEMAND.search(cgroup[1]) and not cmdline.endswith("/berth-spawner"):
            yield "process", f"{entry} {cgroup[1]} {cmdline[:120]}"


def loops():
    """Loop devices whose file lies on a file system of this host: sysfs shows those of the machine too."""
    own = {line.split()[2] for line in read("/proc/1/mountinfo").splitlines() if " - devtmpfs" not in line}
    for loop in os.listdir("/sys/block"):
        backing = read(f"/sys/block/{loop}/loop/backing_file").strip()
        if not backing:
            continue
        try:
            dev = os.stat(backing.removesuffix(" (deleted)")).st_dev
        except OSError:
            continue
        if f"{os.major(dev)}:{os.minor(dev)}" in own:
            yield "loop", f"{loop} {backing}"


def descriptors():
    """Open descriptors of PID 1 and berthd, by kind, counted: a pidfd or memfd too many is a leak."""
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        name = "systemd" if pid == "1" else read(f"/proc/{pid}/comm").strip()
        if name not in ("systemd", "berthd") or (name == "systemd" and pid != "1"):
            continue
        kinds = {}
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                except OSError:
                    continue
                kind = re.sub(r"[:/]?\[?\d+\]?.*$", "", target)
                if name == "berthd" or re.search(r"pidfd|memfd|mnt|machines", target):
                    kinds[kind] = kinds.get(kind, 0) + 1
        except OSError:
            continue
        for kind, count in kinds.items():
            for i in range(count):
                yield "fd", f"{name} {kind} #{i + 1}"


def files():
    for tree in FILE_TREES:
        for top, dirs, names in os.walk(tree):
            dirs[:] = [d for d in dirs if not VOLATILE_FILES.search(os.path.join(top, d))
                       and not os.path.ismount(os.path.join(top, d))]
            for name in dirs + names:
                path = os.path.join(top, name)
                if not VOLATILE_FILES.search(path):
                    yield "file", path


def links():
    for name in os.listdir("/sys/class/net"):
        yield "link", name


def main():
    kinds = (mounts, cgroups, processes, loops, descriptors, files, links)
    for kind in kinds:
        for what, value in kind():
            sys.stdout.write(f"{what}\t{value!r}\n")


main()
