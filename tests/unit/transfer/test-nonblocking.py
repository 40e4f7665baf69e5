#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transfers by streams that their other users have made non-blocking, as a program with a main loop does: nothing is lost, and non-blocking they stay.

Arguments: berth-transfer. Started as by berthd."""
import fcntl
import hashlib
import io
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import time
from pathlib import Path

TRANSFER = str(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else sys.exit(2)
TIMEOUT_SEC = 60
PIECE = 20000
passed, failures = 0, []


def expect(what, good, seen=""):
    global passed
    if good:
        passed += 1
    else:
        failures.append(what)
        print(f"FAIL {what}: {seen}")


def start(pool, kind, name, stdin, stdout):
    """The process, and our end of the socket that it answers to."""
    request = os.memfd_create("request")
    words = [f"TYPE={kind}", f"NAME={name}", f"SIZE_MAX={2 ** 64 - 1}", "FORMAT=uncompressed", "VERIFY=no"]
    os.write(request, b"".join(w.encode() + b"\0" for w in words))
    os.lseek(request, 0, os.SEEK_SET)
    link, its_link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    null = os.open("/dev/null", os.O_RDWR)
    ended = os.open("/dev/null", os.O_RDONLY)       # nothing holds it up
    fds = [null if stdin is None else stdin, null if stdout is None else stdout, 2, its_link.fileno(), null, request, ended]

    def arrange():
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in fds]
        for to, fd in enumerate(high):
            os.dup2(fd, to)
        os.closerange(len(fds), 100)

    process = subprocess.Popen([TRANSFER], close_fds=False, preexec_fn=arrange, env={**os.environ, "BERTH_POOL": str(pool), "LC_ALL": "C"})
    for fd in (request, null, ended):
        os.close(fd)
    its_link.close()
    return process, link


def pending(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def wait_until(what, condition):
    end = time.monotonic() + TIMEOUT_SEC
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.001)


def finish(what, process, link, stream):
    status = process.wait(TIMEOUT_SEC)
    link.setblocking(False)
    try:
        answer = link.recv(65536)
    except BlockingIOError:
        answer = b""
    link.close()
    expect(what, status == 0, answer)
    expect(f"{what}: non-blocking it stays", fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_NONBLOCK)


def put(pool, kind, name, ends, data):
    """Each piece is written when the one before is gone: who reads on has nothing to read."""
    what = f"{kind} {name}"
    reader, writer = ends
    os.set_blocking(reader, False)
    process, link = start(pool, kind, name, reader, None)
    try:
        for at in range(0, len(data), PIECE):
            wait_until(what, lambda: pending(reader) == 0 or process.poll() is not None)
            if process.poll() is not None:
                break
            os.write(writer, data[at:at + PIECE])
        os.close(writer)
        finish(what, process, link, reader)
    finally:
        if process.poll() is None:
            process.kill()
        os.close(reader)


def get(pool, kind, name, ends):
    """Nothing is read until there is no room left."""
    what = f"{kind} {name}"
    reader, writer = ends
    data = b""
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    process, link = start(pool, kind, name, None, writer)
    try:
        wait_until(what, lambda: not select.select([], [writer], [], 0)[1] or process.poll() is not None)
        end = time.monotonic() + TIMEOUT_SEC
        while process.poll() is None or pending(reader) > 0:
            if time.monotonic() > end:
                raise TimeoutError(what)
            if select.select([reader], [], [], 0.05)[0]:
                data += os.read(reader, PIECE)
        finish(what, process, link, writer)
    finally:
        if process.poll() is None:
            process.kill()
        os.close(reader)
        os.close(writer)
    return data


def sockets():
    return tuple(s.detach() for s in socket.socketpair())


def main():
    if os.geteuid() != 0:
        print("skipped: only root can import images")
        return 77
    contents = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(1 << 15))
    image = bytes(4096) + contents[4096:]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(contents)
        tar.addfile(entry, io.BytesIO(contents))
    pool = Path(tempfile.mkdtemp(prefix="test-nonblocking.", dir="/var/tmp"))
    try:
        for name, make in (("pipe", os.pipe), ("socket", sockets)):
            put(pool, "import-tar", name, make(), archive.getvalue())
            expect(f"import-tar {name}: contents", (pool / name / "file").is_file() and (pool / name / "file").read_bytes() == contents)
            put(pool, "import-raw", f"{name}-disk", make(), image)
            disk = pool / f"{name}-disk.raw"
            expect(f"import-raw {name}: contents", disk.is_file() and disk.read_bytes() == image)
            data = get(pool, "export-tar", name, make())
            try:
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    expect(f"export-tar {name}: contents", tar.extractfile("./file").read() == contents)
            except (tarfile.TarError, KeyError) as e:
                expect(f"export-tar {name}: contents", False, e)
            data = get(pool, "export-raw", f"{name}-disk", make())
            expect(f"export-raw {name}: contents", data == image, len(data))
    finally:
        shutil.rmtree(pool)
    print(f"{passed} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


sys.exit(main())
