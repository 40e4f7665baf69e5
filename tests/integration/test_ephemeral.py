# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers whose changes are forgotten."""
import json
import re

import pytest

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]


def look(root):
    return f"find {root} -printf '%P %y %m %U %G %s %l %n %T@\\n' | sort | sha256sum"


@pytest.mark.parametrize("options", MODES)
def test_changes_are_forgotten(host, busybox, options, clean):
    host.run(f"mkdir -p {busybox}/data; echo kept >{busybox}/data/f; chown 1234:1234 {busybox}/data/f; chmod 0751 {busybox}; touch -d @1000 {busybox}/data/f")
    before = host.run(look(busybox)).out
    r = host.berth("run", "-q", "-P", "-x", "-D", busybox, *options, "--", "/bin/sh", "-c", """
        set -e; cat /data/f; stat -c '%u %g %a' /data/f; stat -c '%u %g %a' /
        echo more >>/data/f; mv /data /moved; rm -r /bin/ls; mkdir -m 700 /new; echo x >/new/x; chown 7:8 /new/x; mknod /new/p p
        cat /moved/f; stat -c '%u %g %a' /new /new/x; mknod /new/null c 1 3 2>/dev/null && (echo >/new/null) 2>/dev/null && echo a device works
        mount | grep ' / '""")
    assert r.stdout.split("\n")[:-2] == ["kept", "1234 1234 644", "0 0 751", "kept", "more", "0 0 700", "7 8 644"], r
    assert re.search(r"^overlay on / type overlay \(rw,nodev", r.stdout, re.M), r
    assert r.stderr == "" and host.run(look(busybox)).out == before
    # read-only is possible on top, and then nothing can be changed at all
    r = host.berth("run", "-q", "-P", "-x", "--read-only", "-D", busybox, *options, "--", "/bin/sh", "-c", "echo x >/data/f", check=False)
    assert r.returncode != 0 and "ead-only" in r.stderr, r


def test_many_of_one_image(host, busybox, clean):
    """They get names of their own, and share the image with each other, not with one that changes it."""
    running = [host.spawn("berth", "run", "-q", "-P", "-x", "-D", busybox, "--", "/bin/sh", "-c", f"echo {i} >/mine; sleep 60") for i in range(5)]
    try:
        host.wait_for("test $(berth list --no-legend | grep -c running) = 5", 20)
        names = [c["name"] for c in json.loads(host.berth("list", "--json=short").stdout)]
        assert all(re.fullmatch("busybox-[0-9a-f]{8}", n) for n in names) and len(set(names)) == 5, names
        assert sorted(host.berth("exec", n, "cat", "/mine").out for n in names) == list("01234")
        r = host.berth("run", "-q", "-P", "-M", "writer", "-D", busybox, "--", "true", check=False)
        assert r.returncode == 125 and re.search("in use by 'busybox-[0-9a-f]{8}' since ", r.stderr) and "--ephemeral" in r.stderr, r
        assert host.berth("run", "-q", "-P", "-x", "-M", "named", "-D", busybox, "--", "/bin/hostname").out == "named"
    finally:
        host.run("for n in $(berth list --no-legend | cut -d' ' -f1); do berth terminate $n; done", check=False)
        for p in running:
            host.end(p)


def test_image_by_name_and_settings(host, busybox, clean):
    host.write("/etc/berth/busybox.berth", "[Exec]\nEphemeral=yes\nEnvironment=FROM=settings\n")
    try:
        r = host.berth("run", "-q", "-P", "busybox", "/bin/sh", "-c", "echo $FROM; hostname; touch /x")
        assert re.fullmatch(r"settings\nbusybox-[0-9a-f]{8}\n", r.stdout) and not host.exists(f"{busybox}/x"), r
        # not from beside the image
        host.run(f"mv /etc/berth/busybox.berth {busybox}.berth")
        r = host.berth("run", "-q", "-P", "-M", "busybox", "--", "/bin/hostname")
        assert r.out == "busybox" and "Ephemeral" in r.stderr, r
    finally:
        host.run(f"rm -f /etc/berth/busybox.berth {busybox}.berth")


@pytest.mark.parametrize("options", MODES)
def test_booted_system(host, debian, options, clean):
    before = host.run(look(debian)).out
    p = host.spawn("berth", "run", "-b", "-x", "--notify-ready=yes", "-M", "fleeting", "-D", debian, *options)
    try:
        host.wait_for("berth show -p Ready --value fleeting 2>/dev/null | grep -qx yes", 60)
        host.berth("exec", "fleeting", "systemctl", "is-active", "multi-user.target")
        host.berth("reboot", "fleeting")
        host.wait_for("berth show -p Ready --value fleeting 2>/dev/null | grep -qx yes", 60)
        host.berth("stop", "fleeting", timeout=100)
    finally:
        host.berth("terminate", "fleeting", check=False)
        host.end(p)
    assert host.run(look(debian)).out == before


def test_the_hosts_own_root(host, clean):
    if host.run("stat -f -c %T /").out == "overlayfs":      # two layers already are as deep as the kernel goes
        r = host.berth("run", "-q", "-P", "-x", "-M", "self", "-D", "/", "--", "true", check=False)
        assert r.returncode in (0, 125) and len(r.stderr.splitlines()) <= 2, r
        return
    assert host.berth("run", "-q", "-P", "-x", "-M", "self", "-D", "/", "--", "/bin/sh", "-c", "echo >/only-inside; ls /only-inside").out == "/only-inside"
    assert not host.exists("/only-inside")
