# SPDX-License-Identifier: LGPL-2.1-or-later
"""Archives that no tar would make: headers as bytes, with fields that contradict each other; and what unpacks to much more than it is."""
import gzip
import lzma
import struct
import zlib

END = bytes(1024)


def number(n, size):
    """In octal digits; what does not fit, and what is negative, in base 256; bytes as they are."""
    if isinstance(n, bytes):
        return n.ljust(size, b"\0")[:size]
    if 0 <= n < 8 ** (size - 1):
        return b"%0*o\0" % (size - 1, n)
    return (n & ((1 << 8 * size) - 1) | 1 << 8 * size - 1).to_bytes(size, "big")


def header(name, kind, link, size, mode=0o644, owner=0, mtime=0, device=(0, 0), prefix=b"", gnu=False, checksum=None):
    h = (name.ljust(100, b"\0")[:100] + number(mode, 8) + number(owner, 8) * 2 + number(size, 12) + number(mtime, 12) + b" " * 8 + kind +
         link.ljust(100, b"\0")[:100] + (b"ustar  \0" if gnu else b"ustar\x0000") + b"root".ljust(32, b"\0") * 2 + number(device[0], 8) +
         number(device[1], 8) + prefix.ljust(155, b"\0")).ljust(512, b"\0")
    return h[:148] + b"%06o\0 " % (sum(h) if checksum is None else checksum) + h[156:]


def padded(contents):
    return contents + bytes(-len(contents) % 512)


def entry(name, kind=b"0", link=b"", contents=b"", size=None, **more):
    return header(name, kind, link, len(contents) if size is None else size, **more) + padded(contents)


def file(name, contents=b"evil\n", **more):
    return entry(name, contents=contents, **more)


def directory(name, mode=0o755, **more):
    return entry(name, b"5", mode=mode, **more)


def link(name, target, **more):
    return entry(name, b"2", target, **more)


def hard_link(name, target, **more):
    return entry(name, b"1", target, **more)


def record(key, value):
    body = b" " + key + b"=" + value + b"\n"
    n = len(body)
    while len(b"%d" % n) + len(body) != n:
        n = len(b"%d" % n) + len(body)
    return b"%d" % n + body


def pax(*records, kind=b"x"):
    """What the next entry is, in words of POSIX."""
    return entry(b"PaxHeaders/x", kind, contents=b"".join(record(k, v) for k, v in records))


def attributes(*pairs):
    return pax(*[(b"SCHILY.xattr." + name, value) for name, value in pairs])


def long(text, kind=b"L"):
    """The next entry's name (K: what it links to), as GNU tar has it."""
    return entry(b"././@LongLink", kind, contents=text + b"\0", gnu=True)


def sparse(parts, size, contents, count=None):
    """A file with holes: [(offset, size)]."""
    table = b"%d\n" % (len(parts) if count is None else count) + b"".join(b"%d\n%d\n" % p for p in parts)
    return (pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"), (b"GNU.sparse.realsize", b"%d" % size)) +
            file(b"GNUSparse/s", padded(table) + contents))


CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)    # cap_net_raw+ep


def ordinary():
    """One of everything, that is as it should be."""
    return (directory(b"./", mode=0o755) + directory(b"./etc/") + file(b"./etc/hosts", b"127.0.0.1 localhost\n" * 50, owner=5, mtime=1234567890) + link(b"./lib", b"usr/lib") +
            hard_link(b"./etc/same", b"./etc/hosts") + entry(b"./fifo", b"6") + long(b"./" + b"l" * 120) + file(b"l", gnu=True) +
            attributes((b"user.a", b"b"), (b"security.capability", CAPABILITY)) + file(b"./ping", mode=0o755) +
            pax((b"SCHILY.acl.access", b"user::rwx,user:name:r-x:1234,group::r-x,mask::rwx,other::r-x"), (b"path", "./naïve".encode())) + file(b"x") +
            sparse([(4096, 512), (1 << 20, 512)], (1 << 20) + 512, b"x" * 1024) + END)


# ---- compressed ----

def zstd(blocks, window_log=20):
    """A frame of blocks that are not compressed, or [byte, times]: so many of 128 KiB each."""
    out = struct.pack("<I", 0xFD2FB528) + bytes([0, window_log - 10 << 3])
    for b in blocks:
        if isinstance(b, bytes):
            out += struct.pack("<I", len(b) << 3)[:3] + b
        else:
            out += (struct.pack("<I", 1 << 1 | 1 << 20)[:3] + bytes([b[0]])) * b[1]
    return out + struct.pack("<I", 1)[:3]


def xz(contents, dictionary):
    """With a dictionary of which only the header says that it is large: 40 is 4 GiB."""
    out = bytearray(lzma.compress(contents, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    end = 12 + (out[12] + 1) * 4
    out[out.index(b"\x21\x01", 12) + 2] = dictionary
    out[end - 4:end] = struct.pack("<I", zlib.crc32(bytes(out[12:end - 4])))
    return bytes(out)


def nested(contents, times):
    for _ in range(times):
        contents = gzip.compress(contents, 1)
    return contents
