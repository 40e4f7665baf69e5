# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manager and those who join a container, against callers and payloads that mean harm. docs/testing.md has the table of cases."""
import re
import time

import pytest

from test_bus import CALLS, as_nobody

ACTIONS = "org.berth.containers1"


@pytest.fixture
def running(host):
    """running(*options, command, name, root): a container that is waited for; returns its name."""
    started = []

    def start(*options, command=("sleep", "1000"), name="box", root="/lab/busybox"):
        p = host.spawn("berth", "run", "-q", "-P", "-M", name, "--read-only", "-D", root, *options, "--", *command)
        started.append((name, p))
        host.wait_for(f"berth show -p State --value {name} | grep -qx running", 20)
        return name

    yield start
    for name, p in started:
        host.berth("terminate", name, check=False)
        host.end(p)


def polkit_rule(host, text):
    host.write("/etc/polkit-1/rules.d/10-security.rules", "polkit.addRule(function(action, subject) {" + text + "});\n")
    host.systemctl("restart", "polkit")


@pytest.fixture
def polkit(host):
    """polkit(body of a rule)"""
    yield lambda text: polkit_rule(host, text)
    host.run("rm -f /etc/polkit-1/rules.d/10-security.rules; systemctl restart polkit")


# ---- arguments ----

ARGUMENTS = """
import sys
CALLS = eval(sys.argv[1])       # method: words for busctl
UID = int(sys.argv[2])
bus = Bus(UID)
bad = []


def values(words, name):
    "busctl's words as values; only what stands in the table."
    signature, rest, out = words[0], list(words[1:]), []
    for kind in types(signature):
        word = rest.pop(0)
        if kind == "s":
            out.append(name if word == "NAME" else word)
        elif kind in "tiuxb":
            out.append(int(word == "true") if word in ("true", "false") else int(word))
        elif kind == "a{sv}":
            out.append([])
            rest = rest[3 * int(word):]
        else:
            out.append([])
            rest = rest[int(word):]
    return signature, out


def expect(what, allowed, member, signature, *args, **kwargs):
    try:
        bus.call(member, signature, *args, **kwargs)
    except BusError as e:
        if e.name.removeprefix("org.berth.Error.") not in allowed:
            bad.append(f"{what}: {e}")
        elif any(ord(c) < 32 and c != chr(10) or 127 <= ord(c) < 160 for c in e.text) or len(e.text) > 1000:
            bad.append(f"{what}: words {e.text!r}")
    except TimeoutError:
        bad.append(f"{what}: no answer")
    else:
        bad.append(f"{what}: worked")


names = [n for n in HOSTILE_NAMES if "\\0" not in n]
for member, words in CALLS.items():
    if "NAME" not in words:
        continue
    for name in names:
        of_images = "Image" in member or "Snapshot" in member
        if of_images and name == ".host" or member == "ListSnapshots" and not name:
            continue        # is one: the host itself; those of all images
        signature, args = values(words, name)
        # never asked of polkit, never looked for; images may have names that containers may not, but none of these is there
        allowed = ("InvalidName", "RootNotFound", "Unsupported", "AccessDenied") if of_images else ("InvalidName",)
        expect(f"{member} {name!r}", allowed, member, signature, *args)
if UID == 0:
    invalid = ("InvalidSetting", "Protocol", "LimitExceeded", "Conflict")
    for path in ("x", "etc", "./x", "../x", "x\\ny", "/" + "x/" * 3000, "-", "%i"):
        expect(f"copy-to from {path[:20]!r}", invalid, "CopyToContainer", "ssst", "box", path, "/x", 0)
        expect(f"copy-from {path[:20]!r}", invalid, "CopyFromContainer", "ssst", "box", path, "/run/x", 0)
        expect(f"exec in {path[:20]!r}", invalid, "ExecContainer", "sasa{sv}ah", "box", ["true"],
               [("WorkingDirectory", ("s", path)), ("Terminal", ("b", True))], [])
        expect(f"create of {path[:20]!r}", invalid, "CreateContainer", "sa{sv}a(sh)", "made", [("Directory", ("s", path))], [])
        expect(f"shell {path[:20]!r}", invalid, "OpenContainerShell", "sssasas", "box", "root", path, [], [])
    for flags in (1 << 63, 1 << 40, 0xffffffff):
        expect(f"copy flags {flags}", invalid, "CopyToContainer", "ssst", "box", "/etc/hostname", "/x", flags)
    for whom in ("", "Leader", "all ", "payload", "x" * 300, "\\x1b[2J"):
        expect(f"kill {whom!r}", invalid, "KillContainer", "ssi", "box", whom or "none", 15)
    for signal in (0, -1, 65, 1 << 30, -(1 << 31), (1 << 31) - 1):
        for whom in ("leader", "supervisor", "all"):
            expect(f"kill with {signal}", invalid, "KillContainer", "ssi", "box", whom, signal)
    for pid in (0, 1 << 31, (1 << 32) - 1):
        expect(f"process {pid}", invalid, "GetContainerByPID", "u", pid)
    # what would give a unit more than limits
    for prop in ("ExecStart=/bin/sh", "Slice=../x.slice", "Slice=-.slice/../x", "User=root", "DeviceAllow", "DeviceAllow=../../sda rwm", "Bogus=1",
                 "MemoryMax", "=", "MemoryMax=1\\nExecStart=/bin/sh", "Environment=A=b", "BindPaths=/etc", "PIDs=1", "Controller=x", "Type=oneshot"):
        expect(f"property {prop!r}", invalid, "CreateContainer", "sa{sv}a(sh)", "made",
               [("Directory", ("s", "/lab/busybox")), ("ReadOnly", ("b", True)), ("Property", ("as", [prop]))], [])
    expect("10000 properties", invalid, "CreateContainer", "sa{sv}a(sh)", "made",
           [("Directory", ("s", "/lab/busybox")), ("Property", ("as", ["MemoryMax=" + "1" * 200] * 10000))], [])
    for user in ("4294967296", "4294967295", "-1", "+0", "0x0", " 0", "1a", "0:0", "x" * 300, "root\\n", "99999999999"):
        try:
            bus.call("ExecContainer", "sasa{sv}ah", "box", ["true"], [("User", ("s", user)), ("Terminal", ("b", True))], [])
            bad.append(f"user {user!r} was taken")
        except BusError as e:
            if user.strip() and "user" not in e.text:
                bad.append(f"user {user!r}: {e}")
print(*bad, sep="\\n")
"""


def test_hostile_arguments(host, clean, running):
    """Names, paths, users, signals, unit properties: refused before anybody is asked, and nothing happens."""
    running()
    same = ["show", "box", "-p", "State", "-p", "Leader", "-p", "Supervisor", "-p", "Id"]
    before = host.berth(*same).out
    for uid in (0, 65534):
        out = host.python(ARGUMENTS, repr(CALLS), str(uid), timeout=120).out
        assert not out, f"as user {uid}:\n{out}"
    assert host.berth(*same).out == before


DESCRIPTORS = """
import fcntl, sys
bus = Bus()
before = len(os.listdir("/proc/" + sys.argv[1] + "/fd"))
r, w = os.pipe()
a, b = socket.socketpair()
null_r, null_w = os.open("/dev/null", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
good = [null_r, null_w, null_w]
bad = {"a directory": os.open("/etc", os.O_RDONLY), "a name": os.open("/etc/passwd", os.O_PATH), "an epoll": select.epoll().fileno(),
       "an eventfd": os.eventfd(0), "a pidfd": os.pidfd_open(1), "the wrong end": w, "a mount namespace": os.open("/proc/1/ns/mnt", os.O_RDONLY),
       "the root of another": os.open("/proc/1/root", os.O_PATH)}
wrong = []


def execute(fds, options=(), numbers=None):
    return bus.call("ExecContainer", "sasa{sv}ah", "box", ["true"], list(options), list(range(len(fds))) if numbers is None else numbers, fds=fds)


for what, fd in bad.items():
    for place in range(3) if what != "the wrong end" else (0,):
        fds = list(good)
        fds[place] = fd
        try:
            execute(fds)
            wrong.append(f"{what} was taken as {place}")
        except BusError as e:
            if not e.name.endswith((".InvalidSetting", ".SetupFailed")):
                wrong.append(f"{what} as {place}: {e}")
for n in (0, 1, 2, 4, 16):
    try:
        execute([null_r] * n)
        wrong.append(f"{n} descriptors were taken")
    except (BusError, Gone) as e:
        if isinstance(e, Gone):     # more than a message may have
            bus = Bus()
try:
    execute(good, [("Terminal", ("b", True))])
    wrong.append("descriptors and a terminal were taken")
except BusError:
    pass
for fd in ("a directory", "a name", "a mount namespace"):
    for name in ("stdin", "stdout", "what", "root" if fd != "a directory" else "stderr"):
        try:
            bus.call("CreateContainer", "sa{sv}a(sh)", "made", [("Directory", ("s", "/lab/busybox"))], [(name, 0)], fds=[bad[fd]])
            wrong.append(f"{fd} was taken as {name}")
        except BusError:
            pass
execute(good)
execute([r, w, a.fileno()])
deadline = time.monotonic() + 10
while len(os.listdir("/proc/" + sys.argv[1] + "/fd")) > before + 1 and time.monotonic() < deadline:
    time.sleep(0.1)
if len(os.listdir("/proc/" + sys.argv[1] + "/fd")) > before + 1:
    wrong.append("descriptors are left: " + " ".join(os.readlink(f"/proc/{sys.argv[1]}/fd/{f}") for f in os.listdir(f"/proc/{sys.argv[1]}/fd")))
print(*wrong, sep="\\n")
"""


def test_hostile_descriptors(host, clean, running):
    running()
    assert not host.python(DESCRIPTORS, host.run("pidof berthd").out).out


RANDOM = """
import re, sys
COUNT, UID, SEED = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(SEED)
# what would end the container, or write the host's files as root
LEFT_OUT = {"CopyFrom", "CopyFromContainer", "Stop", "StopContainer", "Terminate", "TerminateContainer", "Kill", "KillContainer", "Reboot", "RebootContainer",
            "RebootMachine", "Pause", "PauseContainer", "TerminateMachine", "KillMachine", "CopyFromMachine", "CopyFromMachineWithFlags", "Remove", "PowerOff"} if UID == 0 else set()
root = Bus()
methods = []
for name, path in (("org.berth.Containers1", "/org/berth/Containers1"), ("org.berth.Containers1", "/org/berth/Containers1/container/box"),
                   ("org.berth.Containers1", "/org/freedesktop/LogControl1"), ("org.freedesktop.machine1", "/org/freedesktop/machine1"),
                   ("org.freedesktop.machine1", "/org/freedesktop/machine1/machine/box")):
    try:
        xml = root.call("Introspect", to=(name, path, "org.freedesktop.DBus.Introspectable"))[0]
    except BusError:
        continue
    for interface in re.findall(r'<interface name="([^"]+)">(.*?)</interface>', xml, re.S):
        for member in re.findall(r'<method name="([^"]+)">(.*?)</method>|<method name="([^"]+)"/>', interface[1], re.S):
            signature = "".join(re.findall(r'type="([^"]+)"[^/]*direction="in"', member[1]))
            if (member[0] or member[2]) not in LEFT_OUT:
                methods.append((member[0] or member[2], signature, (name, path, interface[0])))
assert len(methods) > 40, methods
bus, answers = Bus(UID), {}
for i in range(COUNT):
    member, signature, to = rng.choice(methods)
    if rng.random() < 0.1:
        signature = rng.choice(["", "s", "sss", "a{sv}", "v", "ay", "t", "sasa{sv}ah"])
    args = [random_value(rng, k) for k in types(signature)]
    fds = [0, 1] if "h" in signature and rng.random() < 0.7 else []
    body = None
    if rng.random() < 0.05:
        body = rng.randbytes(rng.randint(0, 64))
    try:
        bus.send(bus.make(member, signature, *args, to=to, fds=len(fds), body=body), fds)
        bus.answer(bus.serial, 20)
        said = "worked"
    except BusError as e:
        said = e.name
    except (Gone, OSError):
        bus, said = Bus(UID), "gone"
    except TimeoutError:
        print("no answer", member, signature, args)
        said = "no answer"
    answers[said] = answers.get(said, 0) + 1
    if "NoReply" in said or said.endswith("ServiceUnknown"):
        print("lost", member, signature, args)
print(answers, file=sys.stderr)
"""


def test_random_calls(host, clean, running, campaign):
    """Every method of every object with arguments of its types, and of others: berthd stays."""
    running()
    host.run("berth list; sleep 0.2")
    berthd = host.run("pidof berthd").out
    try:
        for uid, seed in ((0, 1), (65534, 2)):
            r = host.python(RANDOM, str(5000 if campaign else 250), str(uid), str(seed), timeout=900)
            print(r.err)
            assert not r.out, r.out
        assert host.run("pidof berthd").out == berthd, host.journal("-u", "berthd", "-n", "50")
        assert host.berth("show", "box", "-p", "State", "--value").out == "running"
    finally:
        host.run("for name in $(berth list --no-legend | cut -d' ' -f1); do test $name = box || berth terminate $name; done; "
                 "systemctl restart berthd")


# ---- callers ----

ASK = """
import sys
bus = Bus(65534)
began = time.monotonic()
try:
    bus.call("TerminateContainer", "s", "box", timeout=60)
    print("worked")
except BusError as e:
    print(e.name, e.text)
"""


def test_polkit_fails(host, clean, running, polkit):
    """Without polkit, or with one that hangs or dies in the middle: nobody is allowed anything, and nothing is left waiting."""
    running()
    berthd = host.run("pidof berthd").out
    host.run("systemctl mask --runtime --now polkit.service")
    try:
        assert "AccessDenied" in host.python(ASK, timeout=60).out
    finally:
        host.run("systemctl unmask --runtime polkit.service; systemctl daemon-reload")
    polkit(f'if (action.id == "{ACTIONS}.stop") return polkit.Result.YES;')
    # killed while it thinks
    host.systemctl("kill", "-s", "STOP", "polkit")
    p = host.spawn("python3", "-c", host.script(ASK))
    host.wait_for("test $(berth list >/dev/null; busctl --json=short call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ListNames | wc -c) != 0")
    host.python("time.sleep(0.5)")      # it is asked by now
    host.systemctl("kill", "-s", "KILL", "polkit")
    out, _ = p.communicate(timeout=30)
    assert b"AccessDenied" in out, out
    # answers yes when its caller has left
    host.systemctl("start", "polkit")
    host.systemctl("kill", "-s", "STOP", "polkit")
    host.python("""
bus = Bus(65534)
for _ in range(5):
    bus.send(bus.make("DescribeContainer", "s", "box"))
time.sleep(0.3)
""")
    host.systemctl("kill", "-s", "CONT", "polkit")
    assert host.berth("show", "box", "-p", "State", "--value").out == "running"
    assert host.run("pidof berthd").out == berthd
    # and all is well afterwards
    assert host.python(ASK, timeout=60).out == "worked"


def records(host, since, *match):
    host.run("journalctl", "--sync")
    out = host.run("journalctl", "-o", "export", "--no-pager", f"--since=@{since}", *match).stdout
    return [dict(line.split("=", 1) for line in entry.splitlines() if "=" in line) for entry in out.split("\n\n") if entry.strip()]


def now_of(host):
    host.run("journalctl", "--sync")
    return host.run("date +%s.%6N").out


def test_what_was_done_is_in_the_journal(host, clean, running, polkit):
    """One record for each call that does something: who, from where, with what, and whether it was allowed."""
    running()
    since = now_of(host)
    polkit(f'if (action.id == "{ACTIONS}.kill") return polkit.Result.YES;')
    r = as_nobody(host, "busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "KillContainer", "ssi",
                  "box", "leader", "18")
    assert r.returncode == 0, r
    as_nobody(host, "busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "StopContainer", "st", "box", "0")
    host.run("systemd-run", "-q", "--wait", "--unit=audited", "berth", "exec", "box", "true")
    for _ in range(20):     # the journal takes its time
        said = [e for e in records(host, since, "_COMM=berthd") if "CALLER_UID" in e]
        if len(said) >= 3:
            break
        time.sleep(0.2)
    by_method = {re.sub(r"User \d+ (?:is denied|calls) (\w+) .*", r"\1", e["MESSAGE"]): e for e in said}
    assert len(said) == len(by_method) == 3, said
    kill, stop, exec_ = by_method["KillContainer"], by_method["StopContainer"], by_method["ExecContainer"]
    assert (kill["CALLER_UID"], kill["RESULT"], kill["CONTAINER"]) == ("65534", "allowed", "box")
    assert (stop["CALLER_UID"], stop["RESULT"], stop["PRIORITY"]) == ("65534", "denied", "5")
    assert (exec_["CALLER_UID"], exec_["RESULT"], exec_["CALLER_UNIT"]) == ("0", "allowed", "audited.service")
    for e in said:
        assert int(e["CALLER_PID"]) > 1 and e["CALLER_BUS_NAME"].startswith(":"), e


def test_nobody_writes_into_the_journal(host, clean, running):
    """What a payload or a caller says stays in its field, and steers no terminal."""
    since = now_of(host)
    running("--bind-ro=/run/speaker:/mnt", "--notify-ready=yes", root=f"/lab/{host.suite}", name="loud",
            command=("perl", "-e", r'''use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); $| = 1;
                send($s, "READY=1\nSTATUS=a\x1b[31m\rMESSAGE_ID=00000000000000000000000000000666\x07", 0, sockaddr_un($ENV{NOTIFY_SOCKET}));
                print STDERR "x\nMESSAGE_ID=00000000000000000000000000000666\nPRIORITY=0\n"; sleep 1000''')) if host.run("mkdir -p /run/speaker") else None
    host.wait_for("berth show -p StatusText --value loud | grep -q MESSAGE")
    for words in (["show", "loud"], ["list"], ["status", "loud"]):
        assert "\x1b[31m" not in host.berth(*words).stdout and "\x07" not in host.berth(*words).stdout
    as_nobody(host, "busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "ExecContainer", "sasa{sv}ah",
              "loud", "1", "x\nMESSAGE_ID=00000000000000000000000000000666\nPRIORITY=0\n\x1b[31m", "1", "User", "s", "y\nMESSAGE_ID=00000000000000000000000000000666", "0")
    host.berth("exec", "loud", "--", "x\nMESSAGE_ID=00000000000000000000000000000666", check=False)
    assert not records(host, since, "MESSAGE_ID=00000000000000000000000000000666")
    assert not records(host, since, "PRIORITY=0")
    host.run("rmdir /run/speaker")


# ---- those who join ----

TRACER = r'''
$| = 1;
while (1) {
    opendir(my $d, "/proc");
    for my $pid (grep { /^\d+$/ && $_ > 1 && $_ != $$ } readdir($d)) {
        my $child = fork;
        if (!$child) {
            if (syscall(101, 0x4206, $pid, 0, 0) == 0) {    # PTRACE_SEIZE
                my $exe = readlink("/proc/$pid/exe") // "?";
                my @fds = map { readlink($_) // "?" } glob("/proc/$pid/fd/*");
                print "$exe | @fds\n";
            }
            exit 0;
        }
        waitpid($child, 0);
    }
    closedir($d);
}
'''


def test_nobody_inside_traces_those_who_join(host, clean, running):
    """A racer that attaches to every process it sees gets hold of programs, with what they were given; never of a worker.
    (Whoever has CAP_SYS_PTRACE without a user namespace has the host's, with CAP_SYS_ADMIN: nothing keeps that one.)"""
    name = running("-U", "--capability=CAP_SYS_PTRACE", name="traced", root=f"/lab/{host.suite}")
    p = host.spawn("berth", "exec", name, "perl", "-e", TRACER)
    host.run(f"for i in $(seq 40); do timeout 20 berth exec {name} sh -c : </dev/null >/dev/null 2>&1; done; :", timeout=120)
    host.run("pkill -9 -f '^berth exec traced.* perl' || :")
    out, _ = p.communicate(timeout=20)
    lines = {line for line in out.decode().splitlines() if " | " in line and line.startswith("/")}     # else it has ended
    foreign = {line for line in lines if not re.fullmatch(r"(/usr)?/bin/\S+ \|( /dev/null| \?| pipe:\[\d+\]| /lib\S*| /usr/\S*| /etc/ld\S*|\s)*", line)}
    assert lines and not foreign, foreign


def test_joins_while_it_ends_and_starts_anew(host, campaign, machine, clean):
    """Whoever joins gets the container that was there, or is told: never another process, never nothing."""
    root = machine("phoenix", "busybox")
    host.run("rm -f /run/phoenix-end")
    life = host.spawn(f"while ! test -e /run/phoenix-end; do berth run -q -P -M phoenix -D {root} --setenv=LIFE=1 -- sleep 1000; done >/dev/null 2>&1")
    try:
        out = host.run("""
            for worker in 1 2 3; do
                (while ! test -e /run/phoenix-end; do
                    said=$(timeout 30 berth exec phoenix sh -c 'echo "life $LIFE host $(cat /proc/1/comm)"' 2>&1); status=$?
                    case "$status $said" in
                        "0 life 1 host sleep"|"125 berth: "*|"137 "*) ;;
                        *) echo "wrong: $status $said" ;;
                    esac
                done) &
            done
            for i in $(seq %d); do berth terminate phoenix 2>/dev/null; sleep 0.1; done
            touch /run/phoenix-end; wait""" % (100 if campaign else 15), timeout=300).out
        assert not out
    finally:
        host.run("touch /run/phoenix-end; for i in $(seq 50); do berth terminate phoenix 2>/dev/null; sleep 0.1; berth show phoenix >/dev/null 2>&1 || break; done; :")
        life.wait(30)
        host.end(life)
        host.run("rm /run/phoenix-end")
    host.wait_for("! pgrep berth-worker >/dev/null", 30)


HANG = r'''
use Fcntl; $| = 1;
sysopen(my $f, "/dev/fuse", O_RDWR) or die "fuse: $!";
my $o = sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fileno($f));
my ($s, $t, $k) = ("hang", "/etc", "fuse");
syscall(165, $s, $t, $k, 0, $o) == 0 or die "mount: $!";
print "hanging\n"; sleep 1000;
'''


def test_metadata_that_never_comes(host, clean, running):
    """A file system inside that does not answer holds a worker, for five seconds; the manager goes on."""
    name = running("-U", "--bind=/dev/fuse", "--property=DeviceAllow=/dev/fuse rwm", name="hanging", root=f"/lab/{host.suite}")
    p = host.spawn("berth", "exec", name, "perl", "-e", HANG)
    said = p.stdout.readline()
    assert b"hanging" in said, said
    host.wait_for(f"grep -q ' /etc .*fuse' /proc/$(berth show -p Leader --value {name})/mountinfo")
    out = host.python("""
bus, other = Bus(), Bus()
began = time.monotonic()
bus.send(bus.make("GetContainerOSRelease", "s", "hanging"))
times, answer = [], None
while not answer:
    then = time.monotonic()
    other.call("DescribeContainer", "s", "hanging")
    times.append((time.monotonic() - then) * 1000)
    answer = bus.receive(0.02)
    while answer and answer[2].get(5) != bus.serial:
        answer = bus.receive(0.02)
print(round(time.monotonic() - began, 1), round(percentile(times, 99), 1), answer[2].get(4))
""", timeout=60).out
    seconds, late, error = out.split()
    assert float(seconds) < 8 and error.endswith((".Timeout", ".Failed", ".SetupFailed")), out
    assert float(late) < (500 if host.environment else 50), out
    host.berth("terminate", name)
    p.wait(20)
    host.end(p)


TROJANS = r'''
cd /var/lib/machines/odd && mkdir -p etc/evil bin usr/bin && cd etc/evil
mkfifo fifo; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'; mknod zero c 1 5
ln -s /dev/zero link; ln -s /etc/shadow shadow; touch "$(printf 'new\nline')" "$(printf 'esc\033[31m')" "$(printf 'not\377utf8')" -- -rf
truncate -s 8T sparse; echo end >>sparse; printf 'x' >setuid; chmod 6755 setuid; chown 0:0 setuid
python3 - <<EOF
import os
for i in range(1500):
    os.mkdir("d")
    os.chdir("d")
open("bottom", "w").close()
EOF
for t in tar gzip xz zstd unpigz cp cat; do
    for d in bin usr/bin; do rm -f ../../$d/$t; printf '#!/bin/sh\ntouch /etc/evil/ran-%s\n' $t >../../$d/$t; chmod 755 ../../$d/$t; done
done
'''


def test_copy_of_everything(host, clean, running, machine):
    """What is no file is left out or refused, what is huge is not made so, names do no harm, nothing inside is run."""
    root = machine("odd", "busybox", "/var/lib/machines/odd")
    host.run(TROJANS)
    p = host.spawn("berth", "run", "-q", "-P", "-M", "odd", "-D", root, "--", "/bin/busybox", "sleep", "1000")
    host.wait_for("berth show -p State --value odd | grep -qx running", 20)
    try:
        host.run("rm -rf /run/evil; mkdir /run/evil")
        r = host.berth("copy-from", "odd", "/etc/evil", "/run/evil/all", check=False, timeout=50)
        assert r.returncode == 0 or r.stderr.startswith("berth: "), r
        for name in ("fifo", "socket", "zero", "link", "../evil/fifo"):
            one = host.berth("copy-from", "odd", f"/etc/evil/{name}", "/run/evil/one", check=False, timeout=15)
            assert one.returncode == 1 and one.stderr.startswith("berth: "), (name, one)
            assert not host.exists("/run/evil/one"), name
        one = host.berth("copy-from", "odd", "/proc/kmsg", "/run/evil/kmsg", check=False, timeout=15)
        assert one.returncode == 1, one
        if r.returncode == 0:
            assert int(host.run("du -sk /run/evil/all | cut -f1").out) < 4096
            assert host.run("find /run/evil/all -type b -o -type c").out == ""
            assert host.run("find /run/evil/all | wc -l").out != "0"
        # a file that grows for ever ends with whoever wants it
        q = host.spawn("berth", "exec", "odd", "/bin/busybox", "sh", "-c", "while :; do /bin/busybox head -c 1M /dev/zero; done >>/etc/evil/growing")
        copy = host.run("timeout 2 berth copy-from odd /etc/evil/growing /run/evil/growing", check=False, timeout=30)
        assert copy.returncode in (0, 1, 124), copy
        host.run("pkill -9 -f '^berth exec odd' || :")
        host.end(q)
        host.wait_for("! pgrep berth-worker >/dev/null", 30)
        assert not host.run(f"ls {root}/etc/evil | grep ran || :").out
    finally:
        host.berth("terminate", "odd", check=False)
        host.end(p)
        host.run("rm -rf /run/evil")


def test_surroundings_of_the_command(host, clean, running):
    """Neither environment nor working directory have `berth` run or read anything."""
    running()
    host.run("rm -rf /run/hostile; mkdir -p /run/hostile && cd /run/hostile && printf '#!/bin/sh\\ntouch /run/hostile/ran\\n' >evil && chmod 755 evil && "
             "for t in less more pager sh polkit-agent pkttyagent systemctl journalctl busctl; do cp evil $t; done; "
             "printf '[Exec]\\nParameters=/bin/sh\\n' >box.nspawn; cp box.nspawn box.berth; echo 'x' >libsystemd.so.0")
    evil = "env PAGER=/run/hostile/evil SYSTEMD_PAGER=/run/hostile/evil BERTH_PAGER=/run/hostile/evil LESSOPEN='|/run/hostile/evil %s' SYSTEMD_LESS=x EDITOR=/run/hostile/evil " \
           "TERM='xterm$(touch /run/hostile/ran)' COLUMNS='$(touch /run/hostile/ran)' SHELL=/run/hostile/evil PATH=/run/hostile:/usr/bin:/bin LC_ALL='../../run/hostile' " \
           "DBUS_SESSION_BUS_ADDRESS=unixexec:path=/run/hostile/evil TMPDIR=/run/hostile "
    berth = host.run("command -v berth").out
    for words in ("list", "show box", "status box", "--help", "list --json=short", "show --json=short box", "verify box", "stop -- -x", "exec box true"):
        r = host.run(f"cd /run/hostile && {evil} {berth} {words}", check=False, timeout=30)
        assert r.returncode in (0, 1, 125), (words, r)
    with host.terminal(f"cd /run/hostile && {evil} {berth} list") as t:
        t.wait()
    assert not host.exists("/run/hostile/ran")
    host.run("rm -r /run/hostile")
