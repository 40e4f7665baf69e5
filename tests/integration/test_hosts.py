# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hosts themselves: what every other test here takes for granted."""
import pytest

from hosts import CommandFailed

pytestmark = [pytest.mark.ns, pytest.mark.vm, pytest.mark.plain]


def test_systemd_runs(host):
    first = host.systemctl("--version").out.split()
    assert first[:2] == ["systemd", str(host.systemd)]
    assert host.systemctl("is-system-running", check=False).out == "running", host.systemctl("--failed", "--no-legend").stdout
    assert host.read("/proc/1/comm") == "systemd\n"


def test_commands_pass_everything(host):
    r = host.run("cat; echo problem >&2; exit 3", input="text\n", check=False)
    assert (r.stdout, r.stderr, r.returncode) == ("text\n", "problem\n", 3)
    with pytest.raises(CommandFailed, match="exit status 3"):
        host.run("exit 3")
    assert host.run("printenv", "WORD", env={"WORD": "a b"}).out == "a b"


def test_terminal(host):
    with host.terminal("test -t 0 && test -t 1 && stty size && read x && echo got=$x; exit 7", rows=33, columns=99) as t:
        t.expect(r"33 99\r?\n")
        t.send("word\n")
        t.expect("got=word")
    with host.terminal("sh -c 'exit 5'") as t:
        assert t.wait() == 5


def test_payload_trees(host, machine):
    for tree, word in (("bookworm", "bookworm"), ("forky", "forky"), ("busybox", "busybox")):
        assert word in host.read(f"/lab/{tree}/usr/lib/os-release")
    path = machine("copy", "busybox")
    host.run(f"echo new >{path}/etc/hostname && test -u {path}/bin/busybox || test -x {path}/bin/busybox")
    assert host.run("stat", "-c", "%u %a", f"{path}/home/bob").out == "1000 755"
    assert host.run("stat", "-f", "-c", "%T", path).out != "overlayfs"


def test_leaks_are_seen(host):
    before = host.snapshot()
    assert not host.leaks(before, timeout=0)
    host.run("mkdir /run/left && mount -t tmpfs left /run/left && mkdir /sys/fs/cgroup/left && "
             "truncate -s 1M /var/left && losetup -f /var/left && ip link add left type veth peer name right && "
             "{ setsid sleep 987 >/dev/null 2>&1 </dev/null & }")
    try:
        left = "\n".join(f"{kind} {thing}" for kind, thing in host.leaks(before, timeout=0))
        for word in ("mount '/run/left", "cgroup '/left", "/var/left'", "link 'left'", "sleep 987"):
            assert word in left
    finally:
        host.run("umount /run/left; rmdir /run/left /sys/fs/cgroup/left; losetup -D; rm /var/left; "
                 "ip link del left; kill $(pgrep -x -f 'sleep 987')", check=False)
    assert not host.leaks(before)


def test_project_is_installed(host):
    assert host.run("test -x /usr/bin/berth && test -x /usr/lib/berth/berth-supervisor && "
                    "systemctl cat berth@x.service", check=False).returncode == 0


@pytest.mark.vm
def test_controllers(host):
    if host.kind == "vm":
        assert {"cpu", "io", "memory", "pids"} <= set(host.read("/sys/fs/cgroup/cgroup.controllers").split())
