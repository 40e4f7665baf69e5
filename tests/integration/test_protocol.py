# SPDX-License-Identifier: LGPL-2.1-or-later
"""The container interface, item by item: what a payload finds, what it may say, and what its supervisor tells systemd."""
import re
import shlex
import subprocess
import time

import pytest

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns"),
         pytest.param(["-U", "--private-network"], id="userns-network")]

# what the manual says, berth.settings(5), "Default capabilities"
CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
    SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()
DEFAULT_CAPABILITIES = set("""AUDIT_WRITE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_OWNER KILL LEASE LINUX_IMMUTABLE MKNOD
    NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_NICE SYS_PTRACE
    SYS_RESOURCE SYS_TTY_CONFIG""".split())

FIXED_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container": "berth",
                     "NOTIFY_SOCKET": "/run/host/notify"}


def inside(host, root, *options, script, name="proto", env=None, check=True):
    """Runs a shell script as the payload and returns its output in sections: "== TITLE" begins one."""
    r = host.berth("run", "-q", "-P", "-M", name, "-D", root, *options, "--", "/bin/sh", "-c", f"{script}\n:", env=env, check=check)
    sections, current = {}, []
    for line in r.stdout.splitlines():
        if line.startswith("== "):
            current = sections.setdefault(line[3:], [])
        else:
            current.append(line)
    return sections


def names_of(mask):
    return {name for i, name in enumerate(CAPABILITIES) if int(mask, 16) >> i & 1}


# ---- file systems ----

LOOK = r"""
echo "== mountinfo"; cat /proc/self/mountinfo
echo "== dev"; find /dev -exec stat -c '%n|%F|%a|%u|%g|%t|%T' {} +
echo "== run"; find /run -exec stat -c '%n|%F|%a|%u|%g|%t|%T' {} +
for f in container-manager container-uuid os-release; do echo "== $f"; cat /run/host/$f; done
echo "== links"; for l in fd stdin stdout stderr ptmx; do echo "$l $(readlink /dev/$l)"; done
echo "== written"
for f in /run/host/x /run/host/incoming/x /sys/x /proc/sys/x; do (: >$f) 2>/dev/null && echo $f; done
for f in /proc/sys/kernel/hostname /proc/sys/vm/swappiness /proc/sysrq-trigger /proc/kcore /proc/kallsyms; do (echo x >$f) 2>/dev/null && echo $f; done
for f in /run/x /tmp/x /dev/x /dev/shm/x /dev/mqueue/x /run/host/unix-export/x /x; do : >$f && echo $f; rm -f $f; done
(echo 64 >/proc/sys/net/ipv4/ip_default_ttl) 2>/dev/null && echo net
mkdir /sys/fs/cgroup/child && echo $$ >/sys/fs/cgroup/child/cgroup.procs && echo cgroup
echo "== cgroup"; cat /proc/self/cgroup
stat -c '%n %u' /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/cgroup.subtree_control /sys/fs/cgroup/cgroup.threads
echo "== parent"; ls /sys/fs/cgroup/..; cat /sys/fs/cgroup/../cgroup.procs 2>&1
echo "== read"
for f in kallsyms kcore keys timer_list sysrq-trigger latency_stats; do [ -s /proc/$f ] && echo $f; done
for d in /sys/firmware /sys/devices/virtual/powercap; do [ -z "$(ls -A $d 2>&1)" ] || [ ! -e $d ] || echo $d; (: >$d/x) 2>/dev/null && echo $d/x; done
echo "== masks"; stat -c '%n %a' /sys/firmware
timeout 1 cat /proc/kmsg
echo "== status"; cat /proc/self/status
echo "== namespaces"; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done
echo "== misc"; hostname; umask; pwd; echo $$
"""

# place: type, flags that must be there, flags that must not
MOUNTS = {
    "/": (None, "rw nodev", "ro"),
    "/proc": ("proc", "rw nosuid nodev noexec", ""),
    "/proc/sys": ("proc", "ro nosuid nodev noexec", "rw"),
    "/sys": ("sysfs", "ro nosuid nodev noexec", "rw"),
    "/sys/fs/cgroup": ("cgroup2", "rw nosuid nodev noexec", ""),
    "/dev": ("tmpfs", "rw nosuid", "nodev noexec"),
    "/dev/pts": ("devpts", "rw nosuid noexec", "nodev"),
    "/dev/shm": ("tmpfs", "rw nosuid nodev", ""),
    "/dev/mqueue": ("mqueue", "rw nosuid nodev noexec", ""),
    "/run": ("tmpfs", "rw nosuid nodev", ""),
    "/run/host": ("tmpfs", "ro nosuid nodev noexec", "rw"),
    "/run/host/unix-export": ("tmpfs", "rw nosuid nodev noexec", ""),
    "/tmp": ("tmpfs", "rw nosuid nodev", ""),
}

DEV = """/dev|directory|755|0|0|0|0
/dev/console|regular empty file|600|0|0|0|0
/dev/fd|symbolic link|777|0|0|0|0
/dev/full|character special file|666|0|0|1|7
/dev/mqueue|directory|1777|0|0|0|0
/dev/null|character special file|666|0|0|1|3
/dev/ptmx|symbolic link|777|0|0|0|0
/dev/pts/ptmx|character special file|666|0|0|5|2
/dev/pts|directory|755|0|0|0|0
/dev/random|character special file|666|0|0|1|8
/dev/shm|directory|1777|0|0|0|0
/dev/stderr|symbolic link|777|0|0|0|0
/dev/stdin|symbolic link|777|0|0|0|0
/dev/stdout|symbolic link|777|0|0|0|0
/dev/tty|character special file|666|0|0|5|0
/dev/urandom|character special file|666|0|0|1|9
/dev/zero|character special file|666|0|0|1|5""".splitlines()

RUN = """/run|directory|755|0|0|0|0
/run/host|directory|755|0|0|0|0
/run/host/container-manager|regular file|644|0|0|0|0
/run/host/container-uuid|regular file|644|0|0|0|0
/run/host/inaccessible/blk|block special file|0|0|0|0|0
/run/host/inaccessible/chr|character special file|0|0|0|0|0
/run/host/inaccessible/dir|directory|0|0|0|0|0
/run/host/inaccessible/fifo|fifo|0|0|0|0|0
/run/host/inaccessible/reg|regular empty file|0|0|0|0|0
/run/host/inaccessible/sock|socket|0|0|0|0|0
/run/host/inaccessible|directory|755|0|0|0|0
/run/host/incoming|directory|755|0|0|0|0
/run/host/notify|socket|200|0|0|0|0
/run/host/os-release|regular file|644|0|0|0|0
/run/host/proc-kmsg|fifo|600|0|0|0|0
/run/host/unix-export|directory|755|0|0|0|0""".splitlines()


def check_mounts(lines, options):
    found = {}
    for line in lines:
        left, right = line.split(" - ")
        left, right = left.split(), right.split()
        found[left[4]] = (right[0], set(left[5].split(",")))      # the last one on a place is the one in sight
        assert any(f.startswith("shared:") for f in left[6:]), f"not shared: {line}"
    wanted = dict(MOUNTS)
    if "--private-network" in options:
        wanted["/proc/sys/net"] = ("proc", "rw nosuid nodev noexec", "ro")
    else:
        assert "/proc/sys/net" not in found
    for place, (kind, there, absent) in wanted.items():
        assert place in found, place
        assert kind in (None, found[place][0]), place
        assert set(there.split()) <= found[place][1] and not set(absent.split()) & found[place][1], (place, found[place])
    assert "idmapped" in found["/"][1] or "-U" not in options
    strangers = [p for p in found if p not in wanted and not re.match(r"/proc/(acpi|asound|bus|fs|irq|scsi|kallsyms|kcore|keys|kmsg|"
                 r"latency_stats|sysrq-trigger|timer_list)$|/sys/(firmware|devices/virtual/powercap)$|/etc/resolv.conf$", p)]
    assert not strangers


@pytest.mark.parametrize("options", MODES)
def test_file_systems(host, busybox, options, clean):
    s = inside(host, busybox, *options, script=LOOK)
    check_mounts(s["mountinfo"], options)
    assert sorted(s["dev"]) == sorted(DEV)
    assert sorted(s["run"]) == sorted(RUN)
    assert s["links"] == ["fd /proc/self/fd", "stdin /proc/self/fd/0", "stdout /proc/self/fd/1", "stderr /proc/self/fd/2", "ptmx pts/ptmx"]
    assert s["container-manager"] == ["berth"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", s["container-uuid"][0])
    assert s["os-release"] == host.read("/etc/os-release").splitlines()
    net = ["net"] if "--private-network" in options else []
    assert s["written"] == ["/run/x", "/tmp/x", "/dev/x", "/dev/shm/x", "/dev/mqueue/x", "/run/host/unix-export/x", "/x", *net, "cgroup"]
    # a hierarchy of its own: the payload's group is its root, and what it needs to make groups in it is its own
    assert "0::/child" in s["cgroup"]
    assert {line.split()[1] for line in s["cgroup"] if line.startswith("/")} == {"0"}
    assert "machine-" not in " ".join(s["parent"])
    assert s["read"] == []
    assert s["masks"] in (["/sys/firmware 755"], [])       # empty, but everybody may look
    assert s["misc"] == ["proto", "0022", "/", "1"]
    # no namespace of the host but those that were not asked for
    mine = {x.split(":")[0]: x for x in s["namespaces"]}
    of_host = dict(x.split(":", 1) for x in host.run("for n in cgroup ipc mnt net pid user uts; do readlink /proc/1/ns/$n; done").stdout.split())
    shared = {k for k in mine if mine[k] == f"{k}:{of_host[k]}"}
    assert shared == {"user", "net"} - ({"user"} if "-U" in options else set()) - ({"net"} if net else set())
    # capabilities, as the manual has them
    status = dict(line.split(":\t", 1) for line in s["status"] if ":\t" in line)
    wanted = set(DEFAULT_CAPABILITIES)
    if net:
        wanted |= {"NET_ADMIN"}
    elif "-U" in options:
        wanted -= {"NET_BIND_SERVICE"}
    if "-U" not in options:
        wanted |= {"AUDIT_CONTROL"}
    for key in ("CapBnd", "CapPrm", "CapEff"):
        # a user namespace has all, whatever the host's own root lacks
        assert names_of(status[key]) == wanted - (set() if "-U" in options else not_of_host(host)), key
    assert names_of(status["CapInh"]) == names_of(status["CapAmb"]) == set()
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "0")


def not_of_host(host):
    """Capabilities that the host's own root does not have."""
    return set(CAPABILITIES) - names_of(host.run("sed -n 's/CapBnd:\t//p' /proc/self/status").out)


# ---- environment ----

def environment(lines):
    return dict(line.split("=", 1) for line in lines)


def test_environment(host, busybox, clean):
    caller = {"FOO": "bar", "LD_PRELOAD": "", "COLORTERM": "truecolor", "NO_COLOR": "1", "TERM": "xterm", "LISTEN_FDS": "3", "LISTEN_PID": "1",
              "CREDENTIALS_DIRECTORY": "/nowhere", "WATCHDOG_USEC": "1000000000"}
    of_host = environment(host.run("sed 's/\"//g' /etc/os-release").stdout.splitlines())
    words = {f"container_host_{k.lower()}": of_host[k] for k in ("ID", "VERSION_ID", "BUILD_ID", "VARIANT_ID") if k in of_host}
    fixed = {**FIXED_ENVIRONMENT, **words, "TERM": "dumb", "LANG": "C.UTF-8"}
    show = "echo == environment; tr '\\0' '\\n' </proc/self/environ; echo == uuid; cat /run/host/container-uuid; echo == id; id -u; id -g; pwd"

    def see(*options, name="proto"):
        s = inside(host, busybox, *options, script=show, env=caller, name=name)
        got = environment(s["environment"])
        for added in ("PWD", "SHLVL", "_", "OLDPWD"):   # the shell's own
            got.pop(added, None)
        assert got.pop("container_uuid") == s["uuid"][0]
        return got, s

    # a root without an ID of its own: the same at each start, another one for another container
    assert see()[1]["uuid"] == see("-U")[1]["uuid"] != see(name="other")[1]["uuid"]

    got, s = see()
    assert got == {**fixed, "HOME": "/root", "USER": "root", "LOGNAME": "root"}
    got, s = see("-u", "bob", "-U")
    assert got == {**fixed, "HOME": "/home/bob", "USER": "bob", "LOGNAME": "bob", "SHELL": "/bin/sh"}
    assert s["id"] == ["1000", "1000", "/"]
    # what is asked for wins; a name alone takes the caller's value
    got, s = see("-E", "A=b c", "--setenv=FOO", "--setenv=TERM=vt100", "--setenv=HOME=/elsewhere", "--setenv=EMPTY=")
    assert got == {**fixed, "HOME": "/elsewhere", "USER": "root", "LOGNAME": "root", "A": "b c", "FOO": "bar", "TERM": "vt100", "EMPTY": ""}


def fake_init(host, root, script):
    """Makes /sbin/init of a busybox tree a script."""
    host.run("rm", "-f", f"{root}/sbin/init")       # a link to busybox
    host.write(f"{root}/sbin/init", f"#!/bin/sh\n{script}\n", mode="755")
    host.write(f"{root}/etc/os-release", "ID=fake\n")


def test_environment_of_an_init(host, busybox, clean):
    fake_init(host, busybox, "tr '\\0' '\\n' </proc/1/environ; echo args $0 $*; exec 2>/dev/null; poweroff -f")
    host.write(f"{busybox}/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    r = host.berth("run", "-q", "-b", "-P", "-M", "proto", "-D", busybox, "first", "--second")
    got = environment(line for line in r.stdout.splitlines() if "=" in line)
    for known in ("container_host_id", "container_host_version_id", "TERM", "PWD", "SHLVL"):
        got.pop(known, None)
    # the ID is that of the image; no locale: the init has its own ideas
    assert got == {**FIXED_ENVIRONMENT, "HOME": "/root", "USER": "root", "LOGNAME": "root",
                   "container_uuid": "01234567-89ab-cdef-0123-456789abcdef"}
    assert "args /sbin/init first --second" in r.stdout


# ---- notifications ----

LISTENER = r'''
import os, select, socket, struct, subprocess, sys
path = f"/run/listener-{os.getpid()}"
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(path)
p = subprocess.Popen(sys.argv[1:], env=dict(os.environ, NOTIFY_SOCKET=path), stdin=subprocess.DEVNULL)
ended = os.pidfd_open(p.pid)
while True:
    ready = select.select([s, ended], [], [])[0]
    if s in ready:
        text, control, _, _ = s.recvmsg(65536, 1024)
        pid = struct.unpack("iii", control[0][2][:12])[0]
        print("main" if pid == p.pid else pid, repr(text.decode()), flush=True)
    elif ended in ready:
        break
os.unlink(path)
print("exit", p.wait())
'''

SPEAKER = r'''
use Socket;
sub report { socket(my $s, AF_UNIX, SOCK_DGRAM, 0); send($s, $_[0], 0, sockaddr_un($ENV{NOTIFY_SOCKET})) // print "send: $!\n"; }
sub nap { select(undef, undef, undef, $_[0]) }
1;
'''


@pytest.fixture
def notifications(host):
    """notifications(script, *options): what a supervisor tells its service manager while the payload runs a perl script."""
    host.write("/run/proto/listener.py", LISTENER)
    host.write("/run/proto/speaker.pl", SPEAKER)

    def listen(script, *options, env=None):
        r = host.run("python3", "/run/proto/listener.py", "berth", "run", "-q", "-P", "-M", "proto", "--read-only", "-D", f"/lab/{host.suite}",
                     "--bind-ro=/run/proto:/mnt", *options, "--", "perl", "-e", f'require "/mnt/speaker.pl"; {script}', env=env)
        told = []
        for line in r.stdout.splitlines():
            who, what = line.split(" ", 1)
            if who == "exit":
                assert what == "0", r
                return told
            assert who == "main", r     # systemd listens to the main process only
            told.append(re.sub(r"X_BERTH_LEADER_PID=\d+", "X_BERTH_LEADER_PID=N", eval(what)))  # pylint: disable=eval-used
        raise AssertionError(r)

    yield listen
    host.run("rm -r /run/proto")


STARTED = "STATUS=Container running.\nX_BERTH_LEADER_PID=N"
ENDED = "STOPPING=1\nSTATUS=Terminating..."


def test_notifications(notifications, clean):
    # ready by itself; a status goes through, escaped and without what else was said
    assert notifications(r'report("STATUS=hello\x1b[31m \xe2\x82\xac\nREADY=1\nMAINPID=1\nERRNO=5\nX_SYSTEMD_UNIT_ACTIVE=a.target\nFDSTORE=1"); nap(0.2)') == \
        [f"READY=1\n{STARTED}", "STATUS=Container running: hello\\x1b[31m €", ENDED]
    # ready when the payload says so, once
    assert notifications('nap(0.2); report("X=1\nREADY=1\n"); report("READY=1"); report("STATUS=x\nREADY=1"); nap(0.2)', "--notify-ready=yes") == \
        [STARTED, "READY=1\nSTATUS=Container running.", "STATUS=Container running: x", ENDED]
    # what is said last is heard
    assert notifications('report("READY=1\nSTATUS=last")', "--notify-ready=yes", "-U") == [STARTED, "READY=1", "STATUS=Container running: last", ENDED]


def test_notifications_from_others_do_not_count(notifications, clean):
    assert notifications(r'''if (!fork) { report("READY=1\nSTATUS=child"); exit 0 } wait;
        report("READY=1\n" . ("x" x 5000)); report("READY=1\0"); report("READY=yes"); report("XREADY=1"); report(""); nap(0.2)''', "--notify-ready=yes") == [STARTED, ENDED]


def test_notifications_of_a_command_below_the_stub_init(notifications, clean):
    """With --as-pid2 the payload is PID 2, and the stub init has nothing to say."""
    for options in ([], ["-U"]):
        assert notifications(r'''if (!fork) { report("READY=1\nSTATUS=child"); exit 0 } wait; nap(0.1); print STDERR "not 2\n" if $$ != 2;
            report("READY=1\nSTATUS=two"); nap(0.2)''', "-a", "--notify-ready=yes", *options) == [STARTED, "READY=1", "STATUS=Container running: two", ENDED]


def test_watchdog(notifications, clean):
    """The supervisor's own loop is what is watched; the payload's word about it does not count."""
    told = notifications('report("WATCHDOG=1") for 1..3; nap(1.1)', env={"WATCHDOG_USEC": "400000"})
    assert told[0] == f"READY=1\n{STARTED}" and 5 <= told.count("WATCHDOG=1") <= 7
    told = notifications("nap(0.5)", env={"WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"})
    assert "WATCHDOG=1" not in told


# ---- stopping ----

TRAPS = 'trap "echo TERM; exit 3" TERM; trap "echo USR1; exit 4" USR1; echo up; while :; do sleep 0.05; done'
DEAF = 'trap "" TERM INT HUP; trap : USR1; echo up; while :; do sleep 0.05; done'
# name: options, payload, signals to the supervisor, exit status, output, seconds at least and at most
STOPS = {
    "term": ([], TRAPS, ["TERM"], 3, "up TERM", 0, 1.5),
    "int": ([], TRAPS, ["INT"], 3, "up TERM", 0, 1.5),
    "hup": ([], TRAPS, ["HUP"], 3, "up TERM", 0, 1.5),
    "own-signal": (["--kill-signal=USR1"], TRAPS, ["TERM"], 4, "up USR1", 0, 1.5),
    "pid2": (["-a"], TRAPS, ["TERM"], 3, "up TERM", 0, 1.5),
    "pid2-userns": (["-a", "-U"], TRAPS, ["TERM"], 3, "up TERM", 0, 1.5),
    "deaf": ([], DEAF, ["TERM"], 137, "up", 0, 1.5),                    # it would never see the signal: killed at once
    "slow": (["--kill-signal=USR1", "--stop-timeout=1"], DEAF, ["TERM"], 137, "up", 0.9, 3),
    "slow-pid2": (["-a", "--stop-timeout=1"], DEAF, ["TERM"], 137, "up", 0.9, 3),
    "second": (["--kill-signal=USR1"], DEAF, ["TERM", "TERM"], 137, "up", 0.3, 1.5),
    "second-userns": (["--kill-signal=USR1", "-U"], DEAF, ["INT", "TERM"], 137, "up", 0.3, 1.5),
}


def test_stop_ladder(host, machine, clean):
    """All at once: each container is told to stop as its row says, 0.4 s between two signals."""
    script = """
import signal, subprocess, sys, threading, time
out = {}
def one(name, options, payload, signals):
    p = subprocess.Popen(["berth", "run", "-q", "-P", "-M", name, "-D", "/var/lib/machines/" + name, *options, "--", "/bin/sh", "-c", payload],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = p.stdout.readline()
    time.sleep(0.2)
    start = time.monotonic()
    for i, s in enumerate(signals):
        time.sleep(0.4 if i else 0)
        p.send_signal(getattr(signal, "SIG" + s))
    text, error = p.communicate(timeout=20)
    out[name] = [p.returncode, " ".join((first + text).split()), time.monotonic() - start, error]
threads = [threading.Thread(target=one, args=a) for a in eval(sys.stdin.read())]
[t.start() for t in threads]
[t.join() for t in threads]
print(repr(out))
"""
    for name in STOPS:
        machine(name, "busybox")
    jobs = [(name, row[0], row[1], row[2]) for name, row in STOPS.items()]
    out = eval(host.run("python3", "-c", script, input=repr(jobs)).stdout)  # pylint: disable=eval-used
    wrong = []
    for name, (_, _, _, status, text, least, most) in STOPS.items():
        if name not in out:
            wrong.append((name, "no answer"))
            continue
        got = out[name]
        told = "did not stop in time" in got[3]
        if got[:2] != [status, text] or not least <= got[2] <= most or told != name.startswith("slow"):
            wrong.append((name, got))
    assert not wrong


def test_exit_status(host, busybox, clean):
    """What the payload's end becomes; 133 alone has a meaning of its own."""
    cases = [("exit 0", [], 0), ("exit 7", [], 7), ("exit 7", ["-a"], 7), ("exit 133", [], 1), ("exit 133", ["-a"], 1),
             ("kill -TERM $$; sleep 1", ["-a"], 143), ("exec /bin/nothing", [], 127), ("poweroff -f; sleep 5", [], 0), ("halt -f; sleep 5", ["-U"], 0),
             ("poweroff -f; sleep 5", ["-a"], 0), ("kill -9 1; kill -TERM 1; exit 5", [], 5)]
    got = [host.berth("run", "-q", "-P", "-M", "proto", "-D", busybox, *options, "--", "/bin/sh", "-c", script, check=False).returncode
           for script, options, _ in cases]
    assert got == [status for _, _, status in cases]


@pytest.mark.parametrize("options", [[], ["-U"], ["-a"]], ids=["host-users", "userns", "pid2"])
def test_reboot_of_a_command_starts_it_anew(host, busybox, options, clean):
    """reboot(2) in the container: the same process supervises the next life, in a scope of the same name."""
    out = host.berth("run", "-q", "-P", "-M", "proto", "-D", busybox, *options, "--", "/bin/sh", "-c",
                     "echo life >>/lives; [ $(wc -l </lives) -ge 3 ] && exit 9; reboot -f; sleep 5", check=False, timeout=30)
    assert out.returncode == 9, out
    assert host.read(f"{busybox}/lives") == "life\n" * 3


def test_request_stop_of_the_scope(host, busybox, clean):
    """systemctl stop asks the supervisor, who knows the payload's own signal."""
    p = host.spawn("berth", "run", "-q", "-P", "-M", "proto", "-D", busybox, "--kill-signal=USR1", "--", "/bin/sh", "-c", TRAPS)
    host.wait_for("berth show -p State --value proto | grep -qx running", 30)
    start = time.monotonic()
    host.systemctl("stop", "machine-proto.scope")
    out, _ = p.communicate(timeout=10)
    assert (p.returncode, out) == (4, b"up\nUSR1\n") and time.monotonic() - start < 3


# ---- confinement ----

# number on x86-64, arguments; what comes of it by default, when it reaches the kernel, and an option that lets it (-1 is a bad descriptor)
CALLS = {
    "keyctl": ("250,0,0,0,0,0", "EPERM"), "add_key": ("248,0,0,0,0,0", "EPERM"), "bpf": ("321,0,0,0", "EPERM"),
    "perf_event_open": ("298,0,0,0,0,0", "EPERM"), "kexec_load": ("246,0,0,0,0", "EPERM"), "init_module": ("175,0,0,0", "EPERM"),
    "finit_module": ("313,-1,0,0", "EPERM"), "open_by_handle_at": ("304,-1,0,0", "EPERM"), "userfaultfd": ("323,0", "EPERM"),
    "io_uring_setup": ("425,0,0", "EPERM"), "swapon": ("167,0,0", "EPERM"), "quotactl": ("179,0,0,0,0", "EPERM"), "acct": ("163,1", "EPERM"),
    "fanotify_init": ("300,0,0", "EPERM"), "clock_settime": ("227,0,0", "EPERM"), "adjtimex": ("159,0", "EPERM"), "syslog": ("103,99,0,0", "EPERM"),
    "kcmp": ("312,0,0,0,0,0", "EPERM"), "iopl": ("172,3", "EPERM"), "modify_ldt": ("154,0,0,0", "EPERM"),
    "x32": (f"{(1 << 30) + 39}", "ENOSYS"), "not yet invented": ("1000", "ENOSYS"),
    "socket for audit": ("41,16,3,9", "EAFNOSUPPORT"), "socket for routes": ("41,16,3,0", "ok"), "name_to_handle_at": ("303,-1,0,0,0,0", "EFAULT"),
    "mount_setattr": ("442,-1,0,0,0,0", "EINVAL"), "ptrace": ("101,99,0,0,0", "ESRCH"), "reboot": ("169,0,0,0,0", "EINVAL"), "unshare": ("272,0", "ok"),
    "memfd_create": ("319,0,99", "EINVAL"), "io_setup": ("206,0,0", "EFAULT"), "setns": ("308,-1,0", "EBADF"), "pidfd_getfd": ("438,-1,0,0", "EBADF"),
    "chroot": ("161,0", "EFAULT"), "landlock_create_ruleset": ("444,-1,1,0", "EINVAL"),
}


def call_system(host, *options):
    """What each of CALLS comes to in a container."""
    script = "use Errno; %n = map { eval qq{Errno::$_()} => $_ } grep { /^E/ } @Errno::EXPORT_OK, @{$Errno::EXPORT_TAGS{POSIX}}; $n{11} = 'EAGAIN'; " + \
        "sub c { my $name = shift; $! = 0; my $r = syscall(shift, @_); print $name, '=', $r >= 0 ? 'ok' : $n{$! + 0}, qq{\\n} } " + \
        "".join(f"c('{name}', {args}); " for name, (args, _) in CALLS.items())
    r = host.berth("run", "-q", "-P", "-M", "proto", "--read-only", "-D", f"/lab/{host.suite}", *options, "--", "perl", "-e", script)
    return dict(line.split("=") for line in r.stdout.splitlines())


def test_system_calls(host, clean):
    """berth.settings(5), "System call filter"."""
    default = {name: wanted for name, (_, wanted) in CALLS.items()}
    assert call_system(host) == default
    assert call_system(host, "-U", "--no-new-privileges=yes") == default
    # one more, one group less; refusing is stronger
    got = call_system(host, "--system-call-filter=keyctl @swap", "--system-call-filter=~@mount", "--system-call-filter=mount_setattr")
    assert got["keyctl"] != "EPERM" and got["add_key"] == got["mount_setattr"] == got["chroot"] == "EPERM"
    # capabilities bring the calls that go with them
    got = call_system(host, "--capability=CAP_SYS_TIME,CAP_BPF", "--drop-capability=CAP_SYS_PTRACE,CAP_SYS_BOOT")
    assert (got["clock_settime"], got["bpf"], got["ptrace"], got["pidfd_getfd"], got["reboot"]) == ("EFAULT", "EINVAL", "EPERM", "EPERM", "EPERM")
    # none at all
    got = call_system(host, "--seccomp=no", "-U")
    assert got["socket for audit"] == "ok" and got["kcmp"] == "ESRCH" and got["keyctl"] != "EPERM"


def test_families_sync_and_ambient_capabilities(host, clean):
    """Sockets of some families alone; fsync(2) that does nothing; capabilities of a payload that is not root. Also for what is executed inside."""
    script = "use Socket; $! = 0; " + "".join(f"print '{name}=', socket(my $s{i}, {family}, SOCK_DGRAM, 0) ? 'yes' : $! + 0, qq{{\\n}}; "
                                              for i, (name, family) in enumerate((("unix", 1), ("inet", 2), ("inet6", 10)))) + \
        "open(my $f, '>', '/tmp/f'); $! = 0; print 'sync=', syscall(74, 99) ? $! + 0 : 'nothing', qq{\\n}; " \
        "open(my $p, '<', '/proc/self/status'); while (<$p>) { print qq{$1=$2\\n} if /^(Cap(?:Eff|Amb|Bnd)):\\s+(\\S+)/ }"

    def see(*options, user="65534"):
        r = host.berth("run", "-q", "-P", "-M", "proto", "--read-only", "-D", f"/lab/{host.suite}", "-u", user, *options, "--", "perl", "-e", script)
        return dict(line.split("=") for line in r.stdout.splitlines())

    for users in ((), ("-U",)):
        got = see(*users)
        assert (got["unix"], got["inet"], got["inet6"], got["sync"], int(got["CapAmb"], 16), int(got["CapEff"], 16)) == ("yes", "yes", "yes", "9", 0, 0)
        got = see(*users, "--restrict-address-families=AF_UNIX", "--suppress-sync=yes", "--ambient-capability=CAP_KILL,CAP_CHOWN")
        assert (got["unix"], got["inet"], got["inet6"], got["sync"]) == ("yes", "97", "97", "nothing")
        assert names_of(got["CapAmb"]) == names_of(got["CapEff"]) == {"KILL", "CHOWN"}
        got = see(*users, "--restrict-address-families=~AF_INET6", "--ambient-capability=all", "--no-new-privileges=yes")
        assert (got["unix"], got["inet"], got["inet6"]) == ("yes", "yes", "97") and got["CapAmb"] == got["CapEff"] == got["CapBnd"]
    p = host.spawn("berth", "run", "-q", "-P", "-M", "proto", "--read-only", "-D", f"/lab/{host.suite}", "--restrict-address-families=AF_UNIX", "--suppress-sync=yes",
                   "--", "sleep", "4712")
    try:
        host.wait_for("berth exec proto true", 60)
        got = dict(line.split("=") for line in host.berth("exec", "proto", "perl", "-e", script).stdout.splitlines())
        assert (got["unix"], got["inet"], got["inet6"], got["sync"]) == ("yes", "97", "97", "nothing")
    finally:
        host.berth("terminate", "proto", check=False)
        host.end(p)


def test_limits_do_not_come_from_the_caller(host, busybox, clean):
    """Limits, priorities, masks and signals of whoever calls are not the payload's."""
    show = "cat /proc/self/limits; grep -E '^(Sig[BIC]|Umask|Cpus_allowed_list)' /proc/self/status; cat /proc/self/oom_score_adj; cut -d' ' -f18-20 /proc/self/stat"
    plain = host.berth("run", "-q", "-P", "-M", "proto", "-D", busybox, "--", "/bin/sh", "-c", show).stdout
    odd = host.run("umask 077; ulimit -n 55; ulimit -S -c unlimited; ulimit -S -s 1000; ulimit -S -f 999999; trap '' USR1 TERM PIPE; "
                   f"berth run -q -P -M proto -D {busybox} -- /bin/sh -c {shlex.quote(show)}", check=False)
    same = [line for line in plain.splitlines() if "open files" not in line]
    assert [line for line in odd.stdout.splitlines() if "open files" not in line] == same, odd
    limits = dict(re.findall(r"^Max (.*?)  +(.*?)  +\S+", plain, re.M))
    assert (limits["core file size"], limits["stack size"], limits["open files"], limits["msgqueue size"]) == ("0", "8388608", "1024", "819200")
    # what is asked for, also without an end
    r = host.berth("run", "-q", "-P", "-M", "proto", "-D", busybox, "--rlimit=CORE=infinity", "--rlimit=NOFILE=64", "--rlimit=STACK=1M:2M", "--",
                   "/bin/cat", "/proc/self/limits")
    limits = dict(re.findall(r"^Max (.*?)  +(\S+ +\S+)", r.stdout, re.M))
    assert [limits[k].split() for k in ("core file size", "open files", "stack size")] == [["unlimited"] * 2, ["64", "64"], ["1048576", "2097152"]]


def test_no_new_privileges_and_dropped_capabilities_hold(host, clean):
    """A set-user-ID program gives a user what the bounding set has, or nothing."""
    host.run(f"mkdir -p /var/lib/src; cp /lab/{host.suite}/bin/cat /var/lib/src/cat; chmod 4755 /var/lib/src/cat")

    def see(*options, program="/mnt/cat"):
        r = host.berth("run", "-q", "-P", "-M", "proto", "--read-only", "-D", f"/lab/{host.suite}", "-u", "65534", *options, "--", program,
                       "/proc/self/status")
        status = dict(line.split(":\t", 1) for line in r.stdout.splitlines() if ":\t" in line)
        return status["Uid"].split()[1], names_of(status["CapEff"]), names_of(status["CapBnd"])

    try:
        for options in (["--bind-ro=/var/lib/src:/mnt"], ["-U", "--bind-ro=/var/lib/src:/mnt:idmap"]):
            uid, effective, bounding = see(*options)
            assert uid == "0" and effective == bounding and "SYS_ADMIN" in bounding
            uid, effective, bounding = see(*options, "--drop-capability=CAP_CHOWN,CAP_SYS_ADMIN")
            assert uid == "0" and effective == bounding and not bounding & {"CHOWN", "SYS_ADMIN"}
            assert see(*options, "--no-new-privileges=yes")[:2] == ("65534", set())
            assert see(*options, program="/bin/cat")[:2] == ("65534", set())
        # a file of the host's root, not of the container's
        assert see("-U", "--bind-ro=/var/lib/src:/mnt")[:2] == ("65534", set())
    finally:
        host.run("rm -r /var/lib/src")


# ---- mounts that are asked for ----

MOUNT_LOOK = r"""
echo "== read"; cat /m/rw/file /m/rw/below/f /m/ro/below/f /m/flat/below/hidden /m/file /m/c:d/f /m/own/f /run/other/f /over/f /tmp/in/file
ls -d /m/nothing /m/flat/below/f 2>/dev/null
echo "== written"; for f in /m/rw/x /m/ro/x /m/ro/below/x /m/flat/x /m/own/x /m/temporary/x /run/other/x /m/t/x /m/tr/x /x; do (: >$f) 2>/dev/null && echo $f; done
echo "== stat"; stat -c '%n %a %u %g' /m/t /m/tr /m/temporary; df -k /m/t | awk 'END { print $2 }'; cp /bin/busybox /m/t; /m/t/busybox true 2>/dev/null && echo executed
echo "== hidden"; for f in /secret /secret.txt /pipe; do stat -c '%F %a %s' $f; done; cat /secret.txt; ls -A /secret; (echo x >/secret/x) 2>/dev/null && echo written
"""


@pytest.mark.parametrize("options", MODES[:2])
def test_mounts(host, busybox, options, clean):
    """Each kind of mount, in the order given, in one container."""
    host.run("mkdir -p /run/src/below /run/src/a:b /run/other; cd /run/src; echo file >file; echo under >below/hidden; echo other >/run/other/f; "
             "echo colon >a:b/f; mount -t tmpfs below below; echo sub >below/f; chmod -R a+rwX /run/src /run/other; "
             f"cd {busybox}; mkdir opt/own secret; echo own >opt/own/f; echo s >secret/f; echo s >secret.txt; mkfifo pipe")
    try:
        s = inside(host, busybox, *options, "--bind=/run/src:/m/rw", "--bind-ro=/run/src:/m/ro", "--bind-ro=/run/src:/m/flat:norbind", "--bind=/run/src/file:/m/file",
                   "--bind-ro=/run/src/a\\:b:/m/c\\:d", "--bind=-/run/nothing:/m/nothing", "--bind-ro=+/opt/own:/m/own", "--bind=:/m/temporary", "--bind-ro=/run/other",
                   "--bind=/run/other:/over", "--tmpfs=/m/t:size=4M,mode=0750,uid=1000,gid=1001,noexec", "--tmpfs=/m/tr:ro", "--inaccessible=/secret",
                   "--inaccessible=/secret.txt", "--inaccessible=/pipe", "--bind=/run/src:/tmp/in", script=MOUNT_LOOK)
        assert s["read"] == ["file", "sub", "sub", "under", "file", "colon", "own", "other", "other", "file"]
        assert s["written"] == ["/m/rw/x", "/m/temporary/x", "/m/t/x", "/x"]
        assert s["stat"] == ["/m/t 750 1000 1001", "/m/tr 755 0 0", "/m/temporary 755 0 0", "4096"]
        assert s["hidden"] == ["directory 0 40", "regular empty file 0 0", "fifo 0 0"]
        # nothing of it is left on disk but mount points
        assert host.run(f"cd {busybox}; find m over -type f -size +0; cat secret/f secret.txt opt/own/f").stdout == "s\ns\nown\n"
        assert "x" in host.run("ls /run/src").stdout
    finally:
        host.run("umount /run/src/below; rm -r /run/src /run/other")


def test_read_only_root(host, busybox, clean):
    """The root alone is read-only: what is mounted on it is as it was asked for, and mount points that are there can be used."""
    host.run(f"mkdir -p /run/src {busybox}/data {busybox}/etc; : >{busybox}/etc/resolv.conf; chmod 777 /run/src")
    try:
        for options in ([], ["-U"]):
            s = inside(host, busybox, "--read-only", "--bind=/run/src:/data", *options, script="""
                echo "== written"; for d in / /etc /usr /var /root /data /tmp /run /dev/shm; do (: >$d/x) 2>/dev/null && echo $d; done
                mount -o remount,rw / 2>/dev/null; (: >/x) 2>/dev/null && echo remounted; :""")
            wanted = ["/data", "/tmp", "/run", "/dev/shm"]
            assert s["written"] == (wanted if options else [*wanted, "remounted"])       # without a user namespace root is root
            assert not host.exists(f"{busybox}/x") or not options
            host.run("rm", "-f", f"{busybox}/x", "/run/src/x")
        r = host.berth("run", "-q", "-P", "-M", "proto", "-D", busybox, "--read-only", "--bind=/run/src:/missing", "--", "/bin/true", check=False)
        assert r.returncode == 125 and "/missing" in r.stderr and "Hint: " in r.stderr, r
    finally:
        host.run("rm -r /run/src")


def test_journal_of_a_scope(host, busybox, clean):
    """What journalctl -u shows of a container that is no service: its start and its end, with fields to look for."""
    # of a name that no other test has: --after-cursor with -u loses the first line in systemd 252, be it systemd's own or ours
    r = host.run(f"berth list >/dev/null; berth run -q -P -M told -D {busybox} -- /bin/sh -c 'sleep 1; exit 3'", check=False)
    assert r.returncode == 3
    host.wait_for("! berth show told 2>/dev/null", 30)
    log = host.journal("-u", "machine-told.scope")
    assert re.search(r"^Container 'told' runs$.*^Container 'told' ended: exited with status 3$", log, re.M | re.S), host.journal("-n", "50", "-o", "verbose")
    found = host.journal("CONTAINER=told", "--output-fields=MESSAGE")
    assert "Container 'told' ended: exited with status 3" in found


# ---- terminals ----

WATCH = """trap 'echo now $(stty size)' WINCH; trap 'echo TERM; exit 3' TERM
echo at $(tty) $(readlink /proc/self/fd/0) $(readlink /proc/self/fd/2) $(stat -c %t:%T:%u:%a /dev/console) $(stty size); while :; do sleep 0.1; done"""


@pytest.mark.parametrize("options", MODES[:2])
def test_terminal(host, busybox, options, clean):
    """A pty of the container's own, under its name there; its size follows; the caller's is in raw mode for as long as it takes."""
    command = f"berth run -M proto {shlex.join(options)} -D {busybox} -- /bin/sh -c {shlex.quote(WATCH)}"
    with host.terminal(f"stty -g; {command}; echo status $?; stty -g", rows=40, columns=120) as t:
        before = t.expect(r"^(\S+:\S+)\r?\n")[1]
        t.expect("Container 'proto' is running; press \\^\\] three times within a second to end it")
        t.expect("at /dev/pts/0 /dev/pts/0 /dev/pts/0 88:0:0:620 40 120\r\n")
        outside = f"/proc/{host.berth('show', '-p', 'Supervisor', '--value', 'proto').out}/fd/0"
        assert "-icanon" in host.run(f"stty -a <{outside}").stdout
        host.run(f"stty rows 33 cols 99 <{outside}")
        t.expect("now 33 99")
        host.berth("terminate", "proto")
        t.expect("status 137")
        assert t.expect(r"^(\S+:\S+)\r?\n")[1] == before
    # what is typed reaches the payload as it is, but for three of these in a row
    with host.terminal(f"berth run -q -M proto {shlex.join(options)} -D {busybox} -- /bin/sh -c 'stty raw -echo; echo ready; head -c 4 | od -An -tx1; stty sane; exec sleep 1000'") as t:
        t.expect("ready")
        t.send("\x1d\x1dx\x03")
        t.expect("1d 1d 78 03")
        t.send("\x1d\x1d\x1d")
        assert t.wait(10) == 137


def test_terminal_requests(host, busybox, clean):
    """^]^]p and ^]^]r: power off, reboot."""
    with host.terminal(f"berth run -q -M proto -D {busybox} -- /bin/sh -c {shlex.quote(WATCH)}") as t:
        t.expect("at /dev/pts/0")
        t.send("\x1d\x1dp")
        t.expect("TERM")
        assert t.wait(10) == 3
    fake_init(host, busybox, 'trap "echo POWER; poweroff -f" 38; trap "echo REBOOT; reboot -f" INT; echo life; while :; do sleep 0.1; done')
    with host.terminal(f"berth run -q -b -M proto -D {busybox}") as t:
        t.expect("life")
        t.send("\x1d\x1dr")
        t.expect("REBOOT.*life")
        t.send("\x1d\x1dp")
        t.expect("POWER")
        assert t.wait(10) == 0


def test_consoles(host, busybox, clean):
    """What stdin, stdout and /dev/console are in each mode, without a terminal and with one."""
    look = 'tty >/dev/null && echo terminal $(stty size); echo out; echo err >&2; echo console >/dev/console; read -r x; echo "got $x"'
    r = host.run(f"echo line | berth run -q -M proto -D {busybox} --console=pipe -- /bin/sh -c {shlex.quote(look)}")
    assert (r.stdout, r.stderr) == ("out\ngot line\n", "err\n")
    with host.terminal(f"echo line | timeout 2 berth run -q -M proto -D {busybox} --console=read-only -- /bin/sh -c {shlex.quote(look)}; echo status $?", rows=40, columns=120) as t:
        t.expect(r"terminal 40 120\s+out\s+err\s+console")       # and nothing of what is on stdin
        t.expect("status [^0]")
        assert "got" not in t.text
    # nobody looks, and nobody waits
    r = host.run(f"timeout 10 berth run -q -M proto -D {busybox} --console=passive -- /bin/sh -c 'head -c 1000000 /dev/zero; tty'", check=False)
    assert (r.returncode, r.stdout) == (0, "")


# ---- a booted Debian ----

def test_what_a_booted_system_sees(host, machine, clean):
    """Its own tools agree on where they are, and it goes down without a complaint."""
    root = machine("proto", host.suite)
    host.run(f"rm -f {root}/etc/hostname; : >{root}/etc/machine-id")
    with host.terminal(f"berth run -bU --notify-ready=yes -M proto -D {root}") as t:
        t.expect("login: ", 60)
        leader = host.berth("show", "-p", "Leader", "--value", "proto").out
        inside = f"nsenter -t {leader} -a -r -w "
        shown = host.run(inside + "hostnamectl").stdout
        assert "Static hostname: proto" in shown or "Transient hostname: proto" in shown, shown
        assert re.search(r"Virtualization: container", shown), shown
        assert host.run(inside + "systemd-detect-virt --container", check=False).out == "container-other"
        assert host.run(inside + "systemctl --failed --no-legend").stdout == ""
        # what this systemd knows of containers
        if host.systemd >= 255:
            assert host.properties("machine-proto.scope", "CoredumpReceive") == {"CoredumpReceive": "yes"}
        # the ID that it was given is its own from now on
        given = environment(host.run(f"tr '\\0' '\\n' </proc/{leader}/environ").stdout.splitlines())["container_uuid"].replace("-", "")
        assert host.run(inside + "cat /etc/machine-id").out == given == host.berth("show", "-p", "Id", "--value", "proto").out
        # systemd's own word for how far it is
        host.wait_for("berth show -p StatusText --value proto | grep .", 20)
        host.berth("poweroff", "proto", timeout=60)
        assert t.wait() == 0
        assert "FAILED" not in t.text, t.text
    assert host.read(f"{root}/etc/machine-id").strip() == given


# ---- as a service ----

@pytest.fixture
def service(host, machine):
    """service(settings, unit=…): berth@proto.service, started; returns the Result of systemctl start."""
    machine("proto", "busybox")
    override = "/run/systemd/system/berth@proto.service.d/test.conf"

    def start(settings, unit=""):
        host.write("/etc/berth/proto.berth", settings)
        host.write(override, f"[Service]\n{unit}\n")
        host.systemctl("daemon-reload")
        return host.systemctl("start", "berth@proto.service", check=False, timeout=60)

    yield start
    host.run("systemctl kill -s KILL berth@proto.service; systemctl stop berth@proto.service; systemctl reset-failed berth@proto.service", check=False)
    host.run("rm -rf /etc/berth/proto.berth /run/systemd/system/berth@proto.service.d; systemctl daemon-reload")


QUIET = "trap 'echo down; exit 0' TERM; echo up; while :; do sleep 0.1; done"


@pytest.mark.parametrize("boot", [False, True], ids=["command", "boot"])
def test_service_in_the_eyes_of_systemd(host, service, boot):
    if boot:
        fake_init(host, "/var/lib/machines/proto", "trap 'echo down; poweroff -f' 37; echo up; while :; do sleep 0.1; done")
    settings = "Boot=yes" if boot else f'Boot=no\nParameters=/bin/sh -c "{QUIET}"'
    assert service(f"[Exec]\n{settings}\nPrivateUsers=pick\n").returncode == 0, host.journal("-u", "berth@proto.service")
    leader, supervisor = (host.berth("show", "-p", p, "--value", "proto").out for p in ("Leader", "Supervisor"))
    assert host.properties("berth@proto.service", "MainPID", "StatusText", "NotifyAccess", "Type", "Delegate", "KillMode", "TasksMax", "Slice", "DevicePolicy") == \
        {"MainPID": supervisor, "StatusText": "Container running.", "NotifyAccess": "main", "Type": "notify", "Delegate": "yes", "KillMode": "mixed",
         "TasksMax": "16384", "Slice": "machine.slice", "DevicePolicy": "closed"}
    # the payload in a group of its own, and its groups below
    base = "/sys/fs/cgroup/machine.slice/berth@proto.service"
    groups = host.run(f"cd {base} && find . -type d | sort").stdout.split()
    assert groups == ([".", "./payload", "./supervisor"] if boot else [".", "./payload"])
    assert host.read(f"{base}/payload/cgroup.procs").split()[0] == leader
    assert host.read(f"{base}/{'supervisor/' if boot else ''}cgroup.procs").split() == [supervisor]
    # what an admin looks at
    status = host.systemctl("status", "--no-pager", "-l", "berth@proto.service").stdout
    assert re.search(rf"Main PID: {supervisor} \(", status) and 'Status: "Container running."' in status and re.search(rf"[├└]─{leader} ", status), status
    tree = host.run("systemd-cgls", "--no-pager", "-u", "berth@proto.service").stdout
    assert re.search(rf"payload.*[├└]─{leader} ", tree, re.S), tree
    # little is left to the supervisor, and nothing of its mounts is in the host's sight
    left = dict(line.split(":\t", 1) for line in host.read(f"/proc/{supervisor}/status").splitlines() if ":\t" in line)
    assert names_of(left["CapEff"]) == {"KILL"} and names_of(left["CapPrm"]) <= {"KILL", "DAC_OVERRIDE"} and left["NoNewPrivs"] == "1"
    assert "/var/lib/machines/proto" not in host.read("/proc/1/mountinfo")
    start = time.monotonic()
    host.systemctl("stop", "berth@proto.service", timeout=60)
    assert time.monotonic() - start < 5
    assert host.properties("berth@proto.service", "ActiveState", "Result", "ExecMainStatus") == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    log = host.journal("-u", "berth@proto.service")
    assert re.search(r"^up$.*^down$", log, re.M | re.S), log     # the payload's own words
    assert not host.exists(base)


def test_service_is_ready_when_the_payload_is(host, service):
    host.write("/run/proto/speaker.pl", SPEAKER)
    start = time.monotonic()
    r = service(f"""[Container]\nDirectory=/lab/{host.suite}\n[Files]\nReadOnly=yes\nBindReadOnly=/run/proto:/mnt
        [Exec]\nBoot=no\nNotifyReady=yes\nParameters=perl -e 'require "/mnt/speaker.pl"; nap(0.7); report("READY=1"); report("STATUS=at work"); sleep 1000'\n""")
    assert r.returncode == 0 and time.monotonic() - start > 0.7, host.journal("-u", "berth@proto.service")
    host.wait_for("test \"$(systemctl show -P StatusText berth@proto.service)\" = 'Container running: at work'", 30)
    assert host.berth("show", "-p", "StatusText", "--value", "proto").out == "at work"
    host.systemctl("restart", "berthd.service")     # the next manager is told again
    host.wait_for("test \"$(berth show -p StatusText --value proto)\" = 'at work'", 30)
    host.run("rm -r /run/proto")


def test_service_watchdog(host, service):
    """The supervisor's own loop is watched: one that hangs is killed, and the container with it."""
    assert service(f'[Exec]\nBoot=no\nParameters=/bin/sh -c "{QUIET}"\n', unit="WatchdogSec=1").returncode == 0
    leader, supervisor = (host.berth("show", "-p", p, "--value", "proto").out for p in ("Leader", "Supervisor"))
    time.sleep(2.2)
    assert host.systemctl("is-active", "berth@proto.service").out == "active"
    host.run("kill", "-STOP", supervisor)
    host.wait_for("test $(systemctl show -P Result berth@proto.service) = watchdog", 30)
    host.wait_for(f"! test -d /proc/{leader}", 30)


def test_payload_watchdog(host, notifications, clean):
    """The payload's own word: in time, too late, and while it may not speak."""
    assert notifications('exit($ENV{WATCHDOG_USEC} != 2000000 || $ENV{WATCHDOG_PID} != $$)',
                         "--watchdog=2s")
    script = ("require '/mnt/speaker.pl'; $SIG{ABRT} = sub { print qq(aborted\\n); exit 0 }; $| = 1; report('READY=1'); "
              "for (1 .. 3) { nap(0.3); report('WATCHDOG=1') } print qq(silent\\n); %s nap(60)")
    run = ["berth", "run", "-q", "-P", "--read-only", "-D", f"/lab/{host.suite}", "--bind-ro=/run/proto:/mnt"]
    # all at once, for each of them waits; the last two: one that does not listen to SIGABRT, and a stub init before one that does
    aborted = 1, "silent\naborted\n"
    cases = [(["--watchdog=2s"], script % "", aborted), (["--watchdog=1h"], script % "report('WATCHDOG=trigger');", aborted),
             (["--watchdog=1h"], script % "report('WATCHDOG_USEC=300000');", aborted), (["--watchdog=200ms"], "sleep 60", (137, "")),
             (["--watchdog=1h", "-a"], script % "report('WATCHDOG=trigger');", (137, "silent\n"))]
    started = [host.spawn(*run, "-M", f"proto{i}", *options, "--", "perl", "-e", what, stderr=subprocess.PIPE) for i, (options, what, _) in enumerate(cases)]
    try:
        for p, (options, _, wanted) in zip(started, cases):
            out, err = (text.decode() for text in p.communicate(timeout=60))
            assert (p.returncode, out) == wanted and "did not say in time that it is well" in err, (options, p.returncode, out, err)
    finally:
        for p in started:
            host.end(p)
    run += ["-M", "proto"]
    # before it is ready, while it rests, and while it is stopped nothing is expected
    script = "require '/mnt/speaker.pl'; $| = 1; $SIG{TERM} = sub { nap(2); exit 7 }; nap(2); report('READY=1'); while (1) { report('WATCHDOG=1'); nap(0.3) }"
    p = host.spawn(*run, "--watchdog=1500ms", "--notify-ready=yes", "--", "perl", "-e", script)
    try:
        host.berth("wait", "--for=ready", "--timeout=30", "proto")
        host.berth("pause", "proto")
        time.sleep(2)
        host.berth("resume", "proto")
        time.sleep(1)
        assert host.berth("show", "-p", "State", "--value", "proto").out == "running"
        host.berth("stop", "proto")
        assert p.wait(30) == 7
    finally:
        host.end(p)


def test_service_restarts_after_its_watchdog(host, service):
    assert service(f'[Exec]\nBoot=no\nWatchdogSec=500ms\nParameters=/bin/sh -c "{QUIET}"\n', unit="Restart=on-failure").returncode == 0
    host.wait_for("test $(systemctl show -P NRestarts berth@proto.service) -ge 1", 30)
    assert "Container 'proto' ended: ended by its watchdog" in host.journal("-u", "berthd")


def test_service_reboot_and_poweroff(host, service):
    """133 from the supervisor is a restart for the unit; berth reboot and poweroff say it in the init's words."""
    fake_init(host, "/var/lib/machines/proto", "trap 'reboot -f' INT; trap 'poweroff -f' 37 38; echo life; while :; do sleep 0.1; done")
    assert service("[Exec]\nBoot=yes\n").returncode == 0
    first = host.berth("show", "-p", "Leader", "--value", "proto").out
    host.berth("reboot", "proto")
    host.wait_for("test $(systemctl show -P NRestarts berth@proto.service) = 1 && systemctl is-active berth@proto.service", 30)
    host.wait_for(f"l=$(berth show -p Leader --value proto) && test \"$l\" -gt 0 && test \"$l\" != {first}", 30)
    # the kernel's own word for it, from inside
    leader = host.berth("show", "-p", "Leader", "--value", "proto").out
    host.run(f"nsenter -t {leader} -a /bin/busybox reboot -f", check=False)
    host.wait_for("test $(systemctl show -P NRestarts berth@proto.service) = 2 && systemctl is-active berth@proto.service", 30)
    host.wait_for("berth show -p State --value proto | grep -qx running", 30)
    host.berth("poweroff", "proto")
    assert host.properties("berth@proto.service", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
