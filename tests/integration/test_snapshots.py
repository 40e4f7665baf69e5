# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of images: taken, listed, gone back to, pruned; with containers that run, and after somebody was killed."""
import json

import pytest

POOL = "/var/lib/machines"
KEPT = f"{POOL}/.#snapshots/web"


@pytest.fixture
def web(host, busybox, clean):
    """An image "web" with settings; all that is there afterwards is removed."""
    host.wait_for("berth images", 30)
    host.run(f"mkdir -p {POOL}; cp -a {busybox} {POOL}/web; echo [Exec] >{POOL}/web.nspawn; echo 1 >{POOL}/web/etc/state; chmod 750 {POOL}/web/etc")
    yield f"{POOL}/web"
    host.run(f"chattr -R -i {POOL} 2>/dev/null; rm -rf {POOL}/web* {POOL}/db* {POOL}/.[!.]*", check=False)


def snapshots(host, *names):
    return json.loads(host.berth("snapshots", "--json=short", *names).stdout)


def test_snapshots(host, web):
    """All verbs, on a directory."""
    assert host.berth("snapshots", "web").out == "No snapshots." and snapshots(host) == []
    assert host.berth("snapshot", "web", "first").out == "first"
    unnamed = [host.berth("snapshot", "web").out for _ in range(2)]
    host.run(f"echo 2 >{web}/etc/state; rm {web}/etc/os-release; touch {web}/new")
    rows = snapshots(host, "web")
    assert [r["name"] for r in rows] == ["first", *unnamed] and [r["named"] for r in rows] == [True, False, False], rows
    assert rows[0]["image"] == "web" and rows[0]["type"] == "directory" and rows[0]["path"].endswith("Z.first"), rows
    assert host.run(f"cat {rows[0]['path']}/etc/state").out == "1"
    assert [r["name"] for r in json.loads(host.berth("images", "-a", "--json=short").stdout) if "snap" in r["path"]] == []

    assert host.berth("diff", "web", "first").out.splitlines() == ["D /etc/os-release", "M /etc/state", "A /new"]
    assert json.loads(host.berth("diff", "--json=short", "web").stdout)[2] == {"change": "A", "path": "/new", "type": "f"}
    said = host.berth("rollback", "web", "first").out
    kept = snapshots(host)[-1]["name"]
    assert said == f"Image 'web' is as it was in 'first'; what it was until now is snapshot '{kept}'."
    assert host.run(f"cat {web}/etc/state; stat -c %a {web}/etc; ls {web}/etc/os-release; test ! -e {web}/new").out.split()[:2] == ["1", "750"]
    assert host.berth("run", "-q", "-P", "web", "--", "/bin/cat", "/etc/state").out == "1"
    host.berth("rollback", "web", kept)
    assert host.run(f"cat {web}/etc/state").out == "2"

    host.berth("rename", "web", "db")
    assert len(snapshots(host, "db")) == 5
    removed = json.loads(host.berth("prune-snapshots", "--keep=3", "--json=short").stdout)
    assert removed == [{"image": "db", "name": unnamed[0], "bytes": None}], removed
    host.berth("snapshot", "-q", "--keep=1", "--max-age=1h", "db")
    assert [r["named"] for r in snapshots(host)] == [True, False]
    r = host.berth("remove-snapshot", "db", "first", "nothing", check=False)
    assert r.returncode == 1 and "Image 'db' has no snapshot 'nothing'" in r.stderr and "berth snapshots db" in r.stderr, r
    host.berth("remove", "db")
    assert not set(host.run(f"ls -A {POOL}").out.split()) & {"db", "db.nspawn", ".#snapshots"}


@pytest.mark.plain     # with sanitizers that many rows take five minutes
def test_diff_of_many(host, web, campaign):
    """A list that is too long for a message is handed over as a file; one that must be a message is refused."""
    n = 1300000 if campaign else 30000
    host.berth("snapshot", "-q", "web", "first")
    host.run(f"cd {web}/etc && seq -f 'f%.0f' {n} | xargs touch && printf x >\"$(printf 'z\\nz')\"", timeout=600)
    lines = host.berth("diff", "web", "first", timeout=600).out.splitlines()
    assert len(lines) == n + 1 and lines[0] == "A /etc/f1" and lines[-1] == r"A /etc/z\x0az", lines[:3] + lines[-3:]
    rows = json.loads(host.berth("diff", "--json=short", "web", timeout=600).stdout)
    assert len(rows) == n + 1 and rows[0] == {"change": "A", "path": "/etc/f1", "type": "f"}, rows[:3]
    call = ["busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager"]
    r = host.run(*call, "CompareSnapshot", "ss", "web", "first", check=False)
    assert r.returncode == 1 and "Image 'web' has changed in more places than can be listed" in r.stderr, r
    host.run(f"find {web}/etc -name 'f*' -delete", timeout=600)
    r = host.run(*call, "CompareSnapshot", "ss", "web", "first")
    assert r.out == r'a(sss) 1 "A" "f" "/etc/z\\x0az"', r


def test_running(host, web):
    """A copy of what runs is refused, or made with --force; nothing goes back under a container."""
    host.berth("snapshot", "web", "first")
    p = host.spawn("exec berth run -q -P web -- sleep 300")
    try:
        host.wait_for("berth list --no-legend | grep -q '^web .*running'", 60)
        r = host.berth("snapshot", "web", check=False)
        assert r.returncode == 1 and "Image 'web' is in use by 'web' since " in r.stderr and "--force" in r.stderr, r
        r = host.berth("rollback", "web", "first", check=False)
        assert r.returncode == 1 and "Image 'web' is in use by 'web' since " in r.stderr, r
        assert host.berth("snapshot", "--force", "web", "second").out == "second"
        assert [r["name"] for r in snapshots(host)] == ["first", "second"]
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)
    host.berth("rollback", "web", "second")


def test_timer(host, web):
    """The units take and prune; what they need is said in files."""
    host.write("/etc/berth/snapshots.conf", "SnapshotKeep=5\n")
    host.write("/etc/berth/web.snapshots.conf", "SnapshotKeep=2\nSnapshotMaxAge=30d\n")
    try:
        for _ in range(3):
            host.systemctl("start", "berth-snapshot@web.service")
        assert [r["named"] for r in snapshots(host)] == [False, False]
        host.systemctl("start", "berth-snapshot@web.timer")
        assert host.run("systemctl show -P Unit berth-snapshot@web.timer; systemctl is-active berth-snapshot@web.timer").out.split() == ["berth-snapshot@web.service", "active"]
        r = host.run("systemctl", "start", "berth-snapshot@nosuch.service", check=False)
        assert r.returncode != 0
    finally:
        host.run("systemctl stop berth-snapshot@web.timer; systemctl reset-failed berth-snapshot@nosuch.service; "
                 "rm -f /etc/berth/*snapshots.conf /var/lib/systemd/timers/stamp-berth*; rmdir /etc/berth; systemctl stop 'system-berth\\x2dsnapshot.slice'", check=False)
