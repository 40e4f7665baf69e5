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
