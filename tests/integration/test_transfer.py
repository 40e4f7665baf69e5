# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transfers of images: berth import-tar, import-raw, import-fs, export-tar, export-raw."""
import json

import pytest

POOL = "/var/lib/machines"
#: What a tree is, but for devices; symbolic links' sizes differ between file systems.
LIST = ("find . ! -type c ! -type b -printf '%p %y %m %U %G %T@ %l %n\\n' | LC_ALL=C sort; find . ! -type c ! -type b | LC_ALL=C sort | "
        "xargs -d '\\n' sh -c 'getfattr -h -d -m- -- \"$@\"; getfacl -np -- \"$@\"' sh 2>/dev/null")


@pytest.fixture
def pool(host, clean):
    """The test's own images have names that begin with "t-"; files are in /srv/t."""
    host.run("mkdir -p /srv/t")
    yield
    host.run(f"chattr -R -i {POOL}/t-* 2>/dev/null; rm -rf {POOL}/t-* {POOL}/.#t-* /srv/t")
    host.run("rm -rf /run/systemd/nspawn/locks/*t-*", check=False)


def leftovers(host):
    return host.run(f"ls -A {POOL} | grep -F '.#t-' || :").out


def tree(host, name="/srv/t/tree"):
    host.run(f"""mkdir -p {name}/etc {name}/deep/er {name}/usr/bin && cd {name}
        echo hello >etc/file; ln etc/file deep/er/same; ln -s ../etc/file deep/link; ln -s /etc/shadow deep/out
        printf x >usr/bin/su; chmod 4755 usr/bin/su; chown 1000:70000 etc/file; mkfifo -m 640 deep/fifo; mknod deep/null c 1 3
        truncate -s 1G deep/sparse; printf data | dd of=deep/sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null
        setfattr -n user.a -v b etc/file; setcap cap_net_raw+ep usr/bin/su
        setfacl -m u:1234:rx,g:55:w,m:rwx deep/er; setfacl -d -m u:1207:r deep/er
        mkdir -p "$(printf 'd%.0s' $(seq 150))/$(printf 'e%.0s' $(seq 150))"; : >'etc/na\u00efve'
        touch -d @1234567.891234567 etc/file; touch -h -d @7654321.5 deep/link; touch -d @99 deep .""")
    return name


def listing(host, path):
    return host.run(f"cd {path} && {LIST}").stdout


def test_there_and_back(host, pool):
    source = tree(host)
    expected = listing(host, source)
    assert "cap_net_raw" not in expected and "security.capability" in expected and "user:1234:r-x" in expected
    r = json.loads(host.berth("import-fs", "--json=short", source, "t-fs").stdout)
    assert (r["name"], r["path"]) == ("t-fs", f"{POOL}/t-fs") and r["files"] > 10
    assert listing(host, f"{POOL}/t-fs") == expected
    for end in ("tar", "tar.gz", "tar.xz", "tar.zst", "tar.bz2") if host.suite == "forky" else ("tar", "tar.zst"):
        # what has holes is packed without them by tar alone
        host.run(f"rm -f {POOL}/t-fs/deep/sparse")
        host.berth("export-tar", "t-fs", f"/srv/t/out.{end}")
        host.run(f"tar tf /srv/t/out.{end} >/dev/null; test $(stat -c %a /srv/t/out.{end}) = 644")
        host.berth("import-tar", "--force", f"/srv/t/out.{end}", "t-back")
        assert listing(host, f"{POOL}/t-back") == listing(host, f"{POOL}/t-fs"), end
    # of the distribution's own tar, by a pipe; devices are left out, and that is told
    host.run(f"tar c -S --xattrs --acls --xattrs-include='*' --format=posix -C {source} . >/srv/t/t-own.tar")
    r = host.run("berth import-tar - t-pipe </srv/t/t-own.tar")
    assert r.out.startswith(f"{POOL}/t-pipe: ") and "1 devices and sockets were left out of 't-pipe'" in r.err
    assert listing(host, f"{POOL}/t-pipe") == expected
    assert int(host.run(f"stat -c %b {POOL}/t-pipe/deep/sparse").out) < 100
    # it has the file's name, and is not there twice
    host.berth("import-tar", "-q", "/srv/t/t-own.tar")
    r = host.berth("import-tar", "/srv/t/t-own.tar", check=False)
    assert r.returncode == 1 and "There is an image 't-own' already" in r.err and "--force" in r.err
    host.berth("import-tar", "-q", "--force", "--read-only", "/srv/t/t-own.tar")
    assert host.run(f"touch {POOL}/t-own/x", check=False).returncode != 0
    host.berth("import-tar", "-q", "--force", "/srv/t/t-own.tar")
    host.run(f"touch {POOL}/t-own/x")
    assert leftovers(host) == ""


def test_it_boots(host, pool, debian):
    """A system that came in by an archive of the distribution's own tar, and runs."""
    host.run(f"tar c -C {debian} --exclude=./dev . | berth import-tar - t-deb", timeout=120)
    host.berth("start", "t-deb", timeout=120)
    host.wait_for("berth show t-deb -p Ready --value | grep -qx yes", 90)
    # who is in use is not taken away, nor read while it is written to
    r = host.run("berth import-tar --force - t-deb </dev/null", check=False)
    assert r.returncode == 1 and "Image 't-deb' is in use" in r.err
    r = host.berth("export-tar", "t-deb", "/srv/t/x.tar", check=False)
    assert r.returncode == 1 and "Image 't-deb' is in use" in r.err and host.run("ls -A /srv/t").out == ""
    host.berth("terminate", "t-deb")
    host.wait_for("! berth show t-deb 2>/dev/null", 30)
    host.wait_for("! systemctl is-active -q berth@t-deb", 30)
    host.systemctl("reset-failed", "berth@t-deb", check=False)


#: Archives, made by a program in the host's perl-less, pickle-less Python: name, type, link target.
HOSTILE = {
    "way up": ([("../t-evil", "f", "")], "leads out"),
    "way up inside": ([("a/../../t-evil", "f", "")], "leads out"),
    "through a link": ([("l", "l", "/srv/t"), ("l/evil", "f", "")], "Writing 'l' of image 't-lie' failed"),
    "through a relative link": ([("l", "l", ".."), ("l/t-evil", "f", "")], "leads through a link"),
    "hard link out": ([("h", "h", "../../../../etc/passwd")], "leads out"),
    "hard link through a link": ([("l", "l", "/etc"), ("h", "h", "l/passwd")], ""),
    "hard link to nothing": ([("h", "h", "/etc/passwd")], "No such file"),
    "top is a link": ([(".", "l", "/srv/t")], "leads out"),
    "deep": ([("d/" * 300 + "f", "f", "")], "256"),
    "long": ([("d/" + "x" * 300, "f", "")], "too long"),
}
MAKE = """
import struct, sys
def entry(name, kind, target):
    out = b""
    for n, t in ((name, b"L"), (target, b"K")):
        if len(n) > 99:
            out += header(b"././@LongLink", t, b"", len(n) + 1) + (n.encode() + b"\\0").ljust((len(n) + 512) // 512 * 512, b"\\0")
    return out + header(name.encode()[:99], {"f": b"0", "l": b"2", "h": b"1"}[kind], target.encode()[:99], 0)
def header(name, kind, target, size):
    h = name.ljust(100, b"\\0") + b"0000644\\0" + b"0000000\\0" * 2 + b"%011o\\0" % size + b"00000000000\\0" + b" " * 8 + kind
    h = (h + target.ljust(100, b"\\0") + b"ustar  \\0").ljust(512, b"\\0")
    return h[:148] + b"%06o\\0 " % sum(h) + h[156:]
sys.stdout.buffer.write(b"".join(entry(*e) for e in ENTRIES) + b"\\0" * 1024)
""".replace("\\\\", "\\")


def test_hostile_archives(host, pool):
    host.run("echo before >/srv/t/victim")
    for lie, (entries, said) in HOSTILE.items():
        host.run("python3 - >/srv/t/lie.tar", input=MAKE.replace("ENTRIES", repr(entries)))
        r = host.berth("import-tar", "/srv/t/lie.tar", "t-lie", check=False)
        assert r.returncode == 1 and said in r.err, f"{lie}: {r}"
        assert host.run("ls -A /srv/t").out.split() == ["lie.tar", "victim"], lie
        assert host.run(f"ls -d {POOL}/t-* 2>/dev/null || :").out == "" and leftovers(host) == "", lie
    # cut at any block; what is cut in a file, between files, in the end
    host.run("mkdir /srv/t/d; echo 1 >/srv/t/d/1; echo 2 >/srv/t/d/2; tar c -C /srv/t/d -b 1 . >/srv/t/whole.tar")
    blocks = int(host.run("stat -c %s /srv/t/whole.tar").out) // 512
    r = host.run(f"for n in $(seq 0 {blocks - 3}); do head -c $((n * 512)) /srv/t/whole.tar | berth import-tar -q - t-cut 2>/dev/null && echo $n; "
                 f"head -c $((n * 512 + 77)) /srv/t/whole.tar | berth import-tar -q - t-cut 2>/dev/null && echo $n and a half; done; :")
    assert r.out == "" and leftovers(host) == ""
    for line, said in (("head -c 100000 /dev/urandom", "The input is no tar archive, or is compressed"),
                       ("cat /dev/null", "The input is no tar archive"),
                       ("tar c -C /srv/t d | gzip | head -c 150", "The input is damaged, or a part of it is missing"), ("tar c -C /srv/t d | xz | head -c 100", "copy or download it again"),
                       ("tar c -C /srv/t d | head -c 700", "copy or download it again")):
        r = host.run(f"{line} | berth import-tar - t-odd", check=False)
        assert r.returncode == 1 and said in r.err, r
    r = host.run("echo text >/srv/t/x.tar; berth import-tar /srv/t/x.tar t-odd", check=False)
    assert r.returncode == 1 and "'/srv/t/x.tar' is no tar archive" in r.err, r
    host.berth("import-tar", "-q", "/srv/t/whole.tar", "t-full")
    r = host.berth("export-tar", "t-full", "/dev/full", check=False)
    assert r.returncode == 1 and "Writing '/dev/full' failed: No space left on device" in r.err, r
    host.run(f"test ! -e {POOL}/t-odd -a ! -e {POOL}/t-cut")


def test_disk_images(host, pool):
    """Files and pipes, compressed or not, with their holes; and what is none."""
    host.run("cd /srv/t; truncate -s 40M t-d.raw; mkfs.ext4 -q -U clear t-d.raw; dd if=/dev/urandom of=t-d.raw bs=1M seek=30 count=1 conv=notrunc status=none; "
             "printf odd >>t-d.raw")
    same = f"cmp /srv/t/t-d.raw {POOL}/t-d.raw && test $(stat -c %b {POOL}/t-d.raw) -lt 30000 && stat -c %a {POOL}/t-d.raw"
    r = host.run("berth import-raw /srv/t/t-d.raw")
    assert r.out == f"{POOL}/t-d.raw: 40M" and "no multiple of 512 bytes" in r.err and host.run(same).out == "600", r
    r = host.berth("import-raw", "/srv/t/t-d.raw", check=False)
    assert r.returncode == 1 and "There is an image 't-d' already" in r.err and "--force" in r.err, r
    for tool in ("gzip", "xz -0", "zstd") if host.suite == "forky" else ("gzip",):
        host.run(f"{tool} -c </srv/t/t-d.raw >/srv/t/t-d.img.{tool[:2]}; berth import-raw -q --force /srv/t/t-d.img.{tool[:2]} t-d")
        assert host.run(same).out == "600", tool
    r = json.loads(host.run("cat /srv/t/t-d.raw | berth import-raw --json=short --force --read-only - t-d").stdout)
    assert r == {"name": "t-d", "path": f"{POOL}/t-d.raw", "bytes": (40 << 20) + 3} and host.run(same).out == "400"
    # and out again; who has a container that writes to it is not read
    for end, tool in (("raw", "cat"), ("gz", "gzip -d"), ("xz", "xz -d"), ("zst", "zstd -d")) if host.suite == "forky" else (("raw", "cat"),):
        host.run(f"berth export-raw t-d /srv/t/out.{end}; {tool} </srv/t/out.{end} | cmp - /srv/t/t-d.raw")
    assert int(host.run("stat -c %b /srv/t/out.raw").out) < 30000
    host.run("berth export-raw t-d | cmp - /srv/t/t-d.raw; echo x >/srv/t/more; berth export-raw t-d - >>/srv/t/more; tail -c +3 /srv/t/more | cmp - /srv/t/t-d.raw")
    host.run("(berth export-raw t-d -; echo behind) >/srv/t/more; tail -n 1 /srv/t/more | grep -a behind; head -c -7 /srv/t/more | cmp - /srv/t/t-d.raw")
    for line, said in (("export-raw t-d /dev/full", "Writing '/dev/full' failed: No space left on device"), ("export-tar t-d /srv/t/x", "export it with 'berth export-raw'"),
                       ("import-tar /srv/t/t-d.raw t-n", "is a disk image with ext4, not a tar archive"), ("import-tar /srv/t/t-d.img.gz t-n", "import it with 'berth import-raw'"),
                       ("import-tar - t-n </srv/t/t-d.raw", "import it with 'berth import-raw'")):
        r = host.run(f"berth {line}", check=False)
        assert r.returncode == 1 and said in r.err, r
    r = host.run("python3", "-c", f"import fcntl, os, struct\nf = open('{POOL}/.#t-d.raw.lck', 'w')\nfcntl.fcntl(f, 37, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))\n"
                 "r = os.system('berth export-raw t-d /srv/t/x')\nos.unlink(f.name)\nexit(r >> 8)", check=False)
    assert r.returncode == 1 and "Image 't-d' is in use" in r.err, r
    r = host.run("printf 'QFI\\373\\0\\0\\0\\3' >/srv/t/q; truncate -s 1M /srv/t/q; type qemu-img 2>/dev/null || berth import-raw /srv/t/q t-n", check=False)
    assert "/qemu-img" in r.out or "takes qemu-img, which is not installed" in r.err and "Debian: qemu-utils" in r.err, r
    # who is killed leaves what the next one removes
    p = host.spawn("bash", "-c", "(head -c 9000000 /srv/t/t-d.raw; sleep 600 & echo $! >/srv/t/pid; wait) | berth import-raw - t-slow")
    host.wait_for(f"test -s {POOL}/.#t-slow.???????? -a -s /srv/t/pid", 60)
    host.run("pkill -KILL -x -o berth-transfer; kill $(cat /srv/t/pid)")
    host.wait_for("! pgrep -x berth-transfer", 60)
    host.end(p)
    host.berth("clean")
    host.run("cd /srv/t; rm -f out.* more; tar c t-d.img.gz | tee x.tar | gzip >x.tgz; : >e; truncate -s 300M z; gzip z")
    for line, said in (("import-raw /srv/t/x.tar t-n", "'/srv/t/x.tar' is a tar archive"), ("import-raw /srv/t/x.tgz t-n", "import it with 'berth import-tar'"),
                       ("import-raw - t-n </srv/t/e", "The input is empty"), ("import-raw --max-size=200M /srv/t/z.gz t-n", "larger than 200M, the limit of --max-size="),
                       ("import-raw --max-size=20M /srv/t/t-d.raw t-n", "larger than 20M"), ("import-fs --force /srv/t t-d", "is a disk image, and the new one is a directory")):
        r = host.run(f"berth {line}", check=False)
        assert r.returncode == 1 and said in r.err, r
    r = host.run("head -c 9000 /srv/t/t-d.img.gz | berth import-raw - t-n", check=False)
    assert r.returncode == 1 and "copy or download it again" in r.err, r
    assert host.run(f"ls -d {POOL}/t-*").out == f"{POOL}/t-d.raw" and leftovers(host) == ""


def test_no_room(host, pool):
    """A full file system, one without inodes, and limits: the image of before stays."""
    host.run("mkdir -p /srv/t/big/d /srv/t/old; echo old >/srv/t/old/file; head -c 3000000 /dev/urandom >/srv/t/big/blob; "
             "cd /srv/t/big/d; seq 2000 | xargs touch; tar c -C /srv/t/big . >/srv/t/big.tar; tar c -C /srv/t/old . >/srv/t/old.tar")
    for options, arguments, said in (("size=2m", "", "95% of what is free in '/srv/t/pool'"), ("size=2m", "--max-size=1G", "Writing 'blob' of image 'web"),
                                     ("size=20m,nr_inodes=500", "", "no inode"), ("size=20m", "--max-size=1M", "is larger than 1M, the limit of --max-size=")):
        host.run(f"mkdir -p /srv/t/pool; mount -t tmpfs -o mode=755,{options} none /srv/t/pool; BERTH_POOL=/srv/t/pool berth import-tar -q /srv/t/old.tar web")
        try:
            r = host.run(f"BERTH_POOL=/srv/t/pool berth import-tar {arguments} --force /srv/t/big.tar web", check=False)
            assert r.returncode == 1 and said in r.err, r
            assert host.run("cat /srv/t/pool/web/file; ls -A /srv/t/pool").out.split() == ["old", "web"], options
            r = host.run(f"BERTH_POOL=/srv/t/pool berth import-fs {arguments} /srv/t/big web2", check=False)
            assert r.returncode == 1 and said in r.err and host.run("ls -A /srv/t/pool").out == "web", r
        finally:
            host.run("umount /srv/t/pool")


def test_given_up(host, pool):
    """Ctrl-C, a client that is killed, and a transfer that is killed."""
    host.run("mkfifo /srv/t/slow.tar; mkdir /srv/t/d; head -c 200000 /dev/urandom >/srv/t/d/f; tar c -C /srv/t/d . >/srv/t/whole.tar")
    slow = "(head -c 150000 /srv/t/whole.tar; exec sleep 300) >/srv/t/slow.tar & "
    begun = f"ls -d {POOL}/.#t-slow.????????/f"
    gone = f"! ls -d {POOL}/.#t-slow.* 2>/dev/null && ! pgrep -x berth-transfer"
    with host.terminal(f"{slow} berth import-tar /srv/t/slow.tar t-slow; echo status $?") as t:
        host.wait_for(begun, 60)
        t.send("\x03")
        t.expect("The transfer was given up", 60)
    host.wait_for(gone, 60)
    for victim in ("berth", "berth-transfer"):
        p = host.spawn("bash", "-c", f"{slow} berth import-tar /srv/t/slow.tar t-slow")
        host.wait_for(begun, 60)
        host.run(f"pkill -KILL -x -o {victim}")
        if victim == "berth":
            host.wait_for(gone, 60)
        else:   # nobody was left to clean up: the next one does
            host.wait_for("! pgrep -x berth-transfer", 60)
            host.berth("import-tar", "-q", "/srv/t/whole.tar", "t-next")
            assert leftovers(host) == ""
        host.end(p)
    host.run(f"test ! -e {POOL}/t-slow")


def test_what_has_no_tree(host, pool):
    host.run(f"truncate -s 1M {POOL}/t-disk.raw")
    r = host.berth("export-tar", "t-disk", "/srv/t/x.tar", check=False)
    assert r.returncode == 1 and "Image 't-disk' is a disk image, not a directory" in r.err and "export it with 'berth export-raw'" in r.err, r
    r = host.berth("import-fs", "--force", "/srv/t", "t-disk", check=False)
    assert r.returncode == 1 and "it is a disk image, and the new one is a directory" in r.err, r
    assert host.run("ls -A /srv/t").out == "" and leftovers(host) == ""


def test_root_alone(host, pool):
    r = host.run("setpriv --reuid=4711 --clear-groups berth import-tar /dev/null t-x", check=False)
    assert r.returncode == 1 and "Only root can import and export images" in r.err
