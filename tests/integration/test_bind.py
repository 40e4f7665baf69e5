# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bind mounts of containers that run: berth bind, unbind, list-binds; with and without a user namespace."""
import json
import re
import time

import pytest

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]


@pytest.fixture
def shared(host):
    """A directory of the host with files of several owners, a mount below it, and links."""
    host.run("umount -q /srv/shared/below 2>/dev/null; rm -rf /srv/shared /srv/one; mkdir -p /srv/shared/below; echo one >/srv/one; echo hello >/srv/shared/file; "
             "echo mine >/srv/shared/mine; chown 1000:1000 /srv/shared/mine; mount -t tmpfs -o nosuid,nodev none /srv/shared/below; "
             "echo deep >/srv/shared/below/deep; ln -sfn /srv/shared /srv/link")
    yield "/srv/shared"
    host.run("umount -l /srv/shared/below /srv/shared/later 2>/dev/null; rm -rf /srv/shared /srv/link /srv/one")


@pytest.fixture
def running(host, machine, shared, clean):
    """running(*options): a busybox container whose payload only waits; returns its name."""
    started = []

    def start(*options, name="box", command=("sleep", "1000")):
        root = machine(name, "busybox")
        p = host.spawn("berth", "run", "-q", "-M", name, "-D", root, *options, "--", *command)
        started.append((name, p))
        host.wait_for(f"berth show -p State --value {name} | grep -qx running", 20)
        return name

    yield start
    for name, p in started:
        host.berth("terminate", name, check=False)
        host.end(p)


def binds(host, name):
    """destination: (source, read-only, origin)"""
    rows = json.loads(host.berth("list-binds", "--json=short", name).stdout)
    return {r["destination"]: (r["source"], r["read_only"], r["origin"]) for r in rows}


def sh(host, name, script, **options):
    return host.berth("exec", name, "sh", "-c", script, **options)


@pytest.mark.parametrize("options", MODES)
def test_bind(host, running, shared, options):
    name = running(*options, "--bind-ro=/etc/hostname:/opt/name")
    settings = {"/opt/name": ("/etc/hostname", True, "settings")}
    assert binds(host, name) == settings
    host.berth("bind", "--mkdir", name, shared, "/mnt/a/b")
    # owners are those inside, the mount below is there, what is written belongs to root on both sides
    r = sh(host, name, "cd /mnt/a/b; cat file below/deep; stat -c %u file mine; echo new >made; stat -c %u made")
    assert r.out.split() == ["hello", "deep", "0", "1000", "0"]
    assert host.run("stat -c %u /srv/shared/made").out == "0"
    # later mounts of the host come, none goes the other way
    host.run("mkdir -p /srv/shared/later; mount -t tmpfs none /srv/shared/later; touch /srv/shared/later/x")
    assert sh(host, name, "ls /mnt/a/b/later").out == "x"
    host.run("umount /srv/shared/later")
    sh(host, name, "mount -t tmpfs none /mnt/a/b/later", check=False)
    assert "/srv/shared/later" not in host.read("/proc/self/mountinfo")
    sh(host, name, "umount /mnt/a/b/later 2>/dev/null; :")
    # a file, over what is there already; a link of the host
    host.berth("bind", "--read-only", name, "/srv/one", "/etc/passwd")
    host.berth("bind", "--mkdir", name, "/srv/link", "/mnt/link")
    assert sh(host, name, "cat /etc/passwd /mnt/link/file").out == "one\nhello"
    found = binds(host, name)
    assert found == {**settings, "/mnt/a/b": (shared, False, "run-time"), "/mnt/a/b/below": (f"{shared}/below", False, "run-time"),
                     "/etc/passwd": ("/srv/one", True, "run-time"), "/mnt/link": (shared, False, "run-time"),
                     "/mnt/link/below": (f"{shared}/below", False, "run-time")}
    # the manager keeps nothing of this
    host.run("systemctl kill -s KILL berthd; sleep 0.3")
    host.wait_for(f"berth show {name} -p State | grep -q running")
    assert binds(host, name) == found
    table = host.berth("binds", name).stdout.splitlines()
    assert table[0].split() == ["DESTINATION", "SOURCE", "ACCESS", "ORIGIN"] and len(table) == 7
    # one after the other, through links inside
    sh(host, name, "ln -sfn a/b /mnt/l")
    host.berth("unbind", name, "/mnt/l")
    host.berth("unbind", name, "/etc/passwd")
    host.berth("unbind", name, "/mnt/link")
    assert binds(host, name) == settings
    r = host.berth("unbind", name, "/opt/name", check=False)
    assert (r.returncode, "settings" in str(binds(host, name))) == ((1, True) if options else (0, False)), r


@pytest.mark.parametrize("options", MODES)
def test_read_only_stays(host, running, shared, options):
    """What a mount may not, a container with a user namespace cannot change."""
    name = running(*options)
    host.berth("bind", "--read-only", "--mkdir", name, shared, "/mnt/ro")
    r = sh(host, name, "echo x >/mnt/ro/y; echo x >/mnt/ro/below/y", check=False)
    assert r.stderr.count("Read-only file system") == 2 and not host.exists("/srv/shared/y"), r
    if options:
        for what in ("/mnt/ro", "/mnt/ro/below"):
            assert sh(host, name, f"mount -o remount,bind,rw {what}", check=False).returncode != 0
        assert sh(host, name, "umount /mnt/ro/below", check=False).returncode != 0
        host.berth("bind", "--mkdir", name, f"{shared}/below", "/mnt/locked")
        r = sh(host, name, "mount -o remount,bind,suid,dev /mnt/locked", check=False)
        assert "nosuid,nodev" in sh(host, name, "grep ' /mnt/locked ' /proc/mounts").out, r


def test_without_idmap(host, running, shared):
    name = running("-U")
    host.berth("bind", "--mkdir", "--no-idmap", name, shared, "/mnt/as-is")
    assert sh(host, name, "stat -c %u /mnt/as-is/file").out == "65534"
    r = sh(host, name, "echo x >/mnt/as-is/file", check=False)
    assert r.returncode != 0 and "denied" in r.stderr
    # a file system that cannot: said, and what to do
    r = host.berth("bind", name, "/proc/sys", "/mnt", check=False)
    assert r.returncode == 1 and "The ids of '/proc/sys' cannot be mapped to those of container 'box': its proc file system" in r.stderr
    assert "--no-idmap" in r.stderr


def test_what_fails(host, running, shared):
    name = running("-U")
    sh(host, name, "mkdir -p /d; : >/f; ln -s /proc /p; ln -s / /slash; ln -s loop /loop; ln -s ../../../../.. /up")
    for words, said, hint in (
            (["/nowhere"], "Opening '/nowhere' on the host failed: No such file or directory", "create it on the host first"),
            (["/srv/one/x", "/d"], "Opening '/srv/one/x' on the host failed: Not a directory", None),
            ([shared, "/missing"], "Binding '/srv/shared' to '/missing' in container 'box' failed: No such file or directory", "--mkdir"),
            ([shared, "/f"], "Binding '/srv/shared' to '/f' in container 'box' failed: Not a directory", "the source is a directory"),
            (["/srv/one", "/d"], "Binding '/srv/one' to '/d' in container 'box' failed: Is a directory", "the source is not a directory"),
            ([shared, "/loop"], "Too many levels of symbolic links", "links"),
            ([shared, "/"], "Binding '/srv/shared' to '/' in container 'box' is not supported", "below the root"),
            ([shared, "/slash"], "is not supported", "below the root"),
            ([shared, "/up"], "is not supported", "below the root"),
            ([shared, "/d/.."], "", None),
            ([shared, "/proc"], "is not supported", "the kernel has its own files there"),
            ([shared, "/p/1"], "is not supported", "the kernel has its own files there"),
            (["--mkdir", shared, "/p/x"], "Binding '/srv/shared' to '/p/x' in container 'box' failed", None),
            (["relative", "/d"], "Invalid source 'relative': an absolute path is expected", None),
            ([shared, "relative"], "Invalid destination 'relative': an absolute path is expected", None),
            ([shared, "/d\nx"], "Invalid destination '/d\\x0ax'", None),
    ):
        r = host.berth("bind", *words[:-2], name, *words[-2:], check=False) if words[0] == "--mkdir" else host.berth("bind", name, *words, check=False)
        assert r.returncode == 1 and r.stderr.startswith("berth: ") and said in r.stderr and (hint is None or hint in r.stderr), (words, r)
    for destination in ("/missing", "/d", "/", "/proc", "/f"):
        r = host.berth("unbind", name, destination, check=False)
        assert r.returncode == 1 and f"Nothing of the host is bound to '{destination}' in container 'box'" in r.stderr, r
    assert binds(host, name) == {}


@pytest.mark.parametrize("options", MODES)
def test_nothing_reaches_the_host(host, running, shared, options):
    """Mount points that lead out of the root, and change while they are looked for."""
    name = running(*options)
    host.run("rm -rf /srv/victim; mkdir -p /srv/victim/sub; echo safe >/srv/victim/file")
    sh(host, name, "ln -s /srv/victim /out; ln -s ../../../../../../srv/victim /rel; mkdir -p /d")
    host.berth("bind", "--mkdir", name, shared, "/out/made")
    host.berth("bind", "--mkdir", name, shared, "/rel/made2")
    assert sh(host, name, "ls /srv/victim").out.split() == ["made", "made2"]
    p = host.spawn("berth", "exec", name, "sh", "-c", "while :; do mv /d /d2; ln -s /srv/victim /d; rm /d; mv /d2 /d; done")
    host.run(f"for i in $(seq 40); do berth bind --mkdir {name} {shared} /d/x$i 2>/dev/null; done; :", timeout=120)
    host.run("pkill -f '^berth exec box sh -c while'")
    host.end(p)
    assert host.run("ls /srv/victim").out.split() == ["file", "sub"]
    mounts = host.read("/proc/1/mountinfo")
    assert "/srv/victim" not in mounts and mounts.count("/srv/shared") == 1, mounts
    host.run("rm -rf /srv/victim")


def test_a_container_that_ends_or_stands_still(host, running, shared):
    name = running("-U")
    unit = host.berth("show", "-p", "Unit", "--value", name).out
    host.systemctl("freeze", unit)
    try:    # needs none of its processes
        host.berth("bind", "--mkdir", name, shared, "/mnt/x")
    finally:
        host.systemctl("thaw", unit)
    host.berth("unbind", name, "/mnt/x")
    p = host.spawn(f"while berth bind --mkdir {name} {shared} /mnt/y && berth unbind {name} /mnt/y; do :; done")
    time.sleep(0.3)
    host.berth("terminate", name)
    out = p.communicate(timeout=30)[0].decode()
    # wherever in the middle it was
    assert re.fullmatch(f"berth: (Container '{name}' has ended|No container named '{name}' is running\nHint: 'berth list' shows those that are)\n", out), out
    host.wait_for("! pgrep berth-worker >/dev/null", 30)


def test_who_may(host, running, shared):
    name = running()
    user = "systemd-run -q --collect --pipe --wait -p User=nobody"
    for words in (f"bind {name} {shared}", f"unbind {name} {shared}", f"list-binds {name}"):
        r = host.run(f"{user} berth {words}", check=False)
        assert r.returncode == 1 and "Access denied" in r.stderr, (words, r)
    host.write("/etc/polkit-1/rules.d/50-bind.rules", """polkit.addRule(function(action, subject) {
        if (action.id == "org.berth.containers1.bind" && action.lookup("container") == "box") return polkit.Result.YES;
});
""")
    host.run("systemctl restart polkit")
    try:
        host.run(f"{user} berth bind --mkdir {name} {shared} /mnt/theirs")
        assert sh(host, name, "cat /mnt/theirs/file").out == "hello"
        host.run(f"{user} berth unbind {name} /mnt/theirs")
    finally:
        host.run("rm /etc/polkit-1/rules.d/50-bind.rules; systemctl restart polkit")


def test_device_nodes(host, running):
    """A node can be bound; opening it is the unit's device policy's."""
    name = running()
    sh(host, name, ": >/dev/mine; : >/dev/theirs")
    host.berth("bind", name, "/dev/zero", "/dev/mine")
    host.berth("bind", name, "/dev/loop-control", "/dev/theirs")
    assert sh(host, name, "head -c 2 /dev/mine | wc -c").out == "2"
    r = sh(host, name, ": </dev/theirs", check=False)
    assert r.returncode != 0 and "not permitted" in r.stderr, r
    host.berth("unbind", name, "/dev/mine")
    host.berth("unbind", name, "/dev/theirs")


@pytest.mark.parametrize("options", MODES)
def test_copy_replaces_nothing_that_is_mounted(host, running, shared, options):
    """--force does not empty directories of the host that are bound below what it replaces, on neither side."""
    name = running(*options)
    host.berth("bind", "--mkdir", name, shared, "/data/shared")
    r = host.berth("copy-to", "--force", name, "/etc/hostname", "/data", check=False)
    assert r.returncode == 1 and "/data" in r.stderr and "something is mounted" in r.stderr, r
    assert host.read("/srv/shared/file") == "hello\n"
    assert sh(host, name, "cat /data/shared/file; ls -a / | grep berth-copy", check=False).out == "hello"
    r = host.berth("copy-from", "--force", name, "/etc", "/srv/shared", check=False)
    assert r.returncode == 1 and "/srv/shared" in r.stderr and "something is mounted" in r.stderr, r
    assert host.read("/srv/shared/file") == "hello\n" and host.read("/srv/shared/below/deep") == "deep\n"
    assert ".berth-copy" not in host.run("ls -a /srv").stdout
