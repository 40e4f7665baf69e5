# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bare D-Bus client that says what a library would not. Runs inside hosts, on python3-minimal, before a script that uses it.

    bus = Bus()                                     the system bus, as who we are; Bus(65534), for root, as another user
    bus.call("ListContainers")                      a method of berthd's Manager: the values of the reply, or BusError
    bus.call("GetMachine", "s", "web", to=MACHINE1)
    bus.send(message(...)); bus.receive()           by hand
"""
import os
import random
import select
import socket
import struct
import time

CONTAINERS1 = ("org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager")
MACHINE1 = ("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager")
DAEMON = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
SOCKET = "/run/dbus/system_bus_socket"
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY = 1
FIXED = {"y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "b": "I", "h": "I"}
ALIGNMENT = {"y": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "g": 1, "(": 8, "{": 8, "v": 1}


class BusError(Exception):
    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Gone(Exception):
    """The bus has closed the connection."""


def one_type(signature, at=0):
    """Where the complete type ends that begins there."""
    c = signature[at]
    if c == "a":
        return one_type(signature, at + 1)
    if c not in "({":
        return at + 1
    at += 1
    while signature[at] not in ")}":
        at = one_type(signature, at)
    return at + 1


def types(signature):
    at = 0
    while at < len(signature):
        end = one_type(signature, at)
        yield signature[at:end]
        at = end


def pad(out, alignment):
    out.extend(b"\0" * (-len(out) % alignment))


def write(out, kind, value):
    """value: as for busctl in Python's types; a variant is (signature, value), bytes are written as they are."""
    c = kind[0]
    pad(out, ALIGNMENT.get(c, 4))
    if c in FIXED:
        out.extend(struct.pack("<" + FIXED[c], value))
    elif c in "so":
        text = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
        out.extend(struct.pack("<I", len(text)) + text + b"\0")
    elif c == "g":
        out.extend(bytes([len(value)]) + value.encode() + b"\0")
    elif c == "v":
        write(out, "g", value[0])
        write(out, value[0], value[1])
    elif c == "a":
        at = len(out)
        out.extend(b"\0\0\0\0")
        pad(out, ALIGNMENT.get(kind[1], 4))
        begin = len(out)
        if isinstance(value, bytes):
            out.extend(value)
            value = ()
        for item in value.items() if isinstance(value, dict) else value:
            write(out, kind[1:], item)
        out[at:at + 4] = struct.pack("<I", len(out) - begin)
    else:
        for k, v in zip(types(kind[1:-1]), value):
            write(out, k, v)


def read(data, at, kind):
    """Returns value and position behind it."""
    c = kind[0]
    at += -at % ALIGNMENT.get(c, 4)
    if c in FIXED:
        size = struct.calcsize(FIXED[c])
        return struct.unpack_from("<" + FIXED[c], data, at)[0], at + size
    if c in "sog":
        n, at = (data[at], at + 1) if c == "g" else (struct.unpack_from("<I", data, at)[0], at + 4)
        return data[at:at + n].decode("utf-8", "surrogateescape"), at + n + 1
    if c == "v":
        signature, at = read(data, at, "g")
        return read(data, at, signature)
    if c == "a":
        n = struct.unpack_from("<I", data, at)[0]
        at += 4
        at += -at % ALIGNMENT.get(kind[1], 4)
        end, items = at + n, []
        while at < end:
            item, at = read(data, at, kind[1:])
            items.append(item)
        return (dict(items) if kind[1] == "{" else items), at
    items = []
    for k in types(kind[1:-1]):
        item, at = read(data, at, k)
        items.append(item)
    return tuple(items), at


def message(kind, serial, fields, signature="", *values, flags=0, body=None):
    """fields: list of (code, signature, value)."""
    if body is None:
        body = bytearray()
        for k, v in zip(types(signature), values):
            write(body, k, v)
    if signature:
        fields = [*fields, (8, "g", signature)]
    out = bytearray(struct.pack("<cBBBII", b"l", kind, flags, 1, len(body), serial))
    write(out, "a(yv)", [(code, (s, v)) for code, s, v in fields])
    pad(out, 8)
    return bytes(out + body)


class Bus:
    def __init__(self, uid=None, path=SOCKET):
        uid = os.geteuid() if uid is None else uid
        self.serial = 0
        self.data = b""
        self.early = []     # what came while call() waited for something else
        if uid != os.geteuid():
            os.setresuid(uid, uid, 0)       # the kernel tells the bus who connects
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        said = b""
        while said.count(b"\r\n") < 2:
            more = self.socket.recv(1024)
            if not more:
                raise Gone("the bus does not want us")
            said += more
        if os.geteuid() != 0 and os.getresuid()[2] == 0:
            os.setresuid(0, 0, 0)
        self.name = self.call("Hello", to=DAEMON)[0]

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def make(self, member, signature="", *values, to=CONTAINERS1, flags=0, body=None, fds=0):
        """A call; its serial is self.serial then."""
        self.serial += 1
        fields = [(1, "o", to[1]), (2, "s", to[2]), (3, "s", member), (6, "s", to[0])]
        if fds:
            fields.append((9, "u", fds))
        return message(CALL, self.serial, fields, signature, *values, flags=flags, body=body)

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.socket, [data], list(fds))
        else:
            self.socket.sendall(data)

    def _take(self):
        if len(self.data) < 16:
            return None
        kind, _, _, size, serial, n = struct.unpack_from("<BBBIII", self.data, 1)
        total = 16 + n + (-n % 8) + size
        if len(self.data) < total:
            return None
        fields = dict(read(self.data, 12, "a(yv)")[0])
        body, at, values = self.data[total - size:total], 0, []
        self.data = self.data[total:]
        for k in types(fields.get(8, "")):
            value, at = read(body, at, k)
            values.append(value)
        return kind, serial, fields, values

    def receive(self, timeout=10):
        """kind, serial, fields, values of the next message; None after the time."""
        deadline = time.monotonic() + timeout
        while True:
            m = self._take()
            if m:
                return m
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            more = self.socket.recv(1 << 20)
            if not more:
                raise Gone("the bus has closed the connection")
            self.data += more

    def answer(self, serial, timeout=10):
        """The values of the answer to the call of this serial."""
        deadline = time.monotonic() + timeout
        while True:
            m = self.receive(max(deadline - time.monotonic(), 0))
            if not m:
                raise TimeoutError(f"no answer within {timeout} s")
            if m[2].get(5) != serial or m[0] not in (RETURN, ERROR):
                self.early.append(m)
            elif m[0] == ERROR:
                raise BusError(m[2][4], m[3][0] if m[3] else "")
            else:
                return m[3]

    def call(self, member, signature="", *values, to=CONTAINERS1, timeout=10, fds=(), flags=0):
        self.send(self.make(member, signature, *values, to=to, flags=flags, fds=len(fds)), fds)
        return self.answer(self.serial, timeout)


def container(name):
    """to= for methods of a container's object."""
    escaped = "".join(c if c.isalnum() and not (i == 0 and c.isdigit()) else f"_{ord(c):02x}" for i, c in enumerate(name))
    return CONTAINERS1[0], f"{CONTAINERS1[1]}/container/{escaped or '_'}", "org.berth.Containers1.Container"


def get(bus, interface, name, to=CONTAINERS1):
    return bus.call("Get", "ss", interface, name, to=(to[0], to[1], "org.freedesktop.DBus.Properties"), timeout=60)[0]


#: names that no container may have, and no program should trip over
HOSTILE_NAMES = ["", ".", "..", "a/b", "../etc", "/", "a\nb", "x" * 65, "x" * 300, "-x", "--help", "%i", "%n", "host.", ".host", "-", "a b",
                 "a\x1b[31mb", "a\tb", "\u0430dmin", "caf\u00e9", "$(id)", "`id`", "a;b", "a\\x2db", "*", "~", "@", "a@b", "\u202eabc", "a\u0000b"]


def percentile(values, p):
    values = sorted(values)
    return values[min(int(len(values) * p / 100), len(values) - 1)]


def random_value(rng, kind, depth=0):
    """Some value of this type."""
    c = kind[0]
    if c == "b":
        return rng.randrange(2)
    if c == "h":
        return rng.choice([0, 0, 1, 77])
    if c == "d":
        return rng.choice([0.0, -1.5, 1e308, float("nan")])
    if c in FIXED:
        bits = 8 * struct.calcsize(FIXED[c])
        signed = FIXED[c].islower()
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return rng.choice([0, 1, 9, low, high, rng.randint(low, high)])
    if c == "o":
        return rng.choice(["/", "/org/berth/Containers1", "/a_2e"])
    if c == "g":
        return rng.choice(["", "s", "a{sv}", "(ii)"])
    if c == "s":
        return rng.choice(["victim", "/etc/passwd", "/proc/self/root", "root", "4294967295", "Directory", "Environment", "true", "x" * 5000,
                           *[n.replace("\0", "") for n in HOSTILE_NAMES], "".join(chr(rng.randint(1, 0x2ff)) for _ in range(rng.randint(0, 40)))])
    if c == "v":
        signature = rng.choice(["s", "b", "as", "t", "i", "ay", "a{sv}", "(ss)", "v", "g"])
        if depth > 5:
            signature = "s"
        return signature, random_value(rng, signature, depth + 1)
    if c == "a":
        n = rng.choice([0, 1, 2, 3, 50]) if depth < 2 else rng.randint(0, 2)
        if kind[1] == "{":
            inner = list(types(kind[2:-1]))
            return [(random_value(rng, inner[0], depth + 1), random_value(rng, inner[1], depth + 1)) for _ in range(n)]
        return [random_value(rng, kind[1:], depth + 1) for _ in range(n)]
    return tuple(random_value(rng, k, depth + 1) for k in types(kind[1:-1]))
