# SPDX-License-Identifier: LGPL-2.1-or-later
"""berthd's D-Bus interface as users see it who are not root: the bus policy, and what polkit is asked."""
import json
import time

import pytest

NAME = "org.berth.Containers1"
PATH = "/org/berth/Containers1"
MANAGER = f"{NAME}.Manager"

#: every method of the manager, with arguments for container NAME that would do something
CALLS = {
    "ListContainers": [],
    "MeasureContainers": ["as", "0"],
    "GetContainer": ["s", "NAME"],
    "GetContainerByPID": ["u", "1"],
    "DescribeContainer": ["s", "NAME"],
    "GetSpec": ["s", "NAME"],
    "CreateContainer": ["sa{sv}a(sh)", "NAME", "1", "Directory", "s", "/var/lib/machines/busybox", "0"],
    "StopContainer": ["st", "NAME", "0"],
    "TerminateContainer": ["s", "NAME"],
    "KillContainer": ["ssi", "NAME", "all", "9"],
    "RebootContainer": ["s", "NAME"],
    "PauseContainer": ["s", "NAME"],
    "AttachContainer": ["st", "NAME", "0"],
    "ResumeContainer": ["s", "NAME"],
    "SetContainerProperties": ["sas", "NAME", "1", "TasksMax=100"],
    "ExecContainer": ["sasa{sv}ah", "NAME", "1", "true", "1", "Terminal", "b", "true", "0"],
    "OpenContainerShell": ["sssasas", "NAME", "root", "", "0", "0"],
    "OpenContainerLogin": ["s", "NAME"],
    "OpenContainerRootDirectory": ["s", "NAME"],
    "CopyToContainer": ["ssst", "NAME", "/etc/hostname", "/hostname", "0"],
    "CopyFromContainer": ["ssst", "NAME", "/etc/passwd", "/run/passwd", "0"],
    "CopyToContainerWith": ["sssta(sh)", "NAME", "/etc/hostname", "/hostname", "0", "0"],
    "CopyFromContainerWith": ["sssta(sh)", "NAME", "/etc/passwd", "/run/passwd", "0", "0"],
    "BindMountContainer": ["ssst", "NAME", "/etc", "/mnt", "0"],
    "UnbindContainer": ["ss", "NAME", "/mnt"],
    "ListContainerBinds": ["s", "NAME"],
    "GetContainerOSRelease": ["s", "NAME"],
    "GetContainerAddresses": ["s", "NAME"],
    "GetContainerUIDShift": ["s", "NAME"],
    "ListImages": [],
    "GetImage": ["s", "NAME"],
    "DescribeImage": ["s", "NAME"],
    "MeasureImage": ["s", "NAME"],
    "GetImageHostname": ["s", "NAME"],
    "GetImageMachineID": ["s", "NAME"],
    "GetImageMachineInfo": ["s", "NAME"],
    "GetImageOSRelease": ["s", "NAME"],
    "CloneImage": ["ssta(sh)", "NAME", "copy", "0", "0"],
    "RenameImage": ["ss", "NAME", "another"],
    "RemoveImage": ["s", "NAME"],
    "MarkImageReadOnly": ["sb", "NAME", "true"],
    "SetImageLimit": ["st", "NAME", "1000000"],
    "SetPoolLimit": ["t", "1000000"],
    "ListSnapshots": ["s", "NAME"],
    "CreateSnapshot": ["ssta(sh)", "NAME", "now", "0", "0"],
    "RollBackImage": ["ssa(sh)", "NAME", "now", "0"],
    "RemoveSnapshot": ["ss", "NAME", "now"],
    "PruneSnapshots": ["stt", "NAME", "3", "0"],
    "CompareSnapshot": ["ss", "NAME", "now"],
    "OpenSnapshotChanges": ["ss", "NAME", "now"],
    "CleanPool": ["s", "hidden"],
}


def as_nobody(host, *args, **kwargs):
    return host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *args, check=False, **kwargs)


@pytest.fixture
def container(host, busybox, clean):
    """A running container named "secret"."""
    p = host.spawn(f"exec berth run -q -M secret -D {busybox} -- sleep 60")
    host.wait_for("berth show secret -p State | grep -q running")
    yield "secret"
    host.berth("terminate", "secret", check=False)      # the test may have ended it
    host.end(p)


def test_every_method_is_tried(host):
    xml = host.run("busctl", "introspect", NAME, PATH, MANAGER).stdout
    methods = {line.split()[0].lstrip(".") for line in xml.splitlines() if " method " in line}
    assert methods == set(CALLS)


def test_nobody_may_do_nothing(host, container):
    """Each call of a stranger is denied, in the same words whether the container exists or not."""
    for method, args in CALLS.items():
        said = {}
        for name in (container, "other"):
            r = as_nobody(host, "busctl", "call", NAME, PATH, MANAGER, method,
                          *(name if a == "NAME" else a for a in args))
            assert r.returncode != 0, r
            assert "Access denied" in r.stderr, r
            said[name] = r.stderr
        assert said[container] == said["other"], method
    assert host.berth("show", container, "-p", "State", "--value").out == "running"


def test_nobody_sees_no_names(host, container):
    """Neither introspection nor objects, properties or signals tell which containers there are."""
    tree = as_nobody(host, "busctl", "tree", NAME)
    assert PATH in tree.stdout and container not in tree.stdout, tree
    answers = {}
    for name in (container, "other"):
        path = f"{PATH}/container/{name}"
        answers[name] = [as_nobody(host, "busctl", *words).stderr.replace(name, "NAME") for words in (
            ["introspect", NAME, path],
            ["get-property", NAME, path, f"{NAME}.Container", "State"],
            ["call", NAME, path, f"{NAME}.Container", "Terminate"],
            ["call", NAME, path, "org.freedesktop.DBus.Peer", "Ping"],
        )]
        image = f"{PATH}/image/{'busybox' if name == container else name}"
        answers[name] += [as_nobody(host, "busctl", *words).stderr.replace(image, "IMAGE") for words in (
            ["introspect", NAME, image],
            ["get-property", NAME, image, f"{NAME}.Image", "Path"],
            ["call", NAME, image, f"{NAME}.Image", "Remove"],
        )]
    assert answers[container] == answers["other"]
    for words in (["get-property", NAME, PATH, MANAGER, "NContainers"],
                  ["call", NAME, PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"]):
        r = as_nobody(host, "busctl", *words)
        assert r.returncode != 0 and "ccess denied" in r.stderr, r

    heard = host.spawn("timeout 2 setpriv --reuid=65534 --regid=65534 --clear-groups "
                       f"dbus-monitor --system \"sender='{NAME}'\" || :")
    time.sleep(0.5)
    host.berth("terminate", container)
    out = heard.communicate(timeout=20)[0].decode()
    assert "NameAcquired" in out and container not in out, out


def test_nobody_cannot_take_the_name(host):
    r = as_nobody(host, "busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                  "RequestName", "su", NAME, "0")
    assert r.returncode != 0 and "denied" in r.stderr, r


def test_the_control_socket_is_for_root(host):
    host.berth("list")
    r = as_nobody(host, "socat", "-u", "/dev/null", "UNIX-CONNECT:/run/berth/control,type=5")
    assert r.returncode != 0 and "Permission denied" in r.stderr, r


#: what a payload sees of what its supervisor was started with
PROBE = """exec >/probe/out 2>&1
grep -E '^(Cap|NoNewPrivs|Seccomp:|Umask|SigIgn|SigBlk|Groups)' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj
cut -d' ' -f4- /proc/self/mountinfo | sed 's/ [a-z_]*:[0-9]*//g'
for d in null zero full random urandom tty ptmx fuse net/tun loop0; do echo $d; (: <>/dev/$d) 2>&1 | sed 's/.*://'; done
ls -l /dev | sed 's/[A-Z][a-z][a-z]  *[0-9]* [0-9:]* / /'; env | sort | grep -v ^container_uuid; exec >&-; echo done >/probe/done"""


def test_the_managers_sandbox_stays_outside(host, busybox, clean):
    """A container made over D-Bus is what `berth run` makes: nothing of berthd.service's sandbox gets in."""
    made = {}
    for way in ("run", "dbus"):
        host.run("rm -rf /run/probe; mkdir -p /run/probe")
        if way == "run":
            host.berth("run", "-q", "--console=passive", "--bind=/run/probe:/probe", "-D", busybox, "--", "sh", "-c", PROBE)
        else:
            host.run("busctl", "call", "--", NAME, PATH, MANAGER, "CreateContainer", "sa{sv}a(sh)", "busybox",
                     "3", "Directory", "s", busybox, "Bind", "as", "1", "/run/probe:/probe",
                     "Parameters", "as", "3", "sh", "-c", PROBE, "0")
        host.wait_for("test -e /run/probe/done")
        made[way] = host.read("/run/probe/out").splitlines()
    host.run("rm -rf /run/probe")
    assert made["run"] == made["dbus"]
    assert len(made["run"]) > 60


def info(host, name):
    return json.loads(host.berth("show", "--json=short", name).stdout)[0]


def test_the_managers_exposure(host):
    """systemd's own figure for the unit's sandbox; the unit says why it cannot be less. It is in force, and the spawner has none of it."""
    path = host.systemctl("show", "-P", "FragmentPath", "berthd.service").out
    r = host.run(f"systemd-analyze security --offline=yes --threshold=28 {path}", check=False)
    assert r.returncode == 0, r.stdout.splitlines()[-1]
    host.berth("list")
    host.systemctl("start", "berth-spawner.service")
    status = {}
    for unit in ("berthd", "berth-spawner"):
        pid = host.systemctl("show", "-P", "MainPID", unit).out
        status[unit] = dict(line.split(":\t", 1) for line in host.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
        for kind in ("mnt", "net"):
            status[unit][kind] = host.run(f"readlink /proc/{pid}/ns/{kind}; readlink /proc/1/ns/{kind}").stdout.split()
    assert status["berthd"]["CapBnd"] == status["berthd"]["CapPrm"] == "0000000000000020"
    assert (status["berthd"]["NoNewPrivs"], status["berthd"]["Seccomp"]) == ("1", "2")
    assert len(set(status["berthd"]["mnt"])) == len(set(status["berthd"]["net"])) == 2
    assert (status["berth-spawner"]["NoNewPrivs"], status["berth-spawner"]["Seccomp"]) == ("0", "0")
    assert len(set(status["berth-spawner"]["mnt"])) == len(set(status["berth-spawner"]["net"])) == 1


def test_only_the_manager_has_a_spawner(host):
    """Root may connect, and is sent away: it is not the manager."""
    host.systemctl("start", "berth-spawner.socket")
    assert host.run("stat -c '%a %U' /run/berth/spawner").out == "600 root"
    client = ("import socket,struct; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(30); s.connect('/run/berth/spawner')\n"
              "try:\n s.send(struct.pack('=IIQI68s', 1, 1, 7, 0, b'')); print(s.recv(100))\n"
              "except (BrokenPipeError, ConnectionResetError): print(b'')")
    assert host.run("python3", "-c", client).out == "b''"
    program = host.systemctl("show", "-P", "ExecStart", "berth-spawner.service").stdout.split("path=")[1].split(" ")[0]
    assert host.run(program, "--version").out.startswith("berth-spawner ")
    r = host.run(program, check=False)
    assert r.returncode == 2 and "Started by systemd or berthd" in r.stderr
    host.wait_for("journalctl --sync; journalctl -b -u berth-spawner -o cat | grep -q 'refused: it is not berthd.service'", 30)


def test_what_was_started_outlives_manager_and_spawner(host, busybox, clean):
    """Neither the end of one nor that of the other ends a container; and who comes next goes on with it."""
    host.run("busctl", "call", "--", NAME, PATH, MANAGER, "CreateContainer", "sa{sv}a(sh)", "lasting",
             "3", "Directory", "s", busybox, "StopTimeoutSec", "s", "10", "Parameters", "as", "2", "sleep", "1000", "0")
    try:
        before = info(host, "lasting")
        assert "/berth-spawner.service" in host.read(f"/proc/{before['Supervisor']}/cgroup")
        for how in ("systemctl kill berthd", "systemctl kill -s KILL berthd", "systemctl kill --kill-whom=main -s KILL berth-spawner",
                    "systemctl restart berth-spawner berthd", "systemctl stop berthd berth-spawner"):
            host.run(how)
            host.wait_for("berth show -p State --value lasting | grep -qx running", 30)
            after = info(host, "lasting")
            assert {k: after[k] for k in ("Leader", "Supervisor")} == {k: before[k] for k in ("Leader", "Supervisor")}, how
            assert host.berth("exec", "lasting", "--", "echo", "here").out == "here", how
        host.berth("stop", "lasting", timeout=120)
    finally:
        host.berth("terminate", "lasting", check=False)
        host.run("systemctl start berth-spawner.service")


def test_log_control(host):
    """systemctl's own verbs for it; root only."""
    verbs = ("service-log-level", "service-log-target")
    assert [host.systemctl(v, "berthd.service").out for v in verbs] == ["info", "auto"]
    r = as_nobody(host, "busctl", "set-property", NAME, "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1", "LogLevel", "s", "emerg")
    assert r.returncode != 0 and "ccess denied" in r.stderr, r
    assert "LogLevel" in as_nobody(host, "busctl", "introspect", "--xml-interface", NAME, "/org/freedesktop/LogControl1").stdout
    r = host.systemctl("service-log-level", "berthd.service", "loud", check=False)
    assert r.returncode != 0
    try:
        host.systemctl("service-log-level", "berthd.service", "debug")
        assert host.systemctl("service-log-level", "berthd.service").out == "debug"
        host.berth("run", "-q", "-P", "--read-only", "-D", "/lab/busybox", "--", "true")
        host.wait_for("journalctl --sync; journalctl -u berthd -p debug..debug --since=-1min | grep -q 'Supervisor .* is connected'")
    finally:
        host.systemctl("service-log-level", "berthd.service", "info")


def test_scope_is_stopped_without_its_controller(host, busybox, clean):
    """A berthd that was restarted is not asked by systemd any more: the payload gets its own signal, and the time to heed it."""
    payload = "trap 'exit 3' USR1; while :; do sleep 0.1; done"
    host.run("busctl", "call", "--", NAME, PATH, MANAGER, "CreateContainer", "sa{sv}a(sh)", "late", "4", "Directory", "s", busybox, "Ephemeral", "b", "true",
             "KillSignal", "s", "SIGUSR1", "Parameters", "as", "3", "/bin/sh", "-c", payload, "0")
    try:
        host.wait_for("berth show -p State --value late | grep -qx running")
        host.systemctl("restart", "berthd.service")
        host.wait_for("berth show -p State --value late | grep -qx running && test -z \"$(systemctl show -P Controller machine-late.scope)\"", 30)
        host.systemctl("stop", "machine-late.scope", timeout=60)
        host.wait_for("journalctl -u berthd -o cat | grep \"Container 'late' ended: exited with status 3\"", 30)
    finally:
        host.berth("terminate", "late", check=False)
