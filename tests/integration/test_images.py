# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pool and its care: berth's verbs, machinectl, systemd-nspawn and their locks, on one pool."""
import json

import pytest

POOL = "/var/lib/machines"


@pytest.fixture
def pool(host, busybox, clean):
    """An image "web" with settings, and a disk image "disk"; all that is there afterwards is removed."""
    host.run(f"mkdir -p {POOL}; cp -a {busybox} {POOL}/web; echo [Exec] >{POOL}/web.nspawn; truncate -s 20M {POOL}/disk.raw; "
             "mkdir -p /etc/berth/web.berth.d; echo [Exec] >/etc/berth/web.berth.d/x.conf; "
             f"echo nice-name >{POOL}/web/etc/hostname; echo 0123456789abcdef0123456789abcdef >{POOL}/web/etc/machine-id")
    yield POOL
    host.run(f"chattr -Ri {POOL} 2>/dev/null; rm -rf {POOL}/web* {POOL}/app* {POOL}/db* {POOL}/disk* {POOL}/.[!.]* /etc/berth/*.berth.d; rmdir /etc/berth || :", check=False)


def images(host):
    """{name: object} of berth's list."""
    return {i["name"]: i for i in json.loads(host.berth("images", "-a", "--json=short").stdout)}


def listing(host):
    return set(host.run(f"ls -A {POOL}").out.split())


def test_verbs(host, pool):
    """What they do, what they say, and that side-cars follow."""
    found = images(host)
    assert found["web"]["type"] == "directory" and found["web"]["path"] == f"{POOL}/web" and found["web"]["read_only"] is False
    assert found["disk"]["type"] == "raw" and found["disk"]["limit"] == 20 << 20 and found["web"]["usage"] is None
    table = host.berth("images").out
    assert table.split()[:4] == ["NAME", "TYPE", "RO", "USAGE"] and f"{POOL}/web" in table, table

    host.berth("clone", "web", "app")
    host.berth("clone", "--read-only", "disk", "disk2")
    assert listing(host) >= {"app", "app.nspawn", "disk2.raw"} and "x.conf" in host.run("ls /etc/berth/app.berth.d").out
    assert host.run(f"diff -r --no-dereference {POOL}/web {POOL}/app && stat -c %a {POOL}/disk2.raw").out == "444"
    assert host.berth("run", "-q", "-P", "app", "--", "/bin/echo", "runs").out == "runs"
    host.berth("rename", "app", "db")
    assert not {"app", "app.nspawn"} & listing(host) and {"db", "db.nspawn"} <= listing(host)
    status = host.berth("image-status", "db").out
    for words in ("Type: directory", "Hostname: nice-name", "Machine ID: 0123456789abcdef0123456789abcdef", "RO: writable", "OS: Busybox"):
        assert words in status, status
    assert host.berth("show-image", "db", "-p", "Path,ReadOnly", "--value").out == f"{POOL}/db\nno"
    [row] = json.loads(host.berth("du", "db", "--json=short").stdout)
    assert row["files"] > 10 and row["bytes"] > 100000 and row["disk_bytes"] > 100000

    host.run(f"mkdir {POOL}/.old; mkdir {POOL}/.#gone.12345678; touch {POOL}/.#gone.12345678.lck")
    assert "REMOVED" in host.berth("clean").out and not {".old", ".#gone.12345678", ".#gone.12345678.lck"} & listing(host)
    r = host.berth("remove", "db", "nothing", "disk2", check=False)
    assert r.returncode == 1 and "There is no image 'nothing' in /etc/machines" in r.stderr, r
    assert set(images(host)) >= {"web", "disk"} and not {"db", "disk2"} & set(images(host))
    assert not {"db", "db.nspawn", "disk2.raw"} & listing(host)
    assert "web.berth.d" in host.run("ls /etc/berth").out and "db.berth.d" not in host.run("ls /etc/berth").out


def test_in_use(host, pool):
    """Nobody works on what somebody else has: berth, systemd-nspawn and machinectl agree."""
    p = host.spawn("exec berth run -q -P web -- sleep 300")
    try:
        host.wait_for("berth list --no-legend | grep -q '^web .*running'", 60)
        for words in (["remove", "web"], ["rename", "web", "db"], ["read-only", "web"], ["clone", "web", "db"]):
            r = host.berth(*words, check=False)
            assert r.returncode == 1 and "Image 'web' is in use by 'web' since " in r.stderr, r
        r = host.run("machinectl", "remove", "web", check=False)
        assert r.returncode != 0 and "is in use by 'web' since " in r.stderr, r
        r = host.run("systemd-nspawn", "-q", "-M", "other", "-D", f"{POOL}/web", "true", check=False)
        assert r.returncode != 0 and "busy" in r.stderr.lower(), r
        assert "Hostname: nice-name" in host.berth("image-status", "web").out       # looking is no harm
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)
    p = host.spawn(f"exec systemd-nspawn -q --register=no --keep-unit -M web -D {POOL}/web sleep 300")
    try:
        host.wait_for(f"test -e {POOL}/.#web.lck && pgrep -x sleep", 60)
        for words in (["remove", "web"], ["rename", "web", "db"]):
            r = host.berth(*words, check=False)
            assert r.returncode == 1 and "Image 'web' is in use by 'web' since " in r.stderr, r
        r = host.berth("run", "-q", "-P", "-M", "x", "-D", f"{POOL}/web", "--", "true", check=False)
        assert r.returncode == 125 and "is in use by 'web' since " in r.stderr, r
    finally:
        host.run("pkill -KILL -x sleep", check=False)
        p.wait(60)      # it tidies up
        host.end(p)
    host.run(f"mkdir -p {POOL}/web/mnt; mount -t tmpfs x {POOL}/web/mnt")
    try:
        r = host.berth("remove", "web", check=False)
        assert r.returncode == 1 and f"something is mounted on '{POOL}/web/mnt'" in r.stderr, r
    finally:
        host.run(f"umount {POOL}/web/mnt")


def test_machinectl(host, pool):
    """Unmodified, each of its verbs for images."""
    out = host.run("machinectl", "--no-pager", "list-images").out
    assert {line.split()[0] for line in out.splitlines() if " raw " in line or " directory " in line} >= {"disk", "web"}, out
    out = host.run("machinectl", "--no-pager", "image-status", "web").out
    assert "Hostname: nice-name" in out and "OS: Busybox" in out and f"Path: {POOL}/web" in out, out
    out = host.run("machinectl", "--no-pager", "show-image", "disk").out
    assert "Type=raw" in out and f"Path={POOL}/disk.raw" in out and f"Limit={20 << 20}" in out, out
    host.run("machinectl", "clone", "web", "app")
    host.run("machinectl", "rename", "app", "db")
    assert {"db", "db.nspawn"} <= listing(host) and "app" not in listing(host)
    host.run("machinectl", "read-only", "disk", "yes")
    assert host.run(f"stat -c %a {POOL}/disk.raw").out == "444" and images(host)["disk"]["read_only"] is True
    host.run("machinectl", "read-only", "disk", "no")
    r = host.run("machinectl", "set-limit", "web", "1G", check=False)
    assert r.returncode != 0 and "only subvolumes of btrfs" in r.stderr, r
    host.run("machinectl", "remove", "db")
    assert not {"db", "db.nspawn"} & listing(host)
    r = host.run("machinectl", "remove", "db", check=False)
    assert r.returncode != 0 and "no image 'db'" in r.stderr, r
    host.run(f"mkdir {POOL}/.old")
    host.run("machinectl", "clean")
    assert ".old" not in listing(host) and "web" in listing(host)
    path = "/org/freedesktop/machine1/image/web"
    name, interface = "org.freedesktop.machine1", "org.freedesktop.machine1.Image"
    assert host.run("busctl", "get-property", name, path, interface, "Type").out == 's "directory"'
    assert host.run("busctl", "call", name, path, interface, "GetHostname").out == 's "nice-name"'
    host.run("busctl", "call", name, path, interface, "Clone", "sb", "app", "false")
    host.run("busctl", "call", name, path.replace("web", "app"), interface, "Remove")
    assert "app" not in listing(host)


def test_interrupted(host, pool):
    """Who goes away leaves nothing."""
    host.run(f"mkdir {POOL}/web/many; cd {POOL}/web/many; seq 4000 | xargs touch; head -c 50M /dev/zero >zero")
    p = host.spawn("exec berth clone web app")
    host.wait_for(f"ls -A {POOL} | grep -q '^.#app.*[0-9a-f]$' || test -e {POOL}/app", 30)
    host.run("pkill -INT -f '^berth clone web app'", check=False)
    host.end(p)
    host.wait_for(f"! ls -A {POOL} | grep -q '^.#app'", 60)
    if "app" in listing(host):       # it was done before
        host.berth("remove", "app")
