# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs inside a host, after dbus_client.py: one who wants to harm others, and one who wants an answer meanwhile.
#
#   argv: SECONDS HOW UID        one function flood_HOW of user UID
#
# Prints "p50 MS", "p99 MS", "max MS" of the other's calls, "bus50 MS", "bus99 MS" of calls to the bus itself, "calls N", and "flood N": how much
# harm was tried.
import signal
import sys

SECONDS, HOW, UID = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
METHODS = (("ListContainers", "", ()), ("GetContainer", "s", ("load0",)), ("DescribeContainer", "s", ("load0",)), ("GetContainerByPID", "u", (1,)),
           ("StopContainer", "st", ("load0", 0)), ("KillContainer", "ssi", ("load0", "all", 9)))


def drain(bus):
    while bus.receive(0):
        pass


def many(members, batch, flags, reads=True, to=CONTAINERS1):
    """Calls in one write; with flags NO_REPLY nothing limits them but the bus."""
    bus, n = Bus(), 0
    while True:
        data = b"".join(bus.make(*m[:2], *m[2], to=to, flags=flags) for m in members * batch)
        bus.send(data)
        n += batch * len(members)
        if reads:
            drain(bus)
        yield n


def flood_unanswered():
    yield from many(METHODS, 200, NO_REPLY)


def flood_pipelined():
    yield from many(METHODS, 20, 0)


def flood_never_reads():
    bus, n = Bus(), 0
    while True:
        try:
            bus.socket.setblocking(False)
            bus.send(bus.make("ListContainers"))
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            bus = Bus()
        n += 1
        yield n


def flood_machine1():
    """What machine1 lets everybody do."""
    yield from many((("ListMachines", "", ()), ("GetMachine", "s", ("load0",)), ("GetMachineUIDShift", "s", ("load0",)),
                     ("GetMachineOSRelease", "s", ("load0",)), ("GetMachineAddresses", "s", ("load0",))), 40, NO_REPLY, to=MACHINE1)


def flood_workers():
    """As many processes as one may have berthd start."""
    yield from many((("GetMachineAddresses", "s", ("load0",)), ("GetMachineOSRelease", "s", ("load1",))), 30, 0, to=MACHINE1)


def flood_connections():
    """Connections that call, and leave in the middle."""
    n = 0
    while True:
        buses = [Bus() for _ in range(20)]
        for bus in buses:
            bus.send(b"".join(bus.make("GetContainerOSRelease", "s", "load0") for _ in range(5)))
        for bus in buses:
            bus.close()
        n += len(buses)
        yield n


def flood_garbage():
    """What is no message; what is one, with a body that is none; and hostile names, to every method that takes one."""
    rng, n = random.Random(1), 0
    while True:
        bus = Bus()
        try:
            for name in HOSTILE_NAMES:
                if "\0" in name:
                    continue
                for member, signature, _ in METHODS[1:3]:
                    bus.send(bus.make(member, signature, name, flags=NO_REPLY))
            bus.send(bus.make("StopContainer", "st", body=rng.randbytes(40)))
            bus.send(rng.randbytes(4000))
            drain(bus)
        except (OSError, Gone):
            pass
        bus.close()
        n += 1
        yield n


def flood_large():
    """As large as the bus lets through, and as deep."""
    bus, n = Bus(), 0
    deep = ("s", "x")
    for _ in range(60):
        deep = ("v", deep)
    settings = [(f"Key{i}", ("as", ["x" * 100] * 10)) for i in range(10000)]
    calls = [("CreateContainer", "sa{sv}a(sh)", "big", settings, []), ("CreateContainer", "sa{sv}a(sh)", "big", [("Bind", deep)] * 2000, []),
             ("ListContainers", "ay", b"\0" * (30 << 20)), ("ExecContainer", "sasa{sv}ah", "load0", ["x" * 1000] * 20000, [], [])]
    data = [bus.make(*c, flags=NO_REPLY) for c in calls]
    while True:
        try:
            for d in data:
                bus.send(d)
            drain(bus)
        except (OSError, Gone):
            bus = Bus()
        n += len(calls)
        yield n


def flood_rules():
    """Signals to everyone, and rules that match everything."""
    bus, n = Bus(), 0
    while True:
        for i in range(20):
            bus.send(bus.make("AddMatch", "s", f"type='signal',arg0='{n + i}'", to=DAEMON, flags=NO_REPLY))
        bus.send(message(SIGNAL, 99999, [(1, "o", "/x"), (2, "s", "org.freedesktop.DBus"), (3, "s", "NameOwnerChanged")], "sss", ":1.1", ":1.1", ""))
        drain(bus)
        n += 20
        yield n


def flood_status():
    """A payload that has very much to say; the other's container is not this one."""
    script = """$| = 1; use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); my $a = sockaddr_un($ENV{NOTIFY_SOCKET});
        my $e = time + shift; my $i = 0; while (time < $e) { $i++; send($s, "STATUS=$i", 0, $a); send($s, "FDSTORE=1\\nMAINPID=1\\nWATCHDOG_USEC=1", 0, $a);
        if (!($i % 50)) { if (!fork) { send($s, "READY=1\\nSTATUS=x", 0, $a); exit 0 } wait } } print "$i\\n" """
    suite = "bookworm" if os.path.exists("/lab/bookworm") else "forky"
    import subprocess
    out = subprocess.run(["berth", "run", "-q", "-P", "-M", "chatty", "--read-only", "-D", "/lab/" + suite, "--", "perl", "-e", script, str(int(SECONDS + 0.5))],
                         capture_output=True, text=True, check=False)
    if out.returncode:
        raise Gone(out.stderr)
    yield int(out.stdout)


def harm(pipe):
    if HOW != "status":
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    deadline, n = time.monotonic() + SECONDS, 0
    try:
        for n in globals()["flood_" + HOW]():
            if time.monotonic() > deadline:
                break
    except (OSError, Gone, BusError, TimeoutError) as e:
        os.write(pipe, f"stopped by {e!r}\n".encode())
    os.write(pipe, f"flood {n}\n".encode())
    os._exit(0)


bus = Bus()
bus.call("ListContainers")
pipe = os.pipe()
child = os.fork() if HOW != "nothing" else 0
if HOW != "nothing" and child == 0:
    harm(pipe[1])
os.close(pipe[1])
times, bus_times, deadline = [], [], time.monotonic() + SECONDS
while time.monotonic() < deadline:
    began = time.monotonic()
    bus.call("GetId", to=DAEMON, timeout=60)
    then = time.monotonic()
    bus.call("DescribeContainer", "s", "load0", timeout=60)
    bus_times.append((then - began) * 1000)
    times.append((time.monotonic() - then) * 1000)
    time.sleep(0.01)
if child:
    os.kill(child, signal.SIGKILL) if not select.select([pipe[0]], [], [], 5)[0] else None
    os.waitpid(child, 0)
    print(os.read(pipe[0], 1000).decode(), end="")
for p in (50, 99):
    print(f"p{p}", round(percentile(times, p), 1))
    print(f"bus{p}", round(percentile(bus_times, p), 1))
print("max", round(max(times), 1))
print("calls", len(times))
