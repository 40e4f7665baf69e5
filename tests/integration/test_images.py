# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pool and its care: berth's verbs, machinectl, systemd-nspawn and their locks, on one pool."""
import json

import pytest
from test_machine1 import MACHINED, alike, berthd, machined_again, only_berthd, only_machined  # noqa: F401

POOL = "/var/lib/machines"


@pytest.fixture
def ready(host, berthd):
    """berthd has what it keeps: the name of machine1, and a connection to the spawner."""
    host.wait_for("berth images", 30)


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


def test_verbs(host, ready, pool):
    """What they do, what they say, and that side-cars follow."""
    found = images(host)
    assert found["web"]["type"] == "directory" and found["web"]["path"] == f"{POOL}/web" and found["web"]["read_only"] is False
    assert found["disk"]["type"] == "raw" and found["disk"]["limit"] == 20 << 20 and found["web"]["usage"] is None
    table = host.berth("images").out
    assert table.split()[:4] == ["NAME", "TYPE", "RO", "USAGE"] and f"{POOL}/web" in table, table

    names = host.berth("complete", "arguments", "remove").out.split()
    assert "disk" in names and "web" in names, names

    host.run(f"mkdir -p {POOL}/web/dev; mknod {POOL}/web/dev/console c 5 1; mknod {POOL}/web/dev/loop0 b 7 0")
    host.berth("clone", "web", "app")
    assert host.run(f"stat -c '%F %Hr %Lr' {POOL}/app/dev/console {POOL}/app/dev/loop0").out.splitlines() == [
        "character special file 5 1", "block special file 7 0"]
    host.berth("clone", "--read-only", "disk", "disk2")
    assert listing(host) >= {"app", "app.nspawn", "disk2.raw"} and "x.conf" in host.run("ls /etc/berth/app.berth.d").out
    assert host.run(f"diff -r --no-dereference -x dev {POOL}/web {POOL}/app && stat -c %a {POOL}/disk2.raw").out == "444"
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


def test_objects(host, ready, pool):
    """On D-Bus: what the objects of images tell and do."""
    own = "org.berth.Containers1"
    path, image = f"/{own.replace('.', '/')}/image/", f"{own}.Image"

    def ask(name, member, *args, check=True):
        return host.run("busctl", "call", own, path + name, image, member, *args, check=check)

    assert host.run("busctl", "call", own, f"/{own.replace('.', '/')}", f"{own}.Manager", "GetImage", "s", "web").out == f'o "{path}web"'
    shown = host.run("busctl", "get-property", own, path + "web", image, "Name", "Type", "Path", "ReadOnly", "Limit").out.splitlines()
    assert shown == ['s "web"', 's "directory"', f's "{POOL}/web"', "b false", f"t {2**64 - 1}"]
    assert ask("web", "GetHostname").out == 's "nice-name"'
    assert ask("web", "GetMachineID").out == "ay 16 1 35 69 103 137 171 205 239 1 35 69 103 137 171 205 239"
    assert '"NAME" "Busybox"' in ask("web", "GetOSRelease").out
    ask("web", "Clone", "sta(sh)", "app", "0", "0")
    ask("app", "MarkReadOnly", "b", "true")
    assert host.run("busctl", "get-property", own, path + "app", image, "ReadOnly").out == "b true"
    ask("app", "MarkReadOnly", "b", "false")
    taken = ask("app", "CreateSnapshot", "sta(sh)", "first", "0", "0").out
    assert taken == 's "first"' and ask("app", "ListSnapshots").out.startswith('a(ssbtsts) 1 "app" "first" true ')
    ask("app", "RemoveSnapshot", "s", "first")
    assert ask("app", "ListSnapshots").out == "a(ssbtsts) 0"
    ask("app", "Rename", "s", "db")
    assert {"db", "db.nspawn"} <= listing(host) and "app" not in listing(host)
    r = host.run("busctl", "get-property", own, path + "app", image, "Path", check=False)
    assert r.returncode != 0 and "There is no image 'app'" in r.stderr, r
    ask("db", "Remove")
    assert not {"db", "db.nspawn"} & listing(host)
    r = ask("db", "Remove", check=False)
    assert r.returncode != 0 and "There is no image 'db'" in r.stderr, r



def test_in_use(host, ready, pool):
    """Nobody works on what somebody else has: berth, systemd-nspawn and machinectl agree."""
    p = host.spawn("exec berth run -q -P web -- sleep 4710")
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
        p.wait(60)
        host.end(p)
    p = host.spawn(f"exec systemd-nspawn -q --register=no -M web -D {POOL}/web sleep 4710")
    try:
        host.wait_for(f"test -e {POOL}/.#web.lck && pgrep -xf 'sleep 4710'", 60)
        for words in (["remove", "web"], ["rename", "web", "db"]):
            r = host.berth(*words, check=False)
            assert r.returncode == 1 and "Image 'web' is in use by 'web' since " in r.stderr, r
        r = host.berth("run", "-q", "-P", "-M", "x", "-D", f"{POOL}/web", "--", "true", check=False)
        assert r.returncode == 125 and "is in use by 'web' since " in r.stderr, r
    finally:
        host.run("pkill -KILL -xf 'sleep 4710'", check=False)
        p.wait(60)      # it tidies up
        host.end(p)
    host.run(f"mkdir -p {POOL}/web/mnt; mount -t tmpfs x {POOL}/web/mnt")
    try:
        r = host.berth("remove", "web", check=False)
        assert r.returncode == 1 and f"something is mounted on '{POOL}/web/mnt'" in r.stderr, r
    finally:
        host.run(f"umount {POOL}/web/mnt")


def test_machinectl(host, ready, pool):
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


#: what machined says of hidden images and the host is another thing each time: 262 calls all hidden ones read-only
#: lines for sh, in this order, on the same pool for systemd-machined and for berthd: output and exit status have to be the same
LINES = {
    "list": "machinectl list-images",
    "list all": "machinectl list-images -a | grep -v '^[.]' | sed 1d",
    "status": "machinectl --no-pager image-status tree file; machinectl --no-pager image-status nothing",
    "show": "machinectl show-image tree file | grep -v Timestamp; machinectl show-image nothing",
    "clone": "machinectl clone tree a; machinectl clone file b; machinectl clone tree a; machinectl clone nothing c; machinectl clone tree 'd/e'",
    "cloned": f"cd {POOL}; diff -r --no-dereference -x dev tree a && cmp file.raw b.raw && cat a.nspawn && stat -c '%a %u %g' a/etc b.raw",
    "rename": f"machinectl rename a c; machinectl rename b c; machinectl rename nothing x; machinectl rename c '.#x'; ls {POOL}/c.nspawn {POOL}/a.nspawn",
    "read-only": f"machinectl read-only c; machinectl read-only b yes; machinectl list-images; machinectl read-only b no; stat -c %a {POOL}/b.raw; machinectl read-only nothing",
    "clone of read-only": f"machinectl clone c d; machinectl clone --read-only tree e; machinectl list-images; touch {POOL}/d/new && echo written",
    "remove": "machinectl remove c d e b; machinectl remove nothing; machinectl list-images",
    "limit": "machinectl set-limit tree 1G; machinectl set-limit nothing 1G; machinectl set-limit 1G",
    "clean": "machinectl clean; machinectl list-images -a | grep -v .host; machinectl clean --all; machinectl list-images -a | grep -v .host",
}


def care(host):
    host.run(f"rm -rf {POOL}/.[!.]* {POOL}/tree* {POOL}/file*; mkdir -p {POOL}/tree/etc {POOL}/tree/dev {POOL}/.hidden; cd {POOL}/tree; echo ID=x >etc/os-release; "
             "chown 7:8 etc; mknod dev/null c 1 3; ln -s nowhere link; echo x >f; ln f g; cd ..; echo [Exec] >tree.nspawn; head -c 3M /dev/zero >file.raw; chmod 600 file.raw")
    return {what: host.run(line, check=False, timeout=60) for what, line in LINES.items()}


@pytest.mark.campaign
def test_like_machined(host):
    """The same words of machinectl, and the same pool."""
    host.run(f"mkdir -p {POOL}; mkdir /srv/aside; mv {POOL}/* /srv/aside/ 2>/dev/null || :")
    try:
        only_machined(host)
        theirs = care(host)
        only_berthd(host)
        ours = care(host)
    finally:
        host.run("systemctl", "unmask", *MACHINED, check=False)
        host.run(f"chattr -Ri {POOL}; rm -rf {POOL}; mkdir -p {POOL}; mv /srv/aside/* {POOL}/; rmdir /srv/aside; systemctl daemon-reload", check=False)
    different = [f"{what}\nmachined: {t}\nberthd: {ours[what]}" for what, t in theirs.items()
                 if (t.returncode, alike(t.stdout)) != (ours[what].returncode, alike(ours[what].stdout))]
    assert not different, "\n".join(different)


def test_interrupted(host, ready, pool):
    """Who goes away leaves nothing."""
    host.run(f"mkdir {POOL}/web/many; cd {POOL}/web/many; seq 4000 | xargs touch; head -c 50M /dev/zero >zero")
    p = host.spawn("exec berth clone web app")
    host.wait_for(f"ls -A {POOL} | grep -q '^.#app.*[0-9a-f]$' || test -e {POOL}/app", 30)
    host.run("pkill -INT -f '^berth clone web app'", check=False)
    host.end(p)
    host.wait_for(f"! ls -A {POOL} | grep -q '^.#app'", 60)
    if "app" in listing(host):       # it was done before
        host.berth("remove", "app")
