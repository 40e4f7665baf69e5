# SPDX-License-Identifier: LGPL-2.1-or-later
"""berthd as org.freedesktop.import1: the unmodified machinectl imports, exports and downloads by it, and cancels."""
import re
import time
from pathlib import Path

import pytest

NAME = "org.freedesktop.import1"
PATH = "/org/freedesktop/import1"
POOL = "/var/lib/machines"
IMPORTD = "systemd-importd.service"
URL = "http://127.0.0.1:18180/file"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def wait_owner(host, program):
    """Until this program has the name."""
    host.wait_for(f"busctl list --no-legend --acquired | awk '$1 == \"{NAME}\" {{ print $3 }}' | grep -q ^{program}")


@pytest.fixture(scope="module")
def berthd(host):
    """berthd has the name, and importd cannot be started."""
    host.run("systemctl", "mask", "--now", IMPORTD)
    host.run("systemctl restart berthd")
    wait_owner(host, "berthd")
    yield
    host.run("systemctl", "unmask", IMPORTD)


@pytest.fixture
def files(host, berthd, clean):
    del berthd, clean
    host.run("mkdir -p /srv/i1/tree /srv/i1/www; cd /srv/i1; echo hello >tree/file; head -c 2000000 /dev/urandom >tree/blob; ln tree/file tree/same; "
             "tar cf a.tar -C tree .; head -c 1M /dev/urandom >d.raw; truncate -s 3M d.raw; mkfifo fifo; cp a.tar d.raw www; (cd www; sha256sum a.tar >SHA256SUMS)")
    yield host
    host.run(f"chattr -i {POOL}/i1-*; rm -rf {POOL}/i1-* {POOL}/.#i1-* /srv/i1 /run/systemd/nspawn/locks/*i1-*", check=False)


@pytest.fixture
def server(files):
    host = files
    host.run("cd /srv/i1; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=berth -keyout key.pem -out cert.pem 2>/dev/null; "
             "cat cert.pem key.pem >tls.pem")
    host.write("/srv/i1/server.py", (Path(__file__).parent / "http_server.py").read_text())
    p = host.spawn("sh", "-c", "echo $$ >/srv/i1/pid; exec python3 /srv/i1/server.py /srv/i1 18180 18181")
    host.wait_for("ss -tln | grep -q :18180")
    yield host
    host.run("kill -KILL $(cat /srv/i1/pid)", check=False)
    host.end(p)


def said(r):
    return r.stdout + r.stderr


def pool(host):
    return host.run(f"ls -A {POOL} | grep i1- || :").out.split()


def transfers(host):
    return host.run("machinectl list-transfers --no-legend 2>/dev/null").stdout.strip().splitlines()


def test_there_and_back(files):
    host = files
    r = host.run("machinectl import-tar /srv/i1/a.tar i1-a 2>&1")
    assert f"{POOL}/i1-a: 3 files, 1.9M" in r.out, r
    host.run(f"cmp /srv/i1/tree/blob {POOL}/i1-a/blob; test {POOL}/i1-a/file -ef {POOL}/i1-a/same")
    r = host.run("machinectl import-tar /srv/i1/a.tar i1-a", check=False)
    assert r.returncode == 1 and "There is an image 'i1-a' already" in said(r), r
    host.run("xz -0 </srv/i1/a.tar | machinectl import-tar --force --read-only - i1-a 2>&1")
    assert host.run("machinectl show-image i1-a -p ReadOnly --value").out == "yes"
    host.run("machinectl import-fs /srv/i1/tree i1-fs 2>&1")
    assert host.run(f"cd {POOL}/i1-fs; ls -A; cmp blob /srv/i1/tree/blob").out.split() == ["blob", "file", "same"]
    host.run("machinectl import-raw /srv/i1/d.raw i1-d 2>&1")
    host.run(f"cmp /srv/i1/d.raw {POOL}/i1-d.raw")
    r = host.run("head -c 100000 /srv/i1/tree/blob | machinectl import-tar - i1-bad", check=False)
    assert r.returncode == 1 and ("unpacked" in said(r).lower() or "archive" in said(r)), r
    r = host.run("machinectl", "export-tar", "i1-a", "/srv/i1/out.tar.gz")
    assert f"{POOL}/i1-a: exported" in said(r), r
    assert sorted(host.run("tar tzf /srv/i1/out.tar.gz").out.split()) == ["./", "./blob", "./file", "./same"]
    host.run("machinectl export-raw i1-d - 2>/dev/null | cmp - /srv/i1/d.raw")
    r = host.run("machinectl", "export-tar", "i1-none", "/srv/i1/none.tar", check=False)
    assert r.returncode == 1 and "There is no image 'i1-none'" in said(r), r
    assert transfers(host) == [] and pool(host) == ["i1-a", "i1-d.raw", "i1-fs"]


@pytest.mark.campaign("bookworm")
@pytest.mark.vm
def test_a_download_has_the_network(server):
    """In the VM the unit of the spawner, which executes it, really has none."""
    server.run("machinectl", "pull-tar", "--verify=checksum", f"{URL}/a.tar", "i1-a")


def test_downloads(server):
    host = server
    r = host.run("machinectl", "pull-tar", "--verify=checksum", f"{URL}/a.tar", "i1-a")
    assert f"{POOL}/i1-a: 3 files, 1.9M, verified by checksum" in said(r), r
    host.run(f"cmp /srv/i1/tree/blob {POOL}/i1-a/blob")
    host.run("machinectl", "pull-raw", "--verify=no", f"{URL}/d.raw", "i1-d")
    host.run(f"cmp /srv/i1/d.raw {POOL}/i1-d.raw")
    host.write("/srv/i1/www/SHA256SUMS", f"{'0' * 64}  a.tar\n")
    r = host.run("machinectl", "pull-tar", "--verify=checksum", f"{URL}/a.tar", "i1-b", check=False)
    assert r.returncode == 1 and f"and not {'0' * 64}" in said(r), r
    r = host.run("machinectl", "pull-tar", f"{URL}/a.tar", "i1-b", check=False)
    assert r.returncode == 1 and "There is no signature" in said(r), r
    r = host.run("machinectl", "pull-tar", "--verify=no", "ftp://127.0.0.1/a.tar", "i1-b", check=False)
    assert r.returncode == 1, r
    assert pool(host) == ["i1-a", "i1-d.raw"]


def slow(host):
    """An import whose input has no end; returns machinectl and the transfer's number."""
    p = host.spawn("exec 3<>/srv/i1/fifo; echo $$ >/srv/i1/pid; exec machinectl import-tar - i1-slow <&3")
    number = host.wait_for("machinectl list-transfers --no-legend 2>/dev/null | grep import-tar").stdout.split()[0]
    host.wait_for("systemctl is-active -q 'berth-transfer-*.scope' && ls -A /var/lib/machines | grep -q i1-slow")
    return p, number


def test_cancel(files):
    host = files
    p, number = slow(host)
    try:
        line = transfers(host)
        assert len(line) == 1 and "i1-slow" in line[0], line
        r = host.run("busctl", "get-property", NAME, f"{PATH}/transfer/_{number}", f"{NAME}.Transfer", "Type", "Local", "Remote", "Verify")
        assert r.out.splitlines() == ['s "import-tar"', 's "i1-slow"', 's ""', 's "no"'], r
        host.run("machinectl", "cancel-transfer", number)
        out = p.communicate(timeout=60)[0].decode()
        assert p.returncode != 0 and "The transfer was canceled" in out, out
        assert transfers(host) == [] and pool(host) == []
        r = host.run("machinectl", "cancel-transfer", number, check=False)
        assert r.returncode == 1 and "There is no transfer" in said(r), r
    finally:
        host.end(p)
    # it goes on without who has started it, and ends with berthd
    p, number = slow(host)
    try:
        host.run("kill -INT $(cat /srv/i1/pid)")
        assert "in the background" in p.communicate(timeout=60)[0].decode()
        assert len(transfers(host)) == 1
        host.run("systemctl restart berthd")
        host.wait_for("! systemctl is-active -q 'berth-transfer-*.scope'")
        wait_owner(host, "berthd")
        assert transfers(host) == []
        # what it has left is held by nobody
        host.run("machinectl import-tar /srv/i1/a.tar i1-a 2>&1")
        assert pool(host) == ["i1-a"]
    finally:
        host.end(p)


RULE = """
polkit.addRule(function(action, subject) {
        if (action.id == "org.freedesktop.import1.import" && subject.user == "nobody")
                return polkit.Result.YES;
});
"""


def test_strangers(files):
    host = files
    shown = host.run("busctl", "introspect", NAME, PATH, f"{NAME}.Manager").stdout
    methods = {line.split()[0].lstrip(".") for line in shown.splitlines() if " method " in line}
    policy = host.read("/usr/share/dbus-1/system.d/org.berth.import1.conf")
    assert methods == set(re.findall(rf'send_interface="{NAME}.Manager" send_member="(\w+)"', policy)), methods
    host.run(*NOBODY, "machinectl", "list-transfers")
    host.run("chmod 644 /srv/i1/a.tar")
    for words in (["import-tar", "/srv/i1/a.tar", "i1-x"], ["pull-tar", f"{URL}/a.tar", "i1-x"], ["export-tar", "i1-x", "/dev/null"]):
        r = host.run(*NOBODY, "machinectl", "--no-ask-password", *words, check=False)
        assert r.returncode == 1 and re.search("denied|authoriz|authentic|authent", said(r).lower()), r
    host.write("/etc/polkit-1/rules.d/10-import1.rules", RULE)
    try:
        host.run("systemctl restart polkit")
        host.run(*NOBODY, "machinectl", "--no-ask-password", "import-tar", "/srv/i1/a.tar", "i1-x")
        r = host.run(*NOBODY, "machinectl", "--no-ask-password", "export-tar", "i1-x", "/dev/null", check=False)
        assert r.returncode == 1, r     # that is another action
        assert pool(host) == ["i1-x"]
        host.wait_for("journalctl -u berthd -o export CALLER_UID=65534 | grep -qx CONTAINER=i1-x", 30)
    finally:
        host.run("rm /etc/polkit-1/rules.d/10-import1.rules; systemctl restart polkit")
    r = host.run(*NOBODY, "busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", NAME, "0", check=False)
    assert r.returncode != 0 and "denied" in r.stderr, r


@pytest.mark.campaign
def test_importd_goes_first(host, berthd):
    """Whoever starts systemd-importd gets it, and berthd has the name again when that has ended."""
    del berthd
    host.run("systemctl", "unmask", IMPORTD)
    try:
        host.run("systemctl", "start", IMPORTD)
        wait_owner(host, "systemd-importd")
        host.run("systemctl", "stop", IMPORTD)
        wait_owner(host, "berthd")
    finally:
        host.run("systemctl", "mask", "--now", IMPORTD)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and "berthd" not in host.run(f"busctl list --no-legend --acquired | grep {NAME}", check=False).stdout:
            time.sleep(0.2)
