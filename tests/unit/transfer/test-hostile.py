#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""import-tar of hostile archives, as a whole: nothing outside the image changes, nothing stays of what is refused, and what is taken is what it should be.

Arguments: berth, berth-transfer, whether they are sanitized ("true"). Runs in a mount namespace of its own."""
import os
import random
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from archives import *      # noqa: F403

BERTH, TRANSFER, SANITIZED = (str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve()), sys.argv[3] == "true") if len(sys.argv) > 3 else sys.exit(2)
POOL, VICTIM = Path("/mnt/pool"), Path("/mnt/victim")
ENVIRONMENT = {**os.environ, "BERTH_POOL": str(POOL), "BERTH_TRANSFER": TRANSFER, "LC_ALL": "C"}
VICTIM_TEXT = os.fsencode(VICTIM)
OUT = b"../" * 9 + VICTIM_TEXT[1:]
ESCAPES = b"\x1b]0;owned\x07\x1b[2J"
passed, failures = 0, []

# what it is, the archive (its end is added), and words of the refusal
REFUSED = [
    ("a name that leads out", file(b"../evil"), "'../evil' in the archive leads out"),
    ("a name that leads out later", file(b"a/b/../../../evil"), "leads out"),
    ("a name in two fields that leads out", file(b"evil", prefix=b".."), "leads out"),
    ("a name in an extended header that leads out", pax((b"path", b"../evil")) + file(b"x"), "leads out"),
    ("a name with escapes that leads out", file(ESCAPES + b"/../../x"), "'\\x1b]0;owned\\x07\\x1b[2J/../../x' in the archive leads out"),
    ("through a link, absolute", link(b"l", VICTIM_TEXT) + file(b"l/evil"), "Writing 'l' of image 't' failed: Not a directory"),
    ("through a link, relative", link(b"l", OUT) + file(b"l/evil"), "leads through a link"),
    ("through a link to a link", link(b"a", b"b") + link(b"b", VICTIM_TEXT) + file(b"a/evil"), "leads through a link"),
    ("through a link that is said to be a directory", link(b"l", VICTIM_TEXT) + directory(b"l/", mode=0o777) + file(b"l/evil"), "leads through a link"),
    ("through a link to itself", link(b"l", b"l") + file(b"l/evil"), "leads through a link"),
    ("a directory becomes a link", directory(b"d/") + link(b"d", VICTIM_TEXT) + file(b"d/evil"), "Writing 'd' of image 't' failed: Is a directory"),
    ("a directory in use becomes a link", file(b"d/f") + link(b"d", VICTIM_TEXT) + file(b"d/evil"), "Is a directory"),
    ("a file becomes a directory", file(b"d") + file(b"d/f"), "Not a directory"),
    ("a hard link out, absolute", hard_link(b"h", VICTIM_TEXT + b"/secret"), "Writing 'h' of image 't' failed: No such file"),
    ("a hard link out, relative", hard_link(b"h", OUT + b"/secret"), "leads out"),
    ("a hard link out, in an extended header", pax((b"linkpath", OUT + b"/secret")) + hard_link(b"h", b"f"), "leads out"),
    ("a hard link through a link", link(b"l", VICTIM_TEXT) + hard_link(b"h", b"l/secret"), "leads through a link"),
    ("a hard link to a directory", directory(b"d/") + hard_link(b"h", b"d"), "Operation not permitted"),
    ("a hard link to itself", file(b"f") + hard_link(b"f", b"f"), "No such file"),
    ("a hard link that has contents", file(b"f") + entry(b"h", b"1", b"f", b"evil\n"), "Damaged tar archive"),
    ("the top is a link", link(b".", VICTIM_TEXT) + file(b"evil"), "'.' in the archive leads out"),
    ("the top is a file", file(b"."), "leads out"),
    ("no name", file(b"") + file(b"x"), "'' in the archive leads out"),
    ("directories in directories, 2000", long(b"d/" * 2000 + b"f") + file(b"x", gnu=True), "256 directories"),
    ("directories in directories, one by one", b"".join(long(b"d/" * n) + directory(b"x", gnu=True) for n in range(1, 300, 9)), "256 directories"),
    ("a path of 5000 bytes", long(b"/".join([b"d" * 200] * 25)) + file(b"x", gnu=True), "File name too long"),
    ("a name of 256 bytes", long(b"d" * 256) + file(b"x", gnu=True), "File name too long"),
    ("a name of 1M", long(b"d" * (1 << 20)) + file(b"x", gnu=True), "Special header too large"),
    ("a link's target of 5000 bytes", long(b"d" * 5000, b"K") + link(b"x", b"y", gnu=True), "Writing 'x' of image 't' failed"),
    ("an extended header of 16M", entry(b"x", b"x", contents=record(b"comment", b"c" * (16 << 20))) + file(b"x"), "Special header too large"),
    ("a megabyte of attributes", attributes(*[(b"user.%d" % i, b"v" * 60000) for i in range(20)]) + file(b"f"), "Special header too large"),
    ("three thousand entries in an access list", pax((b"SCHILY.acl.access", b",".join(b"user:n:rwx:%d" % i for i in range(1, 3000)))) + file(b"f"), "Argument list too long"),
    ("a negative size", file(b"x", size=-512) + file(b"y"), "negative size"),
    ("a size without end", file(b"x", size=1 << 62) + file(b"y"), "Truncated tar archive"),
    ("a size that covers other entries, and leaves half of one", pax((b"size", b"2000")) + file(b"x") + file(b"hidden") + file(b"y"), "Damaged tar archive"),
    ("a size that is none", file(b"x", size=b"00000zz\0") + file(b"y"), "is no tar archive"),
    ("a wrong checksum", file(b"x") + file(b"y", checksum=1) + file(b"z"), "Reading '/mnt/t.tar' failed: Damaged tar archive"),
    ("a map of holes with a negative offset", sparse([(-4096, 4096)], 8192, b"x" * 4096), "Reading '/mnt/t.tar' failed: it is damaged"),
    ("a map of holes that is larger than can be", sparse([(0, 10)], 4096, b"x" * 10, count=10 ** 19), "failed: it is damaged"),
    ("nothing but zeros", b"", "There is nothing in the archive"),
    *[(f"owner {n}", file(b"x", owner=n), "has an owner that cannot be") for n in (0xffffffff, 1 << 32, -1, -2, (1 << 32) + 1000)],
    *[(f"owner {n} in an extended header", pax((b"uid", b"%d" % n)) + file(b"x"), "has an owner that cannot be") for n in (0xffffffff, -2, 1 << 40)],
]

F = "f 644 0 5 1"
# what it is, the archive, and what it becomes: type, mode, owner, size, number of names, and a link's target
TAKEN = [
    ("an absolute name is below the top", file(b"/" + VICTIM_TEXT + b"/evil"), {"mnt/victim/evil": F}),
    ("a link is replaced, not followed", link(b"l", VICTIM_TEXT + b"/secret") + file(b"l"), {"l": F}),
    ("so is one in a directory", link(b"d/l", VICTIM_TEXT + b"/secret") + file(b"d/l"), {"d/l": F}),
    ("and a hard link to a link", link(b"l", VICTIM_TEXT + b"/secret") + hard_link(b"h", b"l") + file(b"h"), {"l": "l 777 0 18 1 /mnt/victim/secret", "h": F}),
    ("a link to a device that is there later", link(b"l", b"/dev/sda") + file(b"x"), {"l": "l 777 0 8 1 /dev/sda", "x": F}),
    ("device nodes are left out", entry(b"sda", b"4", device=(8, 0), mode=0o666) + entry(b"mem", b"3", device=(1, 1)) + entry(b"fifo", b"6") + file(b"x"), {"fifo": "p 644 0 0 1", "x": F}),
    ("set-user-ID stays, in a pool that is root's alone", file(b"su", mode=0o6755) + directory(b"t/", mode=0o1777), {"su": "f 6755 0 5 1", "t": "d 1777 0"}),
    ("the top's mode and owner", directory(b"./", mode=0o700, owner=7) + file(b"x"), {".": "d 700 7", "x": F}),
    ("owners of no range", file(b"x", owner=65536) + file(b"y", owner=0xfffffffe), {"x": "f 644 65536 5 1", "y": "f 644 4294967294 5 1"}),
    ("directories that nobody may enter", directory(b"d/", mode=0) + file(b"d/f", mode=0) + directory(b"d/e/", mode=0o111), {"d": "d 0 0", "d/e": "d 111 0", "d/f": "f 0 0 5 1"}),
    ("directories in directories, 255", long(b"d/" * 255 + b"f") + file(b"x", gnu=True), {"d/" * 255 + "f": F}),
    ("odd ways to write a path", directory(b"./a/./b//c/") + file(b".//a/b/./c/f"), {"a/b/c/f": F}),
    ("names with control characters and without encoding", file(b"a\nb") + file(ESCAPES) + file(b"\xff\xfe"), {"a\nb": F, os.fsdecode(ESCAPES): F, os.fsdecode(b"\xff\xfe"): F}),
    ("a name that ends early", pax((b"path", b"a\0/../../b")) + file(b"x"), {"a": F}),
    ("fields without end", file(b"n" * 100) + link(b"l", b"t" * 100) + file(b"m" * 100, prefix=b"p" * 155), {"n" * 100: F, "l": "l 777 0 100 1 " + "t" * 100, "p" * 155 + "/" + "m" * 100: F}),
    ("two names: the last one counts", pax((b"path", b"first"), (b"path", b"second")) + file(b"third"), {"second": F}),
    ("two kinds of names: the last one counts", pax((b"path", b"pax")) + long(b"gnu") + file(b"x", gnu=True) + long(b"gnu2") + pax((b"path", b"pax2")) + file(b"x"), None),
    ("a size in an extended header counts", pax((b"size", b"3")) + file(b"x", b"abcde") + file(b"y"), {"x": "f 644 0 3 1", "y": F}),
    ("a name for all that follows is no name", pax((b"path", b"../evil"), kind=b"g") + file(b"x"), {"x": F}),
    ("what is behind the end is not read", file(b"x") + END + file(b"hidden"), {"x": F}),
    ("files that hide others in container images are but files", file(b".wh.x") + file(b"d/.wh..wh..opq"), {".wh.x": F, "d/.wh..wh..opq": F}),
    ("times that cannot be", pax((b"mtime", b"9" * 20)) + file(b"x") + pax((b"mtime", b"-9223372036854775808")) + file(b"y"), {"x": F, "y": F}),
    ("a file of 8T with one block", sparse([(8 << 40, 4096)], (8 << 40) + 4096, b"x" * 4096), {"s": f"f 644 0 {(8 << 40) + 4096} 1"}),
    ("parts of a file that overlap, and are in no order", sparse([(4096, 4096), (0, 4096), (2048, 4096)], 8192, b"x" * 12288), {"s": "f 644 0 8192 1"}),
    ("one name 300 times", file(b"x", b"x" * 100) * 300 + file(b"x"), {"x": F}),
    ("an access list that is none", pax((b"SCHILY.acl.access", b"user::rwx,user:\xff:rwx,,,,:::,mask::999")) + file(b"x"), {"x": "f 744 0 5 1"}),
    ("kinds of entries that nobody knows", entry(b"q", b"Q") + entry(b"../label", b"V") + entry(b"d/", b"D", contents=b"Yx\0\0") + file(b"d/x"), {"q": "f 644 0 0 1", "d": "d 644 0", "d/x": F}),
]


def check(what, right, *found):
    global passed
    if right:
        passed += 1
    else:
        failures.append(what)
        print(f"FAIL {what}: {found}")


def state(path):
    """All that a write, a link, or another owner changes."""
    st = path.lstat()
    return st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_nlink, st.st_mtime_ns, st.st_ctime_ns


def import_tar(archive, *options, end=".tar", name="t"):
    """(status, words)"""
    path = Path(f"/mnt/t{end}")
    path.write_bytes(archive)
    p = subprocess.run([BERTH, "import-tar", *options, path, name], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       timeout=60)
    return p.returncode, p.stderr.decode(errors="surrogateescape")


def clear():
    shutil.rmtree(POOL / "t", ignore_errors=True)


def clean_refusal(what, result, said=""):
    status, words = result
    lines = words.splitlines()
    check(f"{what}: refused", status == 1 and said in words, result)
    check(f"{what}: said", len(lines) in (1, 2) and lines[0].startswith("berth: ") and all(line.startswith("Hint: ") for line in lines[1:]) and
          all(line.isprintable() for line in lines) and "without an answer" not in words, words)
    check(f"{what}: gone", not any(POOL.iterdir()), list(POOL.iterdir()))
    clear()


def look(path):
    st = path.lstat()
    kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p"}.get(stat.S_IFMT(st.st_mode), "?")
    text = f"{kind} {stat.S_IMODE(st.st_mode):o} {st.st_uid}"
    return text if kind == "d" else f"{text} {st.st_size} {st.st_nlink}" + (f" {os.readlink(path)}" if kind == "l" else "")


def test_refused(outside):
    for what, archive, said in REFUSED:
        result = import_tar(archive + END)
        clean_refusal(what, result, said)
        check(f"{what}: outside", [state(p) for p in (VICTIM, VICTIM / "secret")] == outside)


def test_taken(outside):
    for what, archive, expected in TAKEN:
        status, words = import_tar(archive + END)
        check(f"{what}: taken", status == 0 and words.count("\n") <= 1, status, words)
        found = {str(p.relative_to(POOL / "t")): look(p) for p in [POOL / "t", *(POOL / "t").rglob("*")] if not p.is_dir() or str(p.relative_to(POOL / "t")) in (expected or {})} if status == 0 else {}
        if expected is None:    # which of the two is the reader's to say, but one it is
            check(f"{what}: there", len(found) == 2 and set(found) in ({"gnu", "pax2"}, {"pax", "gnu2"}, {"pax", "pax2"}, {"gnu", "gnu2"}), found)
        else:
            check(f"{what}: there", found == expected, found, expected)
        check(f"{what}: outside", [state(p) for p in (VICTIM, VICTIM / "secret")] == outside)
        clear()
    check("devices are told of", "2 devices and sockets were left out of 't'" in import_tar(TAKEN[5][1] + END)[1])
    clear()


def test_attributes():
    """None that means something to an overlay, to a security module, or to root alone."""
    evil = [(b"trusted.overlay.opaque", b"y"), (b"trusted.overlay.redirect", b"/etc"), (b"trusted.overlay.metacopy", b""), (b"user.overlay.opaque", b"y"), (b"security.selinux", b"x"),
            (b"security.ima", b"x"), (b"security.evm", b"x"), (b"system.posix_acl_access", b"garbage"), (b"", b"x"), (b"user.", b"x"), (b"user." + b"n" * 300, b"x"), (b"none", b"x")]
    result = import_tar(attributes(*evil, (b"security.capability", CAPABILITY)) + file(b"f") + attributes(*evil, (b"security.capability", b"\1")) + directory(b"d/") + END)
    check("attributes: taken", result[0] == 0, result)
    check("attributes: of the file", os.listxattr(POOL / "t/f") == ["security.capability"] and os.getxattr(POOL / "t/f", "security.capability") == CAPABILITY, os.listxattr(POOL / "t/f"))
    check("attributes: of the directory", os.listxattr(POOL / "t/d") == [], os.listxattr(POOL / "t/d"))
    clear()


def test_bombs():
    """What is small, and has no end: in space, in memory, in layers."""
    small = file(b"x") + END
    head = entry(b"zeros", size=1 << 40)[:512]
    bomb = zstd([head, (0, 4000)])      # 500M, of 16K
    clean_refusal("500M in 16K", import_tar(bomb, end=".tar.zst"), "95% of what is free in '/mnt/pool'")
    clean_refusal("500M in 16K, twice", import_tar(nested(bomb, 2), end=".tar.gz"), "95% of what is free")
    clean_refusal("more than was allowed", import_tar(bomb, "--max-size=10M", end=".tar.zst"), "larger than 10M, the limit of --max-size=")
    clean_refusal("forty layers", import_tar(nested(small, 40), end=".tar.gz"), "is no tar archive")
    clean_refusal("a window of 2G", import_tar(zstd([small], 31), end=".tar.zst"), "too much memory")
    if not SANITIZED:
        for dictionary in (34, 40):
            clean_refusal("a dictionary of gigabytes", import_tar(xz(small, dictionary), end=".tar.xz"), "Cannot allocate memory\nHint: unpacking it takes more memory")
    # more files than there are inodes: 3000
    clean_refusal("4000 files", import_tar(b"".join(file(b"d%d/%d" % (i % 7, i), b"") for i in range(4000)) + END), "no inode")


def test_damaged():
    """Cut anywhere, and with bits that have changed: an image, or one sentence; never something between."""
    whole = ordinary()
    packed = nested(whole, 1)
    cuts = [(f"cut at {n}", whole[:n], ".tar") for n in [*range(0, len(whole) - 1024, 512), 100, 700, len(whole) - 1025]]
    cuts += [(f"{len(packed)} packed bytes, cut at {n}", packed[:n], ".tar.gz") for n in range(1, len(packed) - 1, len(packed) // 9)]
    for what, archive, end in cuts:
        clean_refusal(what, import_tar(archive, end=end))
    rng = random.Random(7)
    n_taken = 0
    for i in range(60 if not SANITIZED else 20):
        archive, end = (bytearray(whole), ".tar") if i % 3 else (bytearray(packed), ".tar.gz")
        for _ in range(rng.choice((1, 1, 8))):
            archive[rng.randrange(len(archive))] ^= 1 << rng.randrange(8)
        result = import_tar(archive, end=end)
        if result[0] != 0:
            clean_refusal(f"flipped {i}", result)
        elif (n_taken := n_taken + 1):
            check(f"flipped {i}: one image", [p.name for p in POOL.iterdir()] == ["t"], list(POOL.iterdir()))
            clear()
    check("flipped: some are taken, some are not", 0 < n_taken < i + 1, n_taken)
    check("the whole is taken", import_tar(whole)[0] == 0)
    clear()


def test_at_once():
    """Several imports of one name: one wins, the others say why, and the image is one of theirs as a whole."""
    for n in range(4):
        Path(f"/mnt/{n}.tar").write_bytes(b"".join(file(b"f%d" % i, b"%d\n" % n) for i in range(30)) + END)
    for force in ([], ["--force"]):
        for _ in range(2):
            started = [subprocess.Popen([BERTH, "import-tar", "-q", *force, f"/mnt/{n}.tar", "t"], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for n in range(4)]
            said = [p.communicate()[1] for p in started]
            won = [n for n, p in enumerate(started) if p.returncode == 0]
            check("at once: winners", len(won) == 1 if not force else len(won) >= 1, won, said)
            check("at once: losers", all(s.startswith("berth: ") and ("already" in s or "Another program is" in s or "in use" in s) for n, s in enumerate(said) if n not in won), said)
            found = {p.read_text() for p in (POOL / "t").iterdir()}
            check("at once: one of them", len(found) == 1 and int(found.pop()) in won and len(list((POOL / "t").iterdir())) == 30, found)
            check("at once: nothing else", [p.name for p in POOL.iterdir() if not p.name.endswith(".lck")] == ["t"], list(POOL.iterdir()))
            clear()


def main():
    if os.geteuid() != 0:
        print("skipped: only root can import images")
        return 77
    if os.environ.get("BERTH_TEST_NAMESPACE") != "1":
        os.execvpe("unshare", ["unshare", "-m", "--propagation=private", sys.executable, *sys.argv], {**os.environ, "BERTH_TEST_NAMESPACE": "1"})
    for where, options in (("/mnt", "size=100m"), ("/run", "size=10m"), (POOL, "size=64m,nr_inodes=3000")):
        Path(where).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "none", where], check=True)
    VICTIM.mkdir()
    (VICTIM / "secret").write_text("secret\n")
    os.umask(0o022)
    outside = [state(p) for p in (VICTIM, VICTIM / "secret")]
    for test in (lambda: test_refused(outside), lambda: test_taken(outside), test_attributes, test_bombs, test_damaged, test_at_once):
        test()
    check("outside", [state(p) for p in (VICTIM, VICTIM / "secret")] == outside and sorted(p.name for p in VICTIM.iterdir()) == ["secret"])
    print(f"{passed} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


sys.exit(main())
