# SPDX-License-Identifier: LGPL-2.1-or-later
"""Directories laid over each other, and roots of which only parts are kept."""
import pytest

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]

LOOK = """set -e; cat /o/all /o/low /o/mid; stat -c '%u %g' /o/his /o
    echo more >>/o/his; echo new >/o/new; chown 5:6 /o/new; rm /o/low; mv /o/dir/f /o/dir/g
    echo x >/var/x; cat /var/kept; (: >/ro/x) 2>/dev/null || echo read-only; cat /ro/all; cat /etc/both"""


@pytest.mark.parametrize("options", MODES)
def test_overlays(host, busybox, options, clean):
    host.run("mkdir -p /srv/l/low/dir /srv/l/mid /srv/l/up; cd /srv/l; for d in low mid up; do echo $d >$d/all; echo $d >$d/$d; done; "
             f"echo f >low/dir/f; echo x >low/his; chown 1000:1001 low/his; mkdir -p {busybox}/var {busybox}/etc {busybox}/upper; echo kept >{busybox}/var/kept; "
             f"echo both >{busybox}/upper/both")
    before = host.run("cd /srv/l; find low mid -printf '%P %y %m %U %G %s %T@\\n' | sort").out
    try:
        for i in range(2):      # what was changed is there again
            r = host.berth("run", "-q", "-P", "-M", "o", "-D", busybox, *options, "--overlay=/srv/l/low:/srv/l/mid:/srv/l/up:/o", "--overlay=+/var::/var",
                           "--overlay-ro=/srv/l/up:/srv/l/mid:/ro", "--overlay=+/etc:+/upper:/etc", "--", "/bin/sh", "-c",
                           LOOK if i == 0 else "cat /o/his /o/new; stat -c '%u %g' /o/new; ls /o/dir /o/low 2>/dev/null; ls /var")
            assert r.stderr == "", r
            assert r.stdout.split("\n")[:-1] == (["up", "low", "mid", "1000 1001", "0 0", "kept", "read-only", "mid", "both"] if i == 0 else
                                                 ["x", "more", "new", "5 6", "/o/dir:", "g", "kept"]), r
        assert host.run("stat -c '%u %g' /srv/l/up/his /srv/l/up/new").out.split("\n") == ["1000 1001", "5 6"]
        assert host.run("cd /srv/l; find low mid -printf '%P %y %m %U %G %s %T@\\n' | sort").out == before
        # one at a time
        p = host.spawn("berth", "run", "-q", "-P", "-x", "-M", "holder", "-D", busybox, *options, "--overlay=/srv/l/low:/srv/l/up:/o", "--", "/bin/sh", "-c", "echo up; sleep 60")
        try:
            host.wait_for("berth list --no-legend | grep -q 'holder .*running'", 30)
            r = host.berth("run", "-q", "-P", "-x", "-M", "other", "-D", busybox, "--overlay=/srv/l/mid:/srv/l/up:/o", "--", "true", check=False)
            assert r.returncode == 125 and "'/srv/l/up'" in r.stderr and "in use by another" in r.stderr, r
        finally:
            host.berth("terminate", "holder", check=False)
            host.end(p)
    finally:
        host.run("rm -r /srv/l")


def test_many_layers(host, busybox, clean):
    """A hundred, id-mapped, from a settings file."""
    host.run("mkdir -p /srv/m; cd /srv/m; for i in $(seq 100); do mkdir $i; echo $i >$i/$i; echo $i >$i/all; done")
    host.write("/etc/berth/busybox.berth", "[Exec]\nPrivateUsers=pick\n[Files]\nOverlay=" + ":".join(f"/srv/m/{i}" for i in range(1, 101)) + "::/o\n")
    try:
        r = host.berth("run", "-q", "-P", "busybox", "/bin/sh", "-c", "cat /o/all /o/1 /o/50; ls /o | wc -l; echo x >/o/1 && stat -c %u /o/2")
        assert r.stdout.split() == ["100", "1", "50", "101", "0"], r
        assert host.read("/srv/m/1/1").strip() == "1"
    finally:
        host.run("rm -r /srv/m /etc/berth/busybox.berth")


@pytest.mark.parametrize("options", MODES)
def test_volatile(host, busybox, options, clean):
    host.run(f"cd {busybox}; mkdir -p var etc usr/bin; echo kept >var/kept; echo kept >etc/kept")

    def run(mode, script, check=True, more=()):
        return host.berth("run", "-q", "-P", "-M", "v", "-D", busybox, f"--volatile={mode}", *options, *more, "--", "/bin/sh", "-c", script, check=check)

    assert run("overlay", "cat /etc/kept /var/kept; echo x >/etc/kept; rm /var/kept; hostname; stat -c %u /etc /").stdout.split() == ["kept", "kept", "v", "0", "0"]
    r = run("state", "cat /etc/kept; ls -A /var; echo x >/var/x && cat /var/x; stat -c '%u %a' /var; (: >/etc/x) 2>/dev/null || echo read-only")
    assert r.stdout.split() == ["kept", "x", "0", "755", "read-only"] and r.stderr == "", r
    r = run("state", "ls /bound", more=["--bind=/etc/os-release:/bound"], check=False)
    assert r.returncode == 125 and "read-only root" in r.stderr, r
    # /usr alone
    if host.run(f"test -L {busybox}/bin", check=False).returncode:
        r = run("yes", "true", check=False)
        assert r.returncode == 125 and "--volatile=yes keeps /usr alone, but /bin is no link into it" in r.stderr and "Hint: " in r.stderr, r
        host.run(f"cd {busybox}; cp -a bin/. usr/bin/; rm -r bin; ln -s usr/bin bin; for d in sbin lib lib64; do [ -d $d ] || continue; mkdir -p usr/$d; cp -a $d/. usr/$d/; "
                 "rm -r $d; ln -s usr/$d $d; done")
    r = run("yes", "ls /etc/kept /var/kept 2>/dev/null; echo x >/etc/x && cat /etc/x; stat -c '%u %a' / /etc /var; (: >/usr/x) 2>/dev/null || echo read-only; ls -d /bin")
    assert r.stdout.split() == ["x", "0", "755", "0", "755", "0", "755", "read-only", "/bin"], r
    assert host.run(f"cd {busybox}; cat var/kept etc/kept; ls etc/x var/x usr/x 2>/dev/null", check=False).out == "kept\nkept"


@pytest.mark.parametrize("options", MODES)
def test_pivot_root(host, busybox, options, clean):
    host.run(f"cd {busybox}; mkdir -p deploy/1; cp -a bin deploy/1/; mkdir deploy/1/data; chown 33:34 deploy/1/data; echo one >deploy/1/which; echo zero >which; "
             "for d in usr lib lib64; do [ -e $d ] && cp -a $d deploy/1/; done; mkdir -p /srv/src; echo x >/srv/src/x; chown -R 1000:1000 /srv/src", check=False)
    try:
        r = host.berth("run", "-q", "-P", "-M", "v", "-D", busybox, *options, "--pivot-root=/deploy/1:/sysroot", "--bind=/srv/src:/data:owneridmap", "--",
                       "/bin/sh", "-c", "cat /which /sysroot/which; stat -c '%u %g' /data/x /sysroot; echo more >>/data/x; echo new >/new")
        assert r.stdout.split() == ["one", "zero", *(["33", "34"] if options else ["1000", "1000"]), "0", "0"] and r.stderr == "", r
        assert host.run(f"stat -c %u /srv/src/x {busybox}/deploy/1/new").stdout.split() == ["1000", "0"]
    finally:
        host.run("rm -r /srv/src")


@pytest.mark.parametrize("mode", ["overlay", "state"])
def test_volatile_boot(host, debian, mode, clean):
    before = host.run(f"find {debian}/etc {debian}/var -printf '%P %y %m %U %G %s %l %T@\\n' | sort | sha256sum").out
    p = host.spawn("berth", "run", "-b", "-U", f"--volatile={mode}", "--notify-ready=yes", "-M", "fleeting", "-D", debian)
    try:
        host.wait_for("berth show -p Ready --value fleeting 2>/dev/null | grep -qx yes", 60)
        host.berth("exec", "fleeting", "systemctl", "is-active", "multi-user.target")
        host.berth("stop", "fleeting", timeout=100)
    finally:
        host.berth("terminate", "fleeting", check=False)
        host.end(p)
    assert host.run(f"find {debian}/etc {debian}/var -printf '%P %y %m %U %G %s %l %T@\\n' | sort | sha256sum").out == before
