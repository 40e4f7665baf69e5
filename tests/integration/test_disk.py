# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers from disk images, which the distribution's own tools have made."""
import base64
import hashlib
import json
import random
import re
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest

from hosts import local

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]
ROOT, HOME, VAR, ESP, LINUX = ("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
                               "4d21b016-b534-45c2-a9fb-5c16e091fd2d", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
                               "0fc63daf-8483-4772-8e79-3d69d8477de4")
USR, USR_VERITY = "8484680c-9521-48c6-9c11-b0720656f69e", "77ff5f63-e7b6-4633-acf4-1565b864c0e6"
ROOT_VERITY, ROOT_SIGNATURE = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "41092b05-9fc8-4523-994f-2def0408b176"
MIB = 1 << 20
POOL = "/var/lib/machines"


def table(path, text, size):
    with open(path, "wb") as f:
        f.truncate(size * MIB)
    local("sh", "-c", f"sfdisk -q --no-tell-kernel {path} <<'END'\n{text}END\n")


def ext4(path, tree, at, size, label):
    local("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-L", label, *(["-d", tree] if tree else []), "-E", f"offset={at * MIB}", path, f"{size}M")


@pytest.fixture(scope="session")
def images(lab, tmp_path_factory):
    """A folder of small images, all with busybox on them; NAME → what mount(8) has to say of the root."""
    d = tmp_path_factory.mktemp("images")
    tree = d / "tree"
    local("cp", "-a", f"{lab}/busybox", tree)
    for name in ("home", "var", "efi"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "VERSION").write_text("new\n")
    table(d / "gpt.raw", f"label: gpt\nsize=8M, type={ROOT}, name=os_9\nsize=8M, type={ROOT}, name=os_10\nsize=4M, type={HOME}\n"
          f"size=4M, type={VAR}\nsize=4M, type={ESP}\n", 32)
    ext4(d / "gpt.raw", None, 1, 8, "old")
    ext4(d / "gpt.raw", tree, 9, 8, "new")
    ext4(d / "gpt.raw", None, 17, 4, "home")
    ext4(d / "gpt.raw", None, 21, 4, "var")
    esp = d / "esp"
    esp.write_bytes(bytes(4 * MIB))
    local("mkfs.vfat", esp)
    with open(d / "gpt.raw", "r+b") as f:
        f.seek(25 * MIB)
        f.write(esp.read_bytes())
    table(d / "mbr.raw", "label: dos\nsize=2M, type=c\nsize=8M, type=83\n", 16)
    ext4(d / "mbr.raw", tree, 3, 8, "mbr")
    for name, size in (("ext4", 8), ("btrfs", 110)):
        with open(d / f"{name}.raw", "wb") as f:
            f.truncate(size * MIB)
    local("mkfs.ext4", "-q", "-F", "-d", tree, d / "ext4.raw")
    local("mkfs.btrfs", "-q", "--rootdir", tree, d / "btrfs.raw")
    local("mksquashfs", tree, d / "squashfs.raw", "-quiet", "-no-progress")
    local("mkfs.erofs", d / "erofs.raw", tree)
    esp.unlink()
    usr = d / "usr"
    (usr / "lib").mkdir(parents=True)
    local("cp", "-a", tree / "bin", usr / "bin")
    (usr / "lib" / "os-release").write_text("ID=usr\n")
    table(d / "usr.raw", f"label: gpt\nsize=8M, type={USR}\nsize=4M, type={VAR}\n", 14)
    ext4(d / "usr.raw", usr, 1, 8, "usr")
    ext4(d / "usr.raw", None, 9, 4, "var")
    return d


def hash_tree(data, hashes):
    """The root hash of what is in a file, whose hash tree another one gets."""
    out = local("veritysetup", "format", data, hashes).stdout
    return re.search(r"^Root hash:\s*([0-9a-f]+)$", out, re.M)[1]


def with_hash_tree(path, types, data):
    """A GPT with file systems, hash trees and a signature that nobody knows: their UUIDs are the root hash's."""
    h = hash_tree(data, f"{path}.tree")
    uuids = [str(uuid.UUID(half)) for half in (h[:32], h[32:])]
    signature = json.dumps({"rootHash": h, "certificateFingerprint": "00", "signature": base64.b64encode(b"none").decode()})
    parts = [data.read_bytes(), Path(f"{path}.tree").read_bytes(), signature.encode()]
    table(path, "label: gpt\n" + "".join(f"start={1 + 4 * i}MiB, size=4M, type={t}{f', uuid={uuids[i]}' if i < 2 else ''}\n"
                                        for i, t in enumerate(types)), 14)
    with open(path, "r+b") as f:
        for i, part in enumerate(parts):
            f.seek((1 + 4 * i) * MIB)
            f.write(part)
    Path(f"{path}.tree").unlink()
    return h


@pytest.fixture(scope="session")
def protected(images):
    """Root hashes of images with dm-verity: "file" has the hash tree in a file beside it, "gpt-verity" and "usr-verity" in a partition."""
    hashes = {"file": hash_tree(images / "squashfs.raw", images / "file.verity"),
              "gpt-verity": with_hash_tree(images / "gpt-verity.raw", (ROOT, ROOT_VERITY, ROOT_SIGNATURE), images / "squashfs.raw")}
    local("cp", images / "squashfs.raw", images / "file.raw")
    local("mksquashfs", images / "usr", images / "usr.squashfs", "-quiet", "-no-progress")
    hashes["usr-verity"] = with_hash_tree(images / "usr-verity.raw", (USR, USR_VERITY), images / "usr.squashfs")
    return hashes


@pytest.fixture
def pool(host, images):
    """pool("gpt") puts an image into the host's pool, by another name if asked for."""
    made = []

    def put(kind, name=None):
        path = f"{POOL}/{name or kind}.raw"
        made.append(path)
        archive = subprocess.run(["tar", "-cS", "-C", images, f"{kind}.raw"], stdout=subprocess.PIPE, check=True).stdout
        host.run(f"mkdir -p {POOL} && tar -xS -C {POOL} && {{ test {POOL}/{kind}.raw = {path} || mv {POOL}/{kind}.raw {path}; }}", input=archive)
        return path

    yield put
    host.run(f"rm -f {' '.join(made)} /etc/berth/*.berth" if made else ":")


@pytest.mark.parametrize("options", MODES)
def test_kinds(host, pool, options, clean):
    """A root of each kind is mounted, can be written where its file system can, and leaves no loop device."""
    for kind, fs, written in (("mbr", "ext4", True), ("ext4", "ext4", True), ("btrfs", "btrfs", True), ("squashfs", "squashfs", False),
                              ("erofs", "erofs", False)):
        path = pool(kind)
        r = host.berth("run", "-q", "-P", *options, "-i", path, "--", "/bin/sh", "-c",
                       "cat /VERSION; mount | sed -n 's/^.* on \\/ type \\([^ ]*\\) (\\(..\\),\\([a-z]*\\).*/\\1 \\2 \\3/p'; (echo x >/x) 2>/dev/null && stat -c %u /x || echo no")
        assert r.stdout.split() == ["new", fs, "rw" if written else "ro", "nodev", "0" if written else "no"], r
        if written:     # it is there the next time; without leave to write it is not
            r = host.berth("run", "-q", "-P", *options, "--read-only", "-i", path, "--", "/bin/sh", "-c", "cat /x; (echo y >/x) 2>/dev/null || echo no")
            assert r.stdout.split() == ["x", "no"], r


@pytest.mark.parametrize("options", MODES)
def test_partitions(host, pool, options, clean):
    """The newest root, and the others in their places; a throw-away layer over each; policies."""
    path = pool("gpt")
    shown = "cat /VERSION; mount | awk '/ \\/(home|var|var\\/tmp)? type /{print $3, $5, $6 ~ /nosuid/}'"
    write = "; for d in '' /home /var; do echo x >$d/x || echo no; done; ls /x /home/x /var/x"
    r = host.berth("run", "-q", "-P", *options, "-x", "-i", path, "--", "/bin/sh", "-c", shown + write)
    assert r.stdout.split("\n")[:4] == ["new", "/ overlay 0", "/home overlay 1", "/var overlay 0"] and r.stdout.count("x\n") == 3, r
    r = host.berth("run", "-q", "-P", *options, "-i", path, "--", "/bin/sh", "-c", f"ls /x /home/x /var/x 2>/dev/null; {shown}{write}")
    assert r.stdout.split("\n")[:4] == ["new", "/ ext4 0", "/home ext4 1", "/var ext4 0"] and r.stdout.count("x\n") == 3, r
    r = host.berth("run", "-q", "-P", *options, "--image-policy=root=unprotected", "-i", path, "--", "/bin/sh", "-c", shown)
    assert r.stdout.split("\n")[:-1] == ["new", "/ ext4 0"], r
    for policy, words in (("root=unprotected:home=absent", "Partition 3 (home)"), ("root=verity", "dm-verity"), ("=unprotected", "no usr partition")):
        r = host.berth("run", "-q", "-P", f"--image-policy={policy}", "-i", path, "true", check=False)
        assert r.returncode == 125 and words in r.stderr and path in r.stderr, r


@pytest.mark.parametrize("options", MODES)
def test_usr_alone(host, pool, options, clean):
    """A disk with /usr and no root: the root is in memory, whatever else is asked for, and nothing of it is kept."""
    path = pool("usr")
    look = "cat /etc/../usr/lib/os-release; awk '$2 ~ /^\\/(usr|var)?$/{print $2, $3, substr($4, 1, 2)}' /proc/mounts; echo x >/x && echo x >/var/x && ls /x /var/x; echo x >/usr/x"
    for more in ([], ["--read-only"], ["-x"], ["--volatile=state"], ["--volatile=yes"]):
        r = host.berth("run", "-q", "-P", *options, *more, "-i", path, "--", "/bin/sh", "-c", look, check=False)
        assert r.stdout.split("\n")[:-1] == ["ID=usr", "/ tmpfs rw", "/usr ext4 ro", "/var/x", "/x"] and "Read-only file system" in r.stderr, (more, r)
    r = host.berth("run", "-q", "-P", "--image-policy=root=unprotected", "-i", path, "true", check=False)
    assert r.returncode == 125 and "no root partition" in r.stderr, r


def test_by_name_as_unit_and_over_the_bus(host, pool, clean):
    """NAME.raw: berth start, settings, machinectl's way, CreateContainer; locks between them."""
    path = pool("gpt", "disk")
    host.run("mkdir -p /etc/berth")
    host.write("/etc/berth/disk.berth", "[Exec]\nBoot=no\nParameters=/bin/sleep 600\n")
    try:
        host.berth("start", "disk")
        assert json.loads(host.berth("list", "--json=short").stdout)[0]["root"] == path
        assert " idmapped" in host.berth("exec", "disk", "mount").stdout.replace(",", " ")
        # the payload's unit may not open loop devices, nor may the payload
        assert "loop" not in host.run("systemctl show -p DeviceAllow berth@disk.service").out
        for options, words in (([], "in use by 'disk' since "), (["--read-only"], "in use by 'disk' since "), (["-M", "disk"], "already running")):
            r = host.berth("run", "-q", "-P", *(options or ["-M", "other"]), *(["-M", "other"] if "--read-only" in options else []), "-i", path, "true", check=False)
            assert r.returncode == 125 and words in r.stderr, r
        host.berth("stop", "disk")
        assert host.berth("list", "--no-legend").out == ""
        call = "busctl call org.berth.Containers1 /org/berth/Containers1 org.berth.Containers1.Manager CreateContainer 'sa{sv}a(sh)'"
        host.run(f"{call} disk 2 Parameters as 2 /bin/sleep 600 Ephemeral b true 0")
        host.run(f"{call} second 3 Image s {path} Parameters as 2 /bin/sleep 600 ReadOnly b true 0")
        assert host.berth("exec", "disk", "cat", "/VERSION").out == host.berth("exec", "second", "cat", "/VERSION").out == "new"
        usr = pool("usr")
        host.run(f"{call} usr 2 Image s {usr} Parameters as 2 /bin/sleep 600 0")
        assert host.berth("exec", "usr", "sh", "-c", "echo x >/x; ls -d /x /usr/x 2>/dev/null", check=False).out == "/x"
        r = host.run(f"{call} third 2 Image s {path} Parameters as 1 /bin/true 0", check=False)
        assert r.returncode != 0 and "in use by" in r.stderr, r
        r = host.run(f"{call} third 2 Image s /etc/passwd Parameters as 1 /bin/true 0", check=False)
        assert r.returncode != 0 and "no file system that is known" in r.stderr, r
    finally:
        host.run("berth terminate disk second usr 2>/dev/null; systemctl stop berth@disk 2>/dev/null; systemctl reset-failed berth@disk 2>/dev/null; :")


def crc_fixed(image, header, change):
    """A GPT header with other numbers in it and a right checksum."""
    h = bytearray(image[header:header + 92])
    change(h)
    h[16:20] = bytes(4)
    h[16:20] = struct.pack("<I", zlib.crc32(bytes(h)))
    image[header:header + 92] = h


def hostile_tables(good):
    """(what, image): partition tables that lie; the first sectors of a small GPT image."""
    def entry(n, at, data, both=False):
        image = bytearray(good)
        start = 1024 + 128 * n + at
        image[start:start + len(data)] = data
        if not both:
            crc = zlib.crc32(bytes(image[1024:1024 + 128 * 128]))
            crc_fixed(image, 512, lambda h: h.__setitem__(slice(88, 92), struct.pack("<I", crc)))
        return image

    def header(at, data):
        image = bytearray(good)
        crc_fixed(image, 512, lambda h: h.__setitem__(slice(at, at + len(data)), data))
        return image

    last = struct.pack("<Q", (1 << 63) - 1)
    yield "bad checksum of the entries", entry(1, 32, b"\1", both=True)
    yield "ends beyond the end", entry(1, 40, last)
    yield "begins beyond the end", entry(1, 32, last + last)
    yield "ends before it begins", entry(1, 32, struct.pack("<QQ", 5000, 4000))
    yield "overlaps", entry(2, 32, struct.pack("<QQ", 20000, 30000))
    yield "a label that steers", entry(1, 56, "\x1b]0;x\x07../..\n".encode("utf-16-le"))
    yield "no entries", header(80, struct.pack("<I", 0))
    yield "10000 entries", header(80, struct.pack("<I", 10000))
    yield "4 billion entries", header(80, struct.pack("<I", 0xffffffff))
    yield "entries of one byte", header(84, struct.pack("<I", 1))
    yield "entries at the end of the world", header(72, last)
    yield "truncated", bytearray(good[:MIB])
    yield "half a header", bytearray(good[:600])
    yield "nothing", bytearray()


def test_tables_that_lie(host, pool, images, campaign, clean):
    """None is mounted but what is right; one sentence, nothing left, and no crash of ours."""
    path = f"{POOL}/evil.raw"
    pool("ext4", "evil")
    good = (images / "gpt.raw").read_bytes()

    def start(what, image):
        host.run(f"cat >{path}", input=bytes(image))
        r = host.berth("run", "-q", "-P", "-M", "evil", "--read-only", "-i", path, "--", "/bin/true", check=False)
        lines = [line for line in r.stderr.splitlines() if not line.startswith("Hint: ")]
        assert r.returncode in (0, 125) and (r.returncode == 0) == (not lines), (what, r)
        assert len(lines) <= 1 and not re.search("[\x00-\x08\x1b\x7f]|cannot be made out|without an answer", r.stderr), (what, r)
        return r

    for what, image in hostile_tables(good):
        start(what, image)
    rng = random.Random(4)
    for kind in ("gpt", "squashfs", "erofs"):
        for i in range(200 if campaign else 2):
            image = bytearray((images / f"{kind}.raw").read_bytes())
            for _ in range(rng.choice((1, 20, 1000))):
                image[rng.randrange(min(len(image), 128 << 10))] = rng.randrange(256)
            if kind == "gpt":       # the kernel's parsers are not what is tried here
                image[MIB:] = bytes(len(image) - MIB)
            start(f"{kind} {i}", image)


def test_killed_at_any_time(host, pool, clean):
    """Nothing but descriptors holds what was made for a start: whoever is killed, no loop device and no mount stays."""
    path = pool("gpt", "killed")
    for delay in (0, 5, 10, 20, 30, 40, 60, 80):
        host.run(f"berth run -q -P -M killed -i {path} -- /bin/sleep 60 >/dev/null 2>&1 & p=$!; sleep 0.{delay:03d}; kill -9 $p; wait $p; :")
    # and the image is free
    host.wait_for(f"berth run -q -P -M killed -i {path} -- /bin/true")


def test_two_copies_at_once(host, pool, images, clean):
    """File systems with one UUID, each in use: neither is taken for the other."""
    if not (images / "xfs.raw").exists():
        files = [f"{name} d--755 0 0\n$" for name in ("usr", "etc", "proc", "sys", "dev", "run", "tmp")]
        (images / "proto").write_text(f"/\n0 0\nd--755 0 0\nbin d--755 0 0\nbusybox ---755 0 0 {images}/tree/bin/busybox\nsh l--777 0 0 busybox\n$\n" + "\n".join(files) + "\n$\n")
        table(images / "xfs.raw", "label: gpt\n", 300)
        local("mkfs.xfs", "-q", "-f", "-p", images / "proto", images / "xfs.raw")
    for kind in ("ext4", "btrfs", "xfs"):
        if f"\t{kind}\n" not in host.read("/proc/filesystems"):
            continue
        path = pool(kind, "first")
        host.run(f"cp --sparse=always {path} {POOL}/second.raw")
        p = host.spawn("berth", "run", "-q", "-P", "-i", path, "--", "/bin/sh", "-c", "echo first >/which; exec /bin/busybox sleep 600")
        try:
            host.wait_for("berth exec first /bin/sh -c 'read x </which && test $x = first'", 60)
            r = host.berth("run", "-q", "-P", "-i", f"{POOL}/second.raw", "--", "/bin/sh", "-c", "test ! -e /which && echo second >/which && echo alone", check=False)
            # a kernel that cannot tell them apart (btrfs before Linux 6.7) refuses the second one
            assert r.out == "alone" or (r.returncode == 125 and kind == "btrfs"), (kind, r)
            assert host.berth("exec", "first", "/bin/sh", "-c", "read x </which; echo $x").out == "first"
        finally:
            host.berth("terminate", "first", check=False)
            host.end(p)
            host.run(f"rm -f {POOL}/second.raw")


@pytest.mark.vm
@pytest.mark.suites("bookworm")
def test_host_outlives_its_image(host, pool, clean):
    """A file system that is told to panic does not make the host panic; and the ESP is there."""
    path = pool("ext4", "panic")
    host.run(f"tune2fs -e panic {path} >/dev/null; i=$(debugfs -R 'stat /VERSION' {path} 2>/dev/null | sed -n 's/^Inode: \\([0-9]*\\).*/\\1/p'); "
             f"debugfs -w -R \"set_inode_field <$i> links_count 0\" {path} 2>/dev/null")
    host.berth("run", "-q", "-P", "-i", path, "--", "/bin/sh", "-c", "cat /VERSION; rm -f /VERSION; echo x >/y; sync; true", check=False)
    assert host.run("echo alive").out == "alive"
    gpt = pool("gpt")
    r = host.berth("run", "-q", "-P", "-i", gpt, "--", "/bin/sh", "-c", "mount | grep -o '/efi type vfat'")
    assert r.out == "/efi type vfat", r


@pytest.mark.campaign
@pytest.mark.vm
def test_host_outlives_what_is_done_to_images(host, pool, images, clean):
    """In a VM alone: it is the kernel that reads what changes under it, or never was a file system."""
    path = f"{POOL}/panic.raw"
    # whoever owns the file changes it while it runs: cut, overwritten, and a link in its place
    for change in (f"truncate -s 1M {path}", f"dd if=/dev/urandom of={path} bs=1M count=8 conv=notrunc status=none", f"mv {path} {path}.old; ln -s /etc/shadow {path}"):
        pool("ext4", "panic")
        p = host.spawn("berth", "run", "-q", "-P", "-M", "changing", "-i", path, "--", "/bin/sh", "-c", "while :; do ls -lR / >/dev/null 2>&1; echo x >/y; sync; done")
        try:
            host.wait_for("berth show -p State --value changing | grep -qx running", 60)
            host.run(f"{change}; echo 3 >/proc/sys/vm/drop_caches")
            assert host.berth("list", "--no-legend").out.split()[:2] == ["changing", "running"]
            host.berth("terminate", "changing")
            p.communicate(timeout=60)
            host.wait_for("! losetup -a | grep -q .", 60)
        finally:
            host.end(p)
            host.run(f"rm -f {path} {path}.old")
    # the kernel's own parsers, of what is random
    rng = random.Random(7)
    for kind in ("ext4", "squashfs", "erofs", "ext4"):
        image = bytearray((images / f"{kind}.raw").read_bytes())
        for _ in range(50):
            image[rng.randrange(1024, min(len(image), 128 << 10))] = rng.randrange(256)
        host.run(f"cat >{path}", input=bytes(image))
        host.berth("run", "-q", "-P", "-M", "random", "-i", path, "--", "/bin/sh", "-c", "ls -lR / >/dev/null; echo x >/y; sync", check=False, timeout=120)
        assert host.run("echo alive; losetup -a").out == "alive", kind


@pytest.mark.suites("forky")
def test_verity_without_the_kernel(host, pool, protected, clean):
    """What the kernel of this host lacks is said; and what is wrong with hashes is found out before that."""
    path = pool("gpt-verity")
    other = "0" * 64
    for options, words in (([f"--root-hash={protected['gpt-verity']}"], "no dm-verity"),
                           (["--image-policy=root=signed"], "no dm-verity"),      # the disk says its hash, and who signed it
                           ([f"--root-hash={other}"], "no root partition that the root hash is of"),
                           (["--image-policy=root=verity"], "there is no root hash"),
                           ([f"--root-hash={protected['gpt-verity']}", "--image-policy=root=unprotected"], "does not allow that"),
                           ([f"--root-hash={protected['gpt-verity']}", "--root-hash-sig=/nonexistent"], "'/nonexistent' failed"),
                           (["--verity-data=/nonexistent"], "has no root hash that '/nonexistent'")):
        r = host.berth("run", "-q", "-P", *options, "-i", path, "true", check=False)
        assert r.returncode == 125 and words in r.stderr, (options, r)
    assert host.berth("run", "-q", "-P", "-i", path, "--", "/bin/cat", "/VERSION").out == "new"     # nobody asked for it


@pytest.mark.vm
def test_verity(host, pool, protected, images, clean):
    """dm-verity with the hash tree beside the image and on it; hashes and contents that are wrong; nothing stays."""
    def start(name, *options, command="cat /VERSION; mount | grep -o '^/dev/mapper/berth-.* type [a-z]* (ro'", check=True):
        r = host.berth("run", "-q", "-P", *options, "-i", f"{POOL}/{name}.raw", "--", "/bin/sh", "-c", command, check=check)
        assert not check or re.fullmatch(r"new\n/dev/mapper/berth-\S+ on / type squashfs \(ro\n", r.stdout), r
        return r

    for name in ("file", "gpt-verity", "usr-verity"):
        pool(name)
    host.run(f"cat >{POOL}/file.verity", input=(images / "file.verity").read_bytes())
    host.write(f"{POOL}/file.roothash", protected["file"] + "\n")
    host.write(f"{POOL}/usr-verity.usrhash", protected["usr-verity"] + "\n")
    try:
        # left by one that was killed at the worst moment: the next one removes it
        host.run(f"veritysetup open {POOL}/file.raw berth-999999999-0123456789abcdef {POOL}/file.verity {protected['file']} && "
                 "dmsetup create berth-999999999-backup --table '0 8 zero'")
        start("file")
        # but not what is somebody else's
        assert "berth-999999999-backup" in host.run("dmsetup ls && dmsetup remove berth-999999999-backup").out
        host.wait_for("! dmsetup ls | grep berth-")
        start("gpt-verity", f"--root-hash={protected['gpt-verity']}", "--image-policy=root=verity")
        r = start("usr-verity", command="grep ' /usr ' /proc/mounts; cat /usr/lib/os-release", check=False)
        assert r.stdout.startswith("/dev/mapper/berth-") and "ID=usr" in r.stdout, r
        r = start("gpt-verity", "--image-policy=root=signed", check=False)
        assert r.returncode == 125 and "does not accept the signature" in r.stderr, r
        host.run(f"printf changed | dd of={POOL}/file.raw bs=1 seek=600 conv=notrunc status=none")
        r = start("file", check=False)
        assert r.returncode == 125 and "is not what the root hash says" in r.stderr, r
        host.run(f"berth run -q -P -M killed -i {POOL}/gpt-verity.raw --root-hash={protected['gpt-verity']} -- /bin/sleep 600 >/dev/null 2>&1 & "
                 "p=$!; for i in $(seq 300); do berth list | grep -q killed && break; sleep 0.2; done; dmsetup ls | grep -q berth- || exit 1; kill -9 $p; wait $p; :")
        host.wait_for("! dmsetup ls | grep berth-")
    finally:
        host.run(f"rm -f {POOL}/file.verity {POOL}/*.roothash {POOL}/*.usrhash")


@pytest.fixture(scope="session")
def locked(images):
    """Encrypted with the key "open sesame": luks.raw, a squashfs (LUKS1), and luks2.raw, a GPT with root and /home (LUKS2)."""
    key = images / "pass"
    key.write_text("open sesame")
    local("qemu-img", "convert", "-f", "raw", "-O", "luks", "--object", f"secret,id=key,file={key}",
          "-o", "key-secret=key,iter-time=10", images / "squashfs.raw", images / "luks.raw")
    table(images / "luks2.raw", f"label: gpt\nsize=10M, type={ROOT}\nsize=6M, type={HOME}\n", 18)
    part = images / "part"
    for at, size, tree in ((1, 10, ["-d", images / "tree"]), (11, 6, [])):
        with open(part, "wb") as f:
            f.truncate(size * MIB)
        local("mkfs.ext4", "-q", "-F", "-O", "^has_journal", *tree, part, f"{size - 4}M")
        local("cryptsetup", "reencrypt", "-q", "--encrypt", "--type", "luks2", "--force-offline-reencrypt", "--reduce-device-size", "4M", "--luks2-metadata-size", "16k",
              "--luks2-keyslots-size", "256k", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", key, part)
        with open(images / "luks2.raw", "r+b") as f:
            f.seek(at * MIB)
            f.write(part.read_bytes())
    part.unlink()
    local("truncate", "-s", "2M", images / "null.raw")
    local("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--luks2-metadata-size", "16k", "--luks2-keyslots-size", "256k",
          "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", images / "null.raw", key)
    without_cipher(images / "null.raw")


def without_cipher(image, size=16384):
    """What somebody without the key can do to a LUKS2 header: it still opens, and nothing is encrypted."""
    header = image.read_bytes()
    with open(image, "r+b") as f:
        for at in (0, size):
            binary, text = bytearray(header[at:at + 4096]), json.loads(header[at + 4096:at + size].rstrip(b"\0"))
            text["segments"]["0"]["encryption"] = "cipher_null-ecb"
            rest = json.dumps(text, separators=(",", ":")).encode().ljust(size - 4096, b"\0")
            binary[448:512] = bytes(64)
            binary[448:480] = hashlib.sha256(binary + rest).digest()
            f.seek(at)
            f.write(binary + rest)


def test_keys(host, pool, locked, clean):
    """Where keys come from, up to what this host's kernel lacks; where none comes, and which are wrong."""
    path, here, lacks = pool("luks"), f"{POOL}/key", "The kernel has no dm-crypt"
    null = pool("null")
    host.run(f"mkdir -m 700 {here}; cd {here}; umask 077; printf 'open sesame' >right; printf wrong >wrong; : >empty; head -c 65537 /dev/zero >long; "
             "cp right open; chmod 644 open; truncate -s 2M argon.raw; cryptsetup luksFormat -q --type luks2 --luks2-metadata-size 16k --luks2-keyslots-size 256k "
             "--pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel 1 argon.raw right; "
             f"mkdir -m 755 keys.mstack; cp {path} keys.mstack/layer@1.raw")
    run = ["run", "-q", "-P", "-M", "keys", "-i", path]
    try:
        for options, words in (([], "is encrypted, and there is no key"),
                               ([f"--image-key-file={here}/wrong"], f"The key in '{here}/wrong' does not open image '{path}'"),
                               ([f"--image-key-file={here}/none"], f"'{here}/none' failed: No such file"),
                               ([f"--image-key-file={here}/empty"], "is empty"), ([f"--image-key-file={here}/long"], "larger than 65536 bytes"),
                               ([f"--image-key-file={here}"], "is not a file"),
                               ([f"--image-key-file={here}/open"], f"Key file '{here}/open' is not for root alone"),
                               (["--image-policy=root=unprotected"], "is encrypted, and the image policy"),
                               ([f"--image-key-file={here}/right", "--image-policy=root=encryptedwithintegrity"], "without protection of its integrity"),
                               (["-i", f"{here}/argon.raw", f"--image-key-file={here}/wrong"], f"does not open image '{here}/argon.raw'"),
                               (["-i", f"{here}/argon.raw", f"--image-key-file={here}/right"], lacks),
                               (["-i", null, f"--image-key-file={here}/right", "--image-policy=root=encrypted"], "the cipher of its data is none at all"),
                               ([f"--image-key-file={here}/right", "--image-policy=root=encrypted"], lacks)):
            r = host.berth(*run, *options, "true", check=False)
            assert r.returncode == 125 and words in r.stderr, (options, r)
        stack = ["run", "-q", "-P", "-M", "keys", f"--mstack={here}/keys.mstack"]
        assert f"Image '{here}/keys.mstack' is encrypted, and there is no key" in host.berth(*stack, "true", check=False).stderr
        assert lacks in host.berth(*stack, f"--image-key-file={here}/right", "true", check=False).stderr
        # on a terminal: what is typed is not shown
        with host.terminal("berth", *run, "true") as t:
            t.expect("Key of image '/var/lib/machines/luks.raw': ")
            for answer in ("open says me\r", "\r"):
                t.send(answer)
                t.expect("This key does not open it.*Key of image ")
            t.send("open sesame\r")
            t.expect(lacks)
            assert t.wait() == 125 and "says me" not in t.text and "sesame" not in t.text
        with host.terminal(f"trap : INT; berth {' '.join(run)} true; stty -a") as t:
            t.expect("Key of image ")
            t.send("\x03")
            t.expect(r"[^-]\becho\b")
        # a unit: by a credential, then by a password agent
        host.write("/etc/berth/keys.berth", f"[Container]\nImage={path}\n[Exec]\nParameters=/bin/true\n")
        host.write("/run/systemd/system/berth@keys.service.d/key.conf", "[Service]\nSetCredential=dissect.passphrase:wrong\n")
        host.run("systemctl daemon-reload")
        r = host.berth("start", "keys", check=False)
        assert r.returncode and "The key that was given does not open" in r.stderr, r
        host.run("sed -i 's/wrong/open\\\\x20sesame/' /run/systemd/system/berth@keys.service.d/key.conf; systemctl daemon-reload")
        assert lacks in host.berth("start", "keys", check=False).stderr
        host.run("rm /run/systemd/system/berth@keys.service.d/key.conf; systemctl daemon-reload; systemctl reset-failed berth@keys; systemctl start --no-block --no-ask-password berth@keys")
        for answer in ("wrong", "open sesame"):
            host.wait_for("grep -qs 'Message=.*Key of image /var/lib/machines/luks.raw' /run/systemd/ask-password/ask.*")
            host.run("f=$(ls /run/systemd/ask-password/ask.*); /usr/lib/systemd/systemd-reply-password 1 $(sed -n s/^Socket=//p $f); "
                     "while test -e $f; do sleep 0.1; done", input=answer)
        host.wait_for("systemctl is-failed berth@keys")
        assert lacks in host.run("systemctl show -P StatusText berth@keys").out
        # a worker that hangs does not do so for ever, whoever is gone
        host.write("/run/systemd/system/berth@keys.service.d/key.conf", f"[Service]\nEnvironment=BERTH_WORKER={here}/hang\n")
        host.run(f"printf '#!/bin/sh\\nexec sleep 600\\n' >{here}/hang; chmod 755 {here}/hang; systemctl daemon-reload; systemctl reset-failed berth@keys; "
                 "systemctl start --no-block berth@keys")
        host.wait_for("systemctl show -P RuntimeMaxUSec 'berth-disk-*.service' | grep -qx '1min 10s'")
        host.run("systemctl kill -s KILL 'berth-disk-*.service'")
        host.wait_for("systemctl is-failed berth@keys")
        # over the bus nobody is asked
        r = host.run("busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "CreateContainer", "sa{sv}a(sh)", "keys", "1",
                     "Image", "s", path, "0", check=False)
        assert "is encrypted, and there is no key" in r.stderr, r
        assert "sesame" not in host.run("journalctl -b --no-pager -o cat").out
    finally:
        host.run(f"systemctl stop berth@keys; systemctl reset-failed berth@keys; rm -rf {here} /etc/berth/keys.berth /run/systemd/system/berth@keys.service.d; systemctl daemon-reload; "
                 "rmdir /run/systemd/ask-password 2>/dev/null; :", check=False)


@pytest.mark.campaign("forky")     # half of the VM's time; what is tested is the kernel's and libcryptsetup's
@pytest.mark.vm
def test_luks(host, pool, locked, clean):
    """LUKS1 on a whole image, LUKS2 in partitions: mounted, written, and gone with the container, however it ends."""
    for name in ("luks", "luks2"):
        pool(name)
    key, image = f"{POOL}/pass", f"{POOL}/luks2.raw"
    host.run(f"umask 077; printf 'open sesame' >{key}")
    mounts = "sed -n 's/^.dev.mapper.berth-[0-9a-f-]* \\([^ ]*\\) \\([^ ]*\\) \\(..\\).*/\\1 \\2 \\3/p' /proc/mounts"
    call = "busctl call org.berth.Containers1 /org/berth/Containers1 org.berth.Containers1.Manager CreateContainer 'sa{sv}a(sh)' created 4"

    def start(name, command, *options):
        r = host.berth("run", "-q", "-P", *options, f"--image-key-file={key}", "-i", f"{POOL}/{name}.raw", "--", "/bin/sh", "-c", command)
        host.wait_for("! dmsetup ls | grep berth-")
        return r.stdout.splitlines()

    try:
        assert start("luks", f"cat /VERSION; {mounts}") == ["new", "/ squashfs ro"]
        assert start("luks2", f"{mounts}; echo x >/x; echo y >/home/y", "--image-policy=root=encrypted:home=encrypted") == ["/ ext4 rw", "/home ext4 rw"]
        # with a credential, and killed
        devices = host.run(f"mkdir -m 700 {key}.d; mv {key} {key}.d/dissect.passphrase; CREDENTIALS_DIRECTORY={key}.d berth run -q -P -M locked -i {image} -- /bin/sleep 600 "
                           f">/dev/null 2>&1 & p=$!; for i in $(seq 300); do berth list | grep -q locked && break; sleep 0.2; done; mv {key}.d/dissect.passphrase {key}; "
                           "dmsetup info -c --noheadings -o name,uuid | grep ^berth-; kill -9 $p; wait $p; :", timeout=120).stdout.splitlines()
        assert len(devices) == 2 and all(re.fullmatch(r"(berth-\d+-[0-9a-f]{16}):CRYPT-LUKS2-[0-9a-f]{32}-\1", d) for d in devices), devices
        host.wait_for("! dmsetup ls | grep berth-")
        # and over the bus, where a file has it
        host.run(f"{call} Image s {image} ImageKeyFile s {key} ReadOnly b true Parameters as 2 /bin/sleep 600 0")
        assert host.berth("exec", "created", "sh", "-c", f"cat /x /home/y; {mounts}").stdout.splitlines() == ["x", "y", "/ ext4 ro", "/home ext4 ro"]
        host.berth("terminate", "created")
        host.wait_for("! dmsetup ls | grep berth-")
    finally:
        host.run(f"berth terminate created 2>/dev/null; rm -rf {key} {key}.d", check=False)
