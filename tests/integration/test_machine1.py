# SPDX-License-Identifier: LGPL-2.1-or-later
"""berthd as org.freedesktop.machine1: the unmodified programs of systemd against it, compared with what systemd-machined gives them."""
import re
import time

import pytest

NAME = "org.freedesktop.machine1"
PATH = "/org/freedesktop/machine1"
MACHINED = ["systemd-machined.service", "systemd-machined.socket"]
VARLINK = "/run/systemd/machine/io.systemd.Machine"


def owner(host):
    """Which program has the name: berthd, systemd-machine, or ""."""
    for line in host.run("busctl", "list", "--no-legend", "--acquired").stdout.splitlines():
        words = line.split()
        if words[0] == NAME and words[1] != "-":
            return words[2]
    return ""


def wait_owner(host, program, timeout=60):
    deadline = time.monotonic() + timeout
    while owner(host) != program:
        assert time.monotonic() < deadline, f"{program} does not get the name, {owner(host)!r} has it\n" + host.journal("-n", "30")
        time.sleep(0.05)


def only_berthd(host):
    host.run("systemctl", "mask", "--now", *MACHINED, check=False)
    # one that runs leaves the name free for five seconds, for a machined that is only restarted; a new one takes it
    host.run("systemctl restart berthd")
    wait_owner(host, "berthd")


def only_machined(host):
    host.run("systemctl", "unmask", *MACHINED, check=False)
    host.run("systemctl daemon-reload; systemctl start systemd-machined.socket 2>/dev/null; systemctl restart systemd-machined")
    wait_owner(host, "systemd-machine")


@pytest.fixture(scope="module")
def machined_again(host):
    """What these tests have masked is as before after the last of them."""
    yield
    host.run("systemctl", "unmask", *MACHINED, check=False)
    host.run("systemctl daemon-reload; systemctl start systemd-machined.socket 2>/dev/null || :")


@pytest.fixture
def berthd(host, machined_again):
    """berthd has the name, and machined cannot be started."""
    del machined_again
    if owner(host) != "berthd" or host.run("systemctl", "is-enabled", *MACHINED, check=False).out.split() != ["masked"] * len(MACHINED):
        only_berthd(host)


@pytest.fixture(scope="module")
def web(host):
    """A Debian in /var/lib/machines/web, without a network of its own, for berth@web and systemd-nspawn@web."""
    host.copy_tree(host.suite, "/var/lib/machines/web")
    host.write("/etc/systemd/nspawn/web.nspawn", "[Network]\nVirtualEthernet=no\n")
    yield "web"
    host.run("systemctl kill -s KILL berth@web systemd-nspawn@web 2>/dev/null; systemctl stop berth@web systemd-nspawn@web 2>/dev/null; "
             "systemctl reset-failed berth@web systemd-nspawn@web 2>/dev/null; rm -f /etc/systemd/nspawn/web.nspawn; :")
    host.remove_tree("/var/lib/machines/web")


def start(host, unit):
    r = host.systemctl("start", unit, timeout=120, check=False)
    assert r.returncode == 0, f"{r}\n{host.journal('-n', '30', '-u', unit)}"
    host.wait_for("machinectl show web -p State --value 2>/dev/null | grep -qx running", 30)
    host.wait_for("systemctl -M web is-system-running 2>/dev/null | grep -qE 'running|degraded'", 60)


def stop(host, unit):
    host.systemctl("kill", "-s", "KILL", unit, check=False)
    host.systemctl("stop", unit, check=False, timeout=60)
    host.systemctl("reset-failed", unit, check=False)
    host.wait_for("! machinectl show web 2>/dev/null", 20)


#: numbers, times and names that differ between two runs, or between the two programs
DIFFERENCES = [
    (r"systemd-nspawn@web\.service|berth@web\.service", "UNIT"),
    (r"\bsystemd-nspawn\b|\bberth-superviso\b|\bberth\b", "SERVICE"),
    (r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+(; .* ago)?", "TIME"),
    (r"\b\d{2,}\b", "N"),
    (r" +", " "),       # columns are as wide as what is in them
]


def alike(text):
    for pattern, word in DIFFERENCES:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def fields(text):
    """The labels of `machinectl status`, before processes and log."""
    head = text.split("\n\n")[0].splitlines()
    return [alike(line.strip()) for line in head[1:] if re.match(r"\s*[A-Z][\w. ]*:", line)]


def members(xml):
    """What `busctl introspect` shows, without values, of interfaces of machine1."""
    found = set()
    ours = False
    for line in xml.splitlines():
        words = line.split()
        if words[1] == "interface":
            ours = words[0].startswith(NAME)
        elif ours:
            found.add((words[0], words[1], words[2], words[3] if words[1] == "method" else ""))
    return found


#: commands whose output, status and error output have to be the same
SAME = {
    "list": ["machinectl", "list"],
    "list -a": ["machinectl", "list", "--no-legend", "--all"],
    "show": ["machinectl", "show", "web", "-p", "Name", "-p", "Class", "-p", "State", "-p", "RootDirectory", "-p", "Id", "-p", "Unit"],
    "show --value": ["machinectl", "show", "web", "--value", "-p", "Class"],
    "show manager": ["machinectl", "show", "-p", "PoolPath"],
    "systemctl": ["systemctl", "-M", "web", "is-active", "dbus.service"],
    "loginctl": ["loginctl", "-M", "web", "list-users", "--no-legend"],
    "busctl": ["busctl", "-M", "web", "get-property", "org.freedesktop.hostname1", "/org/freedesktop/hostname1",
               "org.freedesktop.hostname1", "StaticHostname"],
    "systemd-run": ["systemd-run", "-M", "web", "--quiet", "--wait", "--", "sh", "-c", "exit 3"],
    "systemctl list": ["systemctl", "list-machines", "--no-legend", "--no-pager"],
    "kill": ["machinectl", "kill", "-s", "CONT", "--kill-who=leader", "web"],
    "kill all": ["machinectl", "kill", "-s", "CONT", "web"],
    "journalctl": ["journalctl", "-M", "web", "-q", "-o", "cat", "-n", "1", "_PID=1", "MESSAGE_ID=b07a249cd024414a82dd00cd181378ff"],
    "addresses": ["sh", "-c", f"busctl call {NAME} {PATH}/machine/web {NAME}.Machine GetAddresses 2>/dev/null"],
    "os-release": ["busctl", "call", NAME, f"{PATH}/machine/web", f"{NAME}.Machine", "GetOSRelease"],
    "root directory": ["busctl", "call", NAME, PATH, f"{NAME}.Manager", "OpenMachineRootDirectory", "s", "web"],
    "terminal": ["busctl", "call", NAME, f"{PATH}/machine/web", f"{NAME}.Machine", "OpenPTY"],
    "shell": ["machinectl", "shell", "-q", "-E", "X=a b", "web", "/bin/sh", "-c", "echo \"[$X]\"; id -u; pwd; tty >/dev/null && echo tty"],
    "shell as a user": ["machinectl", "shell", "-q", "nobody@web", "/bin/sh", "-c", "id -un"],
    "map": ["busctl", "call", NAME, PATH, f"{NAME}.Manager", "MapToMachineUser", "u", "0"],
}

#: commands that fail, with the same status; the words are each program's own
WRONG = {
    "show nothing": ["machinectl", "show", "nothing"],
    "status nothing": ["machinectl", "status", "nothing"],
    "kill nothing": ["machinectl", "kill", "nothing"],
    "poweroff nothing": ["machinectl", "poweroff", "nothing"],
    "reboot nothing": ["machinectl", "reboot", "nothing"],
    "terminate nothing": ["machinectl", "terminate", "nothing"],
    "shell nothing": ["machinectl", "shell", "nothing"],
    "login nothing": ["machinectl", "login", "nothing"],
    "start nothing": ["machinectl", "start", "nothing"],
    "enable nothing": ["machinectl", "enable", "nothing"],
    "bad name": ["machinectl", "show", "a/b"],
    "systemctl -M nothing": ["systemctl", "-M", "nothing", "status"],
    "image-status nothing": ["machinectl", "image-status", "nothing"],
    "kill whom": ["machinectl", "kill", "--kill-who=x", "web"],
}


def look(host):
    said = {what: host.run(*words, check=False) for what, words in SAME.items()}
    said["status"] = host.run("machinectl", "status", "--no-pager", "web", check=False)
    said["wrong"] = {what: host.run(*words, check=False).returncode for what, words in WRONG.items()}
    said["Manager"] = host.run("busctl", "introspect", NAME, PATH).stdout
    said["Machine"] = host.run("busctl", "introspect", NAME, f"{PATH}/machine/web").stdout
    said["Image"] = host.run("busctl", "introspect", NAME, f"{PATH}/image/_2ehost").stdout
    said["tree"] = host.run("busctl", "tree", "--list", NAME).stdout
    said["errors"] = {}
    for method, args in (("GetMachine", ["s", "nothing"]), ("GetMachineByPID", ["u", "1"]), ("GetImage", ["s", "nothing"]),
                         ("GetMachineAddresses", ["s", "web"]), ("KillMachine", ["ssi", "nothing", "leader", "15"]), ("MapToMachineUser", ["u", "5"]),
                         ("MapFromMachineUser", ["su", "web", "4000000000"])):
        r = host.run("env", "SYSTEMD_LOG_LEVEL=debug", "busctl", "call", NAME, PATH, f"{NAME}.Manager", method, *args, check=False)
        said["errors"][method] = re.findall(r"error-name=(org\.\S+|System\.\S+)", r.stderr)
    return said


@pytest.fixture(scope="module")
def both(host, web):
    """What systemd's programs say of a container of nspawn's at machined, and of berth's at berthd."""
    only_machined(host)
    start(host, "systemd-nspawn@web.service")
    theirs = look(host)
    stop(host, "systemd-nspawn@web.service")
    only_berthd(host)
    start(host, "berth@web.service")
    ours = look(host)
    stop(host, "berth@web.service")
    host.run("systemctl", "unmask", *MACHINED, check=False)
    return theirs, ours


@pytest.mark.parametrize("what", SAME)
def test_same_words(both, what):
    theirs, ours = (side[what] for side in both)
    assert (alike(theirs.stdout), theirs.returncode) == (alike(ours.stdout), ours.returncode), f"{theirs}\n{ours}"


def test_status(both):
    theirs, ours = (fields(side["status"].stdout) for side in both)
    assert theirs == ours


def test_same_failures(both):
    assert both[0]["wrong"] == both[1]["wrong"]
    assert all(both[1]["wrong"].values())


@pytest.mark.parametrize("interface", ["Manager", "Machine", "Image"])
def test_same_interface(host, both, interface):
    """Nothing of machined's is missing; what the newer one has, berthd has too."""
    theirs, ours = (members(side[interface]) for side in both)
    assert theirs <= ours, theirs - ours


def test_same_objects(both):
    """But for the objects of images: berthd has them, and lists .host alone, as it does not look at the pool itself."""
    theirs, ours = ({t for t in side["tree"].split() if t.startswith(PATH)} for side in both)
    assert theirs - ours == {t for t in theirs if t.startswith(f"{PATH}/image/") and not t.endswith("_2ehost")}
    assert ours <= theirs


def test_same_errors(both):
    assert both[0]["errors"] == both[1]["errors"]
    assert all(both[1]["errors"].values())


# ---- what changes something ----

@pytest.fixture(scope="module")
def stopped_at_last(host, web):
    yield
    stop(host, "berth@web.service")


@pytest.fixture
def running(host, berthd, web, stopped_at_last):
    """berth@web.service, which goes on for the next test that wants it."""
    del stopped_at_last
    if host.systemctl("is-active", "berth@web.service", check=False).out != "active":
        start(host, "berth@web.service")
    return web


def gone(host, timeout=40):
    host.wait_for("! machinectl show web 2>/dev/null", timeout)
    host.wait_for("systemctl is-active berth@web | grep -qE 'inactive|failed'", 20)


def test_poweroff(host, running):
    host.run("machinectl", "poweroff", "web")
    gone(host)
    assert host.properties("berth@web.service", "Result") == {"Result": "success"}
    assert not host.exists("/run/systemd/machines/web")


def test_reboot(host, running):
    leader = host.run("machinectl", "show", "web", "-p", "Leader", "--value").out
    host.run("machinectl", "reboot", "web")
    host.wait_for(f"l=$(machinectl show web -p Leader --value 2>/dev/null) && test $l != {leader}", 60)


def test_terminate(host, running):
    host.run("machinectl", "terminate", "web")
    gone(host, 10)


def test_kill(host, running):
    host.run("machinectl", "kill", "-s", "KILL", "--kill-who=leader", "web")
    gone(host, 10)


def test_shell_on_a_terminal(host, running):
    with host.terminal("machinectl shell web") as t:
        t.expect("Connected to machine web")
        t.expect(r"[#$] ")
        t.send("echo $((6 * 7)); tty\n")
        t.expect("42")
        t.expect("/dev/pts/")
        t.send("exit\n")
        t.expect("Connection to machine web terminated")
        assert t.wait() == 0


def test_login(host, running):
    with host.terminal("machinectl login web") as t:
        t.expect("login: ", timeout=30)
        t.send("\x1d\x1d\x1d")
        t.expect("Machine web terminated|Connection to machine web terminated")


def test_login_ends_with_its_machine(host, running):
    # the getty of an earlier login may still be ending, on a terminal of the same number
    stop(host, "berth@web.service")
    start(host, "berth@web.service")
    with host.terminal("machinectl login web") as t:
        t.expect("login: ", timeout=30)
        host.run("machinectl", "terminate", "web")
        t.expect("Machine web terminated|Connection to machine web terminated")


def test_copy(host, running):
    host.write("/root/copied/a", "first\n")
    host.run("ln -sf a /root/copied/link && chmod 640 /root/copied/a")
    host.run("machinectl", "copy-to", "web", "/root/copied", "/root/there")
    inside = host.run("machinectl", "shell", "-q", "web", "/bin/sh", "-c", "stat -c '%U %a' /root/there/a; readlink /root/there/link; cat /root/there/a").stdout
    assert inside.split() == ["root", "640", "a", "first"], inside
    host.run("machinectl", "copy-from", "web", "/root/there/a", "/root/back")
    assert host.read("/root/back") == "first\n"
    assert host.run("stat", "-c", "%U", "/root/back").out == "root"
    host.write("/root/copied/a", "second\n")
    r = host.run("machinectl", "copy-to", "web", "/root/copied/a", "/root/there/a", check=False)
    assert r.returncode != 0 and "exist" in r.stderr, r
    host.run("machinectl", "copy-to", "--force", "web", "/root/copied/a", "/root/there/a")
    host.run("machinectl", "copy-from", "--force", "web", "/root/there/a", "/root/back")
    assert host.read("/root/back") == "second\n"
    for words in (["copy-to", "web", "/nowhere", "/x"], ["copy-from", "web", "/nowhere", "/root/x"]):
        r = host.run("machinectl", *words, check=False)
        assert r.returncode != 0 and "nowhere" in r.stderr, r
    host.run("rm -r /root/copied /root/back")


def test_killed_client_leaves_nothing(host, running):
    p = host.spawn("exec script -qec 'machinectl shell web /bin/sleep 4711' /dev/null")
    host.wait_for("pgrep -f '^/bin/sleep 4711'")
    host.end(p)
    host.run("pkill -KILL -f '[m]achinectl shell web' || :")
    host.wait_for("! pgrep -f '^/bin/sleep 4711'", 30)


def test_signals(host, berthd, busybox):
    """MachineNew and MachineRemoved, which machinectl login waits for; a user hears them, too."""
    heard = host.spawn("exec stdbuf -oL timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups "
                       f"dbus-monitor --system \"sender='{NAME}',interface='{NAME}.Manager'\" >/run/heard 2>&1")
    try:
        host.wait_for("pgrep -x dbus-monitor && grep -q NameAcquired /run/heard", 30)
        host.run("berth", "run", "-q", "-M", "short", "-D", busybox, "--", "sleep", "1")
        host.wait_for("test $(grep -c '\"short\"' /run/heard) -ge 2", 30)
        out = host.run("cat /run/heard").stdout
    finally:
        host.run("pkill -x dbus-monitor; rm -f /run/heard", check=False)
        host.end(heard)
    assert "MachineNew" in out and "MachineRemoved" in out and out.count('"short"') == 2, out


def test_pid_of_the_caller(host, berthd, debian):
    """GetMachineByPID(0) and machine/self are about who calls."""
    host.run("mkdir", "-p", f"{debian}/run/dbus")
    p = host.spawn("exec berth run -q -M debian "
                   f"--bind=/run/dbus:/run/host-dbus -D {debian} -- sleep 60")
    host.wait_for("machinectl show debian 2>/dev/null")
    leader = host.run("machinectl", "show", "debian", "-p", "Leader", "--value").out
    address = "unix:path=/run/host-dbus/system_bus_socket"
    inside = ["nsenter", "-t", leader, "-m", "-r", "-w", "sh", "-c"]
    group = host.run(f"echo /sys/fs/cgroup$(grep ^0:: /proc/{leader}/cgroup | cut -d: -f3)/cgroup.procs").out
    for words, wanted in ((f"call {NAME} {PATH} {NAME}.Manager GetMachineByPID u 0", f'"{PATH}/machine/debian"'),
                          (f"get-property {NAME} {PATH}/machine/self {NAME}.Machine Name", '"debian"')):
        # a process of the container's cgroup, seen by the bus with its number on the host
        r = host.run("sh", "-c", f"echo $$ >{group} && exec {' '.join(inside)} 'exec busctl --address={address} {words}'")
        assert wanted in r.stdout, r
    outside = host.run("busctl", "get-property", NAME, f"{PATH}/machine/self", f"{NAME}.Machine", "Name", check=False)
    assert outside.returncode != 0
    host.berth("terminate", "debian")
    host.end(p)


# ---- other programs' machines ----

@pytest.fixture
def root(host, machine):
    """A busybox that systemd-nspawn takes for an operating system."""
    path = machine("foreign", "busybox")
    host.run(f"mkdir -p {path}/etc && touch {path}/etc/os-release")
    return path


def test_nspawn_registers(host, berthd, root):
    p = host.spawn(f"exec systemd-nspawn --register=yes -q -D {root} -M foreign /bin/sleep 60")
    host.wait_for("machinectl show foreign 2>/dev/null")
    shown = host.run("machinectl", "show", "foreign").stdout
    assert "Service=systemd-nspawn\n" in shown and "Class=container\n" in shown and f"RootDirectory={root}\n" in shown
    assert "foreign" in host.berth("list").stdout
    # a manager that was killed finds it again
    host.run("systemctl kill -s KILL berthd && sleep 0.3 && systemctl start berthd")
    wait_owner(host, "berthd")
    host.wait_for("machinectl show foreign -p Service --value 2>/dev/null | grep -qx systemd-nspawn")
    host.run("machinectl", "terminate", "foreign")
    p.wait(20)
    host.wait_for("! machinectl show foreign 2>/dev/null")
    assert not host.exists("/run/systemd/machines/foreign")


def test_nspawn_unit(host, berthd, web):
    """machinectl start, which is about systemd's own unit."""
    stop(host, "berth@web.service")
    host.run("machinectl", "start", "web", timeout=120)
    assert host.run("machinectl", "show", "web", "-p", "Unit", "--value").out == "systemd-nspawn@web.service"
    host.run("machinectl", "enable", "web")
    assert host.systemctl("is-enabled", "systemd-nspawn@web.service").out == "enabled"
    host.run("machinectl", "disable", "web")
    host.wait_for("systemctl -M web is-system-running 2>/dev/null | grep -qE 'running|degraded'", 60)
    host.run("machinectl", "poweroff", "web")
    host.wait_for("! machinectl show web 2>/dev/null", 60)


def test_name_in_use(host, running):
    """What runs keeps its name."""
    host.run("mkdir -p /var/lib/machines/other && cp -a /lab/busybox/. /var/lib/machines/other/ && touch /var/lib/machines/other/etc/os-release")
    r = host.run("systemd-nspawn", "--register=yes", "-q", "-D", "/var/lib/machines/other", "-M", "web", "/bin/true", check=False)
    assert r.returncode != 0, r
    assert host.run("machinectl", "show", "web", "-p", "Service", "--value").out == "berth"
    host.remove_tree("/var/lib/machines/other")


# ---- beside systemd-machined ----

def test_machined_is_given_way(host, running):
    leader = host.run("machinectl", "show", "web", "-p", "Leader", "--value").out
    only_machined(host)
    host.wait_for("machinectl show web 2>/dev/null")
    assert host.run("machinectl", "show", "web", "-p", "Leader", "-p", "Service", "--value").out.split() == ["berth", leader]
    # what starts while it runs is registered there; what ends is unregistered
    stop(host, "berth@web.service")
    start(host, "berth@web.service")
    assert "web" in host.run("machinectl", "list", "--no-legend").stdout
    host.run("systemctl", "restart", "systemd-machined")
    host.wait_for("machinectl show web 2>/dev/null")
    assert owner(host) == "systemd-machine"
    # when it ends, berthd has the name again
    host.run("systemctl mask --now systemd-machined.socket 2>/dev/null; systemctl mask --now systemd-machined.service")
    wait_owner(host, "berthd")
    assert host.run("machinectl", "show", "web", "-p", "Service", "--value").out == "berth"
    stop(host, "berth@web.service")


# ---- who may do what ----

def test_strangers(host, running):
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert "web" in host.run(*as_nobody, "machinectl", "list").stdout
    assert "State=running" in host.run(*as_nobody, "machinectl", "show", "web").stdout
    for words in (["terminate", "web"], ["kill", "web"], ["poweroff", "web"], ["reboot", "web"], ["shell", "web"], ["login", "web"],
                  ["copy-to", "web", "/etc/passwd", "/x"], ["bind", "web", "/etc"]):
        r = host.run(*as_nobody, "machinectl", "--no-ask-password", *words, check=False)
        assert r.returncode != 0, r
    r = host.run(*as_nobody, "busctl", "call", NAME, PATH, f"{NAME}.Manager", "RegisterMachine", "sayssus", "mine", "0", "x", "container", "0",
                 "/", check=False)
    assert r.returncode != 0 and "denied" in r.stderr, r
    # what is root's on the other name stays so
    r = host.run(*as_nobody, "busctl", "get-property", "org.berth.Containers1", "/org/berth/Containers1/container/web",
                 "org.berth.Containers1.Container", "State", check=False)
    assert r.returncode != 0, r
    unique = host.run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", "s", NAME).stdout
    r = host.run(*as_nobody, "busctl", "call", unique.split('"')[1], "/org/berth/Containers1", "org.berth.Containers1.Manager",
                 "ListContainers", check=False)
    assert r.returncode != 0, r
    assert host.run("machinectl", "show", "web", "-p", "State", "--value").out == "running"


RULE = """
polkit.addRule(function(action, subject) {
        if (action.id == "org.freedesktop.machine1.manage-machines" && subject.user == "nobody" && action.lookup("machine") == "web")
                return polkit.Result.YES;
});
"""


def test_rules_for_machined_hold(host, running, busybox):
    """A rule for one machine is for that one."""
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    p = host.spawn(f"exec berth run -q -M other -D {busybox} -- sleep 60")
    host.wait_for("machinectl show other 2>/dev/null")
    host.write("/etc/polkit-1/rules.d/10-test.rules", RULE)
    try:
        host.run("systemctl restart polkit")
        r = host.run(*as_nobody, "machinectl", "--no-ask-password", "terminate", "other", check=False)
        assert r.returncode != 0, r
        host.run(*as_nobody, "machinectl", "--no-ask-password", "kill", "-s", "CONT", "web")
        r = host.run(*as_nobody, "machinectl", "--no-ask-password", "shell", "web", "/bin/true", check=False)
        assert r.returncode != 0, r     # that is another action
        host.run(*as_nobody, "machinectl", "--no-ask-password", "terminate", "web")
        gone(host, 10)
        assert host.run("machinectl", "show", "other", "-p", "State", "--value").out == "running"
    finally:
        host.run("rm /etc/polkit-1/rules.d/10-test.rules; systemctl restart polkit")
        host.berth("terminate", "other")
        host.end(p)


def test_each_method_is_in_the_policy(host, running):
    policy = host.read("/usr/share/dbus-1/system.d/org.berth.machine1.conf")
    for path, interface in ((PATH, "Manager"), (f"{PATH}/machine/web", "Machine"), (f"{PATH}/image/web", "Image")):
        shown = host.run("busctl", "introspect", NAME, path, f"{NAME}.{interface}").stdout
        methods = {line.split()[0].lstrip(".") for line in shown.splitlines() if " method " in line}
        assert methods, shown
        allowed = set(re.findall(rf'send_interface="{NAME}.{interface}" send_member="(\w+)"', policy))
        assert methods <= allowed, methods - allowed


# ---- Varlink ----

def varlink(host, method, parameters="{}", *options, address=VARLINK, check=True, prefix=()):
    return host.run(*prefix, "varlinkctl", "call", *options, address, method, parameters, check=check)


@pytest.mark.suites("forky")
def test_varlink(host, running):
    assert "io.systemd.Machine" in host.run("varlinkctl", "info", VARLINK).stdout
    assert "NoSuchMachine" in host.run("varlinkctl", "introspect", VARLINK, "io.systemd.Machine").stdout
    assert '"name":"web"' in varlink(host, "io.systemd.Machine.List", '{"name":"web"}', "-j").stdout
    everything = varlink(host, "io.systemd.Machine.List", "{}", "--more", "-j").stdout
    assert '"web"' in everything and '".host"' in everything
    r = varlink(host, "io.systemd.Machine.List", '{"name":"nothing"}', check=False)
    assert r.returncode != 0 and "NoSuchMachine" in r.stderr
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert "controlAddress" not in varlink(host, "io.systemd.Machine.List", '{"name":"web"}', prefix=as_nobody).stdout
    r = varlink(host, "io.systemd.Machine.Terminate", '{"name":"web"}', prefix=as_nobody, check=False)
    assert r.returncode != 0 and "ermission denied" in r.stderr, r


@pytest.mark.suites("forky")
def test_pause(host, berthd, busybox):
    p = host.spawn(f"exec berth run -q -M still -D {busybox} -- sh -c 'while :; do usleep 50000; date +%s%N >/tmp/beat; done'")
    host.wait_for("machinectl show still 2>/dev/null")
    leader = host.run("machinectl", "show", "still", "-p", "Leader", "--value").out
    beat = f"cat /proc/{leader}/root/tmp/beat"
    host.wait_for(beat)
    host.run("machinectl", "pause", "still")
    time.sleep(0.2)
    then = host.run(beat).out
    time.sleep(0.5)
    assert host.run(beat).out == then
    host.run("machinectl", "resume", "still")
    host.wait_for(f"test $({beat}) != {then}", 30)
    host.run("machinectl", "terminate", "still")
    p.wait(20)
    assert not host.exists("/run/systemd/machine/berth.still")
