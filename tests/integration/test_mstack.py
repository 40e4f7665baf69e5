# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roots that are stacks of layers."""
import json
import subprocess

import pytest

from hosts import local

STACK = "/var/lib/machines/tower.mstack"
MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]
DISKS = "/var/lib/machines/disks.mstack"
CALL = "busctl call org.berth.Containers1 /org/berth/Containers1 org.berth.Containers1.Manager CreateContainer 'sa{sv}a(sh)'"
LOOK = "cat /all /two /data/f /opt/f; ls -d /low 2>/dev/null; stat -c '%u %g' /his"


@pytest.fixture
def tower(host, busybox):
    host.systemctl("start", "berth-spawner.socket")
    host.run(f"rm -rf {STACK}; mkdir -p {STACK}; cd {STACK}; mkdir -p layer@2 layer@10.v/layer@10_1 layer@10.v/layer@10_2 rw bind@data robind@opt; ln -s {busybox} layer@1; "
             f"mkdir -p {busybox}/data {busybox}/opt; echo one >{busybox}/all; echo x >{busybox}/his; chown 1000:1001 {busybox}/his; echo l >{busybox}/low; "
             "echo two >layer@2/all; echo two >layer@2/two; for i in 1 2; do echo ten-$i >layer@10.v/layer@10_$i/all; done; echo d >bind@data/f; echo o >robind@opt/f")
    yield STACK
    host.run(f"rm -rf {STACK}")


@pytest.mark.parametrize("options", MODES)
def test_stack(host, tower, busybox, options, clean):
    own = ("--resolv-conf=off", "--timezone=off")

    def run(*words, script="true", check=True):
        return host.berth("run", "-q", "-P", *own, *options, *words, "/bin/sh", "-c", script, check=check)

    before = host.run(f"cd {busybox}; find . {STACK}/layer* -printf '%p %y %m %U %G %s %T@\\n' | sort").out
    r = run(f"--mstack={tower}", "-M", "t", "--", script=f"{LOOK}; rm /low /two; echo new >/new; echo mine >/all; echo in >/data/in; (: >/opt/x) 2>/dev/null || echo read-only")
    assert r.stderr == "" and r.stdout.split("\n")[:-1] == ["ten-2", "two", "d", "o", "/low", "1000 1001", "read-only"], r
    assert host.run(f"cd {busybox}; find . {STACK}/layer* -printf '%p %y %m %U %G %s %T@\\n' | sort").out == before
    assert host.run(f"stat -c %u {STACK}/rw/data/new {STACK}/bind@data/in; ls {STACK}/rw").out.split()[:3] == ["0", "0", "data"]
    # by name, and what was changed is there; where systemd knows stacks, its systemd-nspawn sees the same
    look = "cat /all /new /data/in; ls /low /two 2>&1 | wc -l"
    assert run("tower", script=look).out.split() == ["mine", "new", "in", "2"]
    if not options and "--mstack" in host.run("systemd-nspawn", "--help").stdout:
        r = host.run("systemd-nspawn", "-q", "--register=no", "--console=pipe", f"--mstack={tower}", "-M", "real", "/bin/sh", "-c", f"{look}; rm /his; mkdir -p /etc; rm -r /opt 2>/dev/null; rm /new")
        assert r.out.split() == ["mine", "new", "in", "2"], r
        assert run("tower", script="ls /his /new 2>/dev/null; cat /all").out == "mine"
    # one at a time
    p = host.spawn("berth", "run", "-q", "-P", *own, *options, "tower", "/bin/sleep", "600")
    try:
        host.wait_for("berth list --no-legend | grep -q 'tower .*running'", 30)
        r = run(f"--mstack={tower}", "-M", "second", "--", check=False)
        assert r.returncode == 125 and "in use by" in r.stderr and tower in r.stderr, r
    finally:
        host.berth("terminate", "tower", check=False)
        host.end(p)
    # in the pool
    images = {i["name"]: i for i in json.loads(host.berth("images", "--json=short").stdout)}
    assert images["tower"]["type"] == "mstack", images
    for verb in (["clone", "tower", "copy"], ["rename", "tower", "other"], ["read-only", "tower"], ["set-limit", "tower", "1G"]):
        r = host.berth(*verb, check=False)
        assert r.returncode == 1 and "is a stack of layers, and cannot be" in r.stderr, r
    for more, reason in ((("-x",), "--ephemeral"), (("-D", "/srv"), "another root")):
        r = run(f"--mstack={tower}", *more, "-M", "t", "--", check=False)
        assert r.returncode in (2, 125) and reason in r.stderr and "Hint: " in r.stderr, r
    host.run(f"head -c 65536 /dev/zero >{STACK}/layer@3.raw")
    r = run("tower", check=False)
    assert r.returncode == 125 and f"{STACK}/layer@3.raw" in r.stderr and "no file system that is known" in r.stderr, r
    # what another stack has of it stays as long as that runs
    host.run(f"rm {STACK}/layer@3.raw; rm -rf /srv/tower2.mstack; mkdir -p /srv/tower2.mstack/rw; ln -s {STACK}/layer@2 {busybox} /srv/tower2.mstack; "
             "mv /srv/tower2.mstack/busybox /srv/tower2.mstack/layer@1")
    p = host.spawn("berth", "run", "-q", "-P", *own, *options, "--mstack=/srv/tower2.mstack", "-M", "tower2", "--", "/bin/sleep", "600")
    try:
        host.wait_for("berth list --no-legend | grep -q 'tower2 .*running'", 30)
        for name, words in (("tower", "'layer@2' of image 'tower' is in use by 'tower2'"), ("busybox", "Image 'busybox' is in use by 'tower2'")):
            r = host.berth("remove", name, check=False)
            assert r.returncode == 1 and words in r.stderr, r
    finally:
        host.berth("terminate", "tower2", check=False)
        host.end(p)
        host.run("rm -rf /srv/tower2.mstack")
    host.berth("remove", "tower")
    assert not host.exists(STACK)


@pytest.fixture(scope="session")
def disk_images(lab, tmp_path_factory):
    """A tar archive of small disk images: base (squashfs), old and new (erofs), and empty ones (ext4)."""
    d = tmp_path_factory.mktemp("disk-images")
    tree = d / "tree"
    local("cp", "-a", f"{lab}/busybox", tree)
    for name in ("data", "opt"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "usr/lib").mkdir(parents=True, exist_ok=True)
    (tree / "usr/lib/os-release").write_text("ID=stack\n")
    (tree / "bin/init").unlink(missing_ok=True)
    (tree / "bin/init").write_text("#!/bin/sh\n[ -e /again ] && exec sleep 600\n: >/again\nreboot -f\n")
    (tree / "bin/init").chmod(0o755)
    (tree / "all").write_text("base\n")
    local("mksquashfs", tree, d / "base.raw", "-quiet", "-no-progress", "-all-root")
    for name in ("old", "new"):
        (d / name).mkdir()
        (d / name / "all").write_text(f"{name}\n")
        local("mkfs.erofs", d / f"{name}.raw", d / name)
    for name in ("ext4", "bound"):
        with open(d / f"{name}.raw", "wb") as f:
            f.truncate(4 << 20)
        local("mkfs.ext4", "-q", "-F", "-O", "^has_journal", d / f"{name}.raw")
    return subprocess.run(["tar", "-cS", "-C", d, *(f"{n}.raw" for n in ("base", "old", "new", "ext4", "bound"))], stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture
def disks(host, disk_images):
    host.systemctl("start", "berth-spawner.socket")
    host.run("rm -rf /srv/disks; mkdir -p /srv/disks; tar -xS -C /srv/disks", input=disk_images)
    host.run(f"rm -rf {DISKS}; mkdir -p {DISKS}/layer@2.raw.v; cd {DISKS}; ln -s /srv/disks/base.raw layer@1.raw; cp /srv/disks/old.raw layer@2.raw.v/layer@2_1.raw; "
             "cp /srv/disks/new.raw layer@2.raw.v/layer@2_2.raw; cp /srv/disks/ext4.raw rw.raw; mkdir -p /etc/berth")
    yield DISKS
    host.run(f"berth terminate disks 2>/dev/null; rm -rf {DISKS} /srv/disks /etc/berth/disks.berth")


def test_disk_images_in_a_stack(host, disks, clean):
    """Read-only layers, what takes the changes, and what is bound; each way to start; locks; nothing is left."""
    def run(*words, script="true", check=True):
        return host.berth("run", "-q", "-P", "--resolv-conf=off", "--timezone=off", *words, "/bin/sh", "-c", script, check=check)

    r = run("disks", script="cat /all; echo x >/x; stat -c %u /x /bin/sh; echo mine >>/all")
    assert r.stdout.split() == ["new", "0", "0"] and r.stderr == "", r
    r = run("-U", "disks", script="cat /all /x; stat -c %u /x /bin/sh; rm /x; echo y >/y")
    assert r.stdout.split() == ["new", "mine", "x", "0", "0"], r
    if "--mstack" in host.run("systemd-nspawn", "--help").stdout:
        r = host.run("systemd-nspawn", "-q", "--register=no", "--console=pipe", f"--mstack={disks}", "-M", "real", "/bin/sh", "-c", "cat /all /y; echo its >>/y")
        assert r.out.split() == ["new", "mine", "y"], r
        assert run("disks", script="cat /y").out.split() == ["y", "its"]
    # what is bound; a policy is for all of them
    host.run(f"cp /srv/disks/bound.raw {disks}/bind@data.raw; cp /srv/disks/old.raw {disks}/robind@opt.raw")
    r = run("-U", "disks", script="echo d >/data/d; stat -c %u /data/d; cat /opt/all; (: >/opt/x) 2>/dev/null || echo read-only")
    assert r.out.split() == ["0", "old", "read-only"], r
    r = run("--read-only", "disks", script="cat /data/d; (: >/data/x) 2>/dev/null || (: >/x) 2>/dev/null || echo read-only")
    assert r.out.split() == ["d", "read-only"], r
    r = run("--image-policy=root=verity", "disks", check=False)
    assert r.returncode == 125 and "bind@data.raw" in r.stderr and "image policy" in r.stderr, r
    # as a service; others can read what nobody changes, and nothing else
    host.write("/etc/berth/disks.berth", "[Exec]\nBoot=no\nParameters=/bin/sleep 600\n")
    host.berth("start", "disks")
    assert host.berth("exec", "disks", "cat", "/all").out.split() == ["new", "mine"]
    assert "loop" not in host.run("systemctl show -p DeviceAllow berth@disks.service").out
    assert run("-M", "other", "--read-only", "-i", "/srv/disks/base.raw", "--", script="cat /all").out == "base"
    for words, path in ((["-i", "/srv/disks/base.raw"], "/srv/disks/base.raw"), (["-i", f"{disks}/rw.raw", "--read-only"], f"{disks}/rw.raw")):
        r = run("-M", "other", *words, "--", check=False)
        assert r.returncode == 125 and f"'{path}' is in use by " in r.stderr, r
    host.berth("stop", "disks")
    host.run("rm /etc/berth/disks.berth")
    # over the bus; what a stack cannot have is refused however it was found
    host.run(f"{CALL} disks 1 Parameters as 2 /bin/sleep 600 0")
    assert host.berth("exec", "disks", "cat", "/all").out.split() == ["new", "mine"]
    host.berth("terminate", "disks")
    host.wait_for("! berth show disks", 30)
    for setting in ("Ephemeral b true", "PivotRoot s /opt", f"RootHash s {64 * '0'}"):
        r = host.run(f"{CALL} disks 2 Parameters as 2 /bin/sleep 600 {setting} 0", check=False)
        assert r.returncode != 0 and "cannot be used together with" in r.stderr, r
    # it comes back with all that it had
    p = host.spawn("berth", "run", "-q", "-b", "disks")
    try:
        host.wait_for("berth exec disks ls /again", 60)
        host.wait_for("berth exec disks cat /data/d", 60)
    finally:
        host.berth("terminate", "disks", check=False)
        host.end(p)
    # what cannot be mounted, or is not what its name says
    for script, reason in ((f"rm {disks}/rw.raw; ln -s /srv/disks/old.raw {disks}/rw.raw", "cannot be written"),
                           (f"rm {disks}/rw.raw; mkdir {disks}/rw.raw", "is a directory, not a disk image"),
                           (f"rmdir {disks}/rw.raw; mkdir {disks}/layer@1", "is there twice"),
                           (f"rmdir {disks}/layer@1; chmod g+w {disks}", "leads out of it")):
        host.run(script)
        r = run("disks", check=False)
        assert r.returncode == 125 and reason in r.stderr and len(r.stderr.splitlines()) <= 2, r
