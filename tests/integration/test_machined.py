# SPDX-License-Identifier: LGPL-2.1-or-later
"""One container of systemd-nspawn's, under systemd-machined and then under berthd: every verb of machinectl, what it says and what it does."""
import re

import pytest
from test_machine1 import MACHINED, NAME, PATH, alike, fields, only_berthd, only_machined

UNIT = "systemd-nspawn@web.service"

#: lines for sh, in this order; output, error output and exit status have to be the same
VERBS = {
    "list": "machinectl list",
    "list as JSON": "machinectl list -o json | tr ',' '\\n' | sort",
    "no legend": "machinectl --no-legend --max-addresses=1 list",
    "one property": "machinectl show web -P Class -P Service -P Unit",
    "uid shift": f"busctl call {NAME} {PATH} {NAME}.Manager GetMachineUIDShift s web",
    "hosts": "getent hosts web",
    "shell": "machinectl shell -q web /bin/sh -c 'id -un; echo $TERM | wc -l; exit 3'",
    "shell for a user": "machinectl shell -q --uid=nobody web /bin/sh -c 'id -un; pwd'",
    "shell with a variable": "machinectl shell -q -E A='b c' web /bin/sh -c 'echo \"$A\"'",
    "copy in": "machinectl copy-to web /srv/twin /srv/in && machinectl shell -q web /bin/sh -c 'cd /srv/in; find . | sort; cat d/f; readlink l; stat -c %a d/f'",
    "copy in, existing": "machinectl copy-to web /srv/twin/d/f /srv/in/d/f 2>/dev/null",
    "copy in, replaced": "machinectl copy-to --force web /srv/twin/other /srv/in/d/f && machinectl shell -q web /bin/cat /srv/in/d/f",
    "copy in, to a place that is not there": "machinectl copy-to web /srv/twin/other /srv/a/b/c 2>/dev/null; echo $?; machinectl shell -q web /bin/ls -R /srv/a",
    "copy in, nothing": "machinectl copy-to web /srv/nothing /srv/x 2>/dev/null",
    "copy in, relative": "machinectl copy-to web srv/twin /srv/x 2>/dev/null",
    "copy in, over a directory": "machinectl copy-to web /srv/twin /srv/in 2>/dev/null; machinectl shell -q web /bin/ls -R /srv/in",
    "copy in, over an empty directory": "machinectl shell -q web /bin/mkdir -p /srv/empty; machinectl copy-to web /srv/twin /srv/empty 2>/dev/null; echo $?",
    "copy in, a file over a directory": "machinectl copy-to web /srv/twin/other /srv/in 2>/dev/null",
    "copy in, a file over a directory, by force": "machinectl copy-to --force web /srv/twin/other /srv/empty 2>/dev/null; echo $?; "
                                                  "machinectl shell -q web /bin/sh -c 'test -d /srv/empty; echo $?'",
    "copy in, over the root": "machinectl copy-to web /srv/twin / 2>/dev/null",
    "copy in, a directory over a directory, by force": "machinectl shell -q web /bin/sh -c 'mkdir -p /srv/merge/d; echo k >/srv/merge/keep; echo k >/srv/merge/d/f'; "
                                                       "machinectl copy-to --force web /srv/twin /srv/merge 2>/dev/null; echo $?; "
                                                       "machinectl shell -q web /bin/sh -c 'ls -R /srv/merge; cat /srv/merge/d/f'",
    "copy out, a directory over a directory, by force": "mkdir -p /srv/out2/twin; echo k >/srv/out2/keep; machinectl copy-from --force web /srv/merge /srv/out2; ls -R /srv/out2; "
                                                        "rm -r /srv/out2",
    "copy in, a link": "machinectl copy-to web /srv/twin/l /srv/l 2>&1 && machinectl shell -q web /bin/readlink /srv/l",
    "copy in through a link": "machinectl shell -q web /bin/ln -s /srv/victim /srv/way; machinectl copy-to web /srv/twin/other /srv/way/x 2>/dev/null; ls /srv/victim",
    "copy in, owners": "chown -R 4242:4243 /srv/twin/d; machinectl copy-to web /srv/twin/d /srv/owned && machinectl shell -q web /usr/bin/stat -c '%u %g %a %Y' /srv/owned/f | "
                       "sed \"s/$(stat -c %Y /srv/twin/d/f)/kept/\"; chown -R 0:0 /srv/twin",
    "copy out": "machinectl copy-from web /srv/in /srv/out && cd /srv/out && find . | sort && cat d/f && readlink l",
    "copy out, existing": "machinectl copy-from web /srv/in/d/f /srv/out/d/f 2>/dev/null",
    "copy out, replaced": "machinectl copy-from --force web /usr/lib/os-release /srv/out/d/f && cmp /srv/out/d/f /var/lib/machines/web/usr/lib/os-release",
    "copy out, a link": "machinectl copy-from web /etc/os-release /srv/out/link && readlink /srv/out/link",
    "copy out, nothing": "machinectl copy-from web /srv/nothing /srv/y 2>/dev/null",
    "bind": "machinectl bind --mkdir web /srv/twin /srv/bound && machinectl shell -q web /bin/sh -c 'cat /srv/bound/d/f; echo x >/srv/bound/made' && cat /srv/twin/made",
    "bind, same path": "machinectl bind --mkdir web /srv/twin && machinectl shell -q web /bin/ls /srv/twin",
    "bind a file": "machinectl bind --mkdir web /srv/twin/other /srv/file && machinectl shell -q web /bin/cat /srv/file",
    "bind, read-only": "machinectl bind --mkdir --read-only web /srv/twin /srv/ro && machinectl shell -q web /bin/sh -c '(echo x >/srv/ro/y) 2>/dev/null || echo not written'; ls /srv/twin",
    "bind, no mount point": "machinectl bind web /srv/twin /srv/missing 2>/dev/null",
    "bind, nothing": "machinectl bind --mkdir web /srv/nothing /srv/b 2>/dev/null",
    "bind, relative": "machinectl bind --mkdir web srv/twin /srv/b 2>/dev/null",
    "bind, relative there": "machinectl bind --mkdir web /srv/twin srv/b 2>/dev/null",
    "bind through a link": "machinectl shell -q web /bin/ln -s /srv/victim /srv/link; machinectl bind --mkdir web /srv/twin /srv/link/x; ls /srv/victim",
    "kill": "machinectl kill -s CONT --kill-who=leader web; machinectl kill -s CONT web",
    "systemctl": "systemctl -M web is-system-running --wait | sed s/degraded/running/",
    "journalctl": "journalctl -M web -q -n 1 -o cat -t no-such-tag; echo $?",
    # who has just left may still be there
    "loginctl": "loginctl -M web --no-legend list-users | awk '/root/ {print $1, $2}'",
    "systemd-run": "systemd-run -M web -q --pipe --wait cat </srv/twin/other; systemd-run -M web -q --wait sh -c 'exit 7'",
    "busctl": "busctl -M web status org.freedesktop.systemd1 >/dev/null",
    "enable": "machinectl -q enable web; systemctl is-enabled systemd-nspawn@web; machinectl -q disable web; systemctl is-enabled systemd-nspawn@web",
    "start again": "machinectl start web",
    "poweroff nothing": "machinectl poweroff nothing 2>/dev/null",
}

#: what machined 252 cannot do, and 262 can
NEWER = {"bind through a link"}

#: of a property of the same name, what is each time another one
CHANGING = {"Id", "Timestamp", "TimestampMonotonic", "Leader", "LeaderPIDFDId", "Supervisor", "SupervisorPIDFDId"}


def wait_up(host):
    host.wait_for("machinectl show web -p State --value 2>/dev/null | grep -qx running", 30)
    host.wait_for("systemctl -M web is-system-running 2>/dev/null | grep -qE 'running|degraded'", 90)


def wait_gone(host):
    host.wait_for("! machinectl show web >/dev/null 2>&1", 60)
    host.wait_for(f"systemctl is-active {UNIT} | grep -qE 'inactive|failed'", 30)
    host.systemctl("reset-failed", UNIT, check=False)


def login(host):
    """What a login prompt says around what getty does."""
    with host.terminal("machinectl login web") as t:
        t.expect("login: ", timeout=60)
        t.send("\x1d\x1d\x1d")
        t.expect("terminated")
        text, status = t.text, t.wait()
    return [line.strip() for line in text.splitlines() if "machine web" in line.lower()], status


def live(host):
    """All of it for the container that is started, reboots, and is ended in three ways."""
    said = {}
    host.run("rm -rf /srv/twin /srv/out /srv/victim /var/lib/machines/web/srv/*; mkdir -p /srv/twin/d /srv/victim; echo first >/srv/twin/d/f; "
             "chmod 640 /srv/twin/d/f; echo other >/srv/twin/other; ln -s d/f /srv/twin/l")
    said["start"] = host.run("machinectl", "start", "web", timeout=120, check=False)
    wait_up(host)
    for what, line in VERBS.items():
        said[what] = host.run(line, check=False, timeout=90)
    said["status"] = fields(host.run("machinectl", "status", "--no-pager", "web").stdout)
    said["show"] = dict(line.split("=", 1) for line in host.run("machinectl", "show", "web").stdout.splitlines())
    said["login"] = login(host)
    leader = host.run("machinectl", "show", "web", "-p", "Leader", "--value").out
    said["reboot"] = host.run("machinectl", "reboot", "web", check=False)
    host.wait_for(f"l=$(machinectl show web -p Leader --value 2>/dev/null) && test $l != {leader}", 60)
    wait_up(host)
    said["poweroff"] = host.run("machinectl", "poweroff", "web", check=False)
    wait_gone(host)
    for how in (["terminate", "web"], ["kill", "-s", "KILL", "--kill-who=leader", "web"]):
        host.run("machinectl", "start", "web", timeout=120)
        wait_up(host)       # an init that has just begun loses the signal with which systemd-nspawn ends it, and the unit waits for 90 s
        said[how[0] + " at the end"] = host.run("machinectl", *how, check=False)
        wait_gone(host)
        said[how[0] + ", and then"] = host.run("machinectl show web 2>/dev/null; machinectl list; ls /run/systemd/machines", check=False)
    return said


@pytest.fixture(scope="module")
def twins(host):
    host.copy_tree(host.suite, "/var/lib/machines/web")
    # machined binds nothing where there is a user namespace
    host.write("/etc/systemd/nspawn/web.nspawn", "[Network]\nVirtualEthernet=no\n[Exec]\nPrivateUsers=no\n")
    try:
        only_machined(host)
        theirs = live(host)
        only_berthd(host)
        ours = live(host)
        yield theirs, ours
    finally:
        host.run("systemctl", "unmask", *MACHINED, check=False)
        host.run(f"systemctl kill -s KILL {UNIT} 2>/dev/null; systemctl stop {UNIT} 2>/dev/null; systemctl reset-failed {UNIT} 2>/dev/null; "
                 "systemctl daemon-reload; systemctl start systemd-machined.socket 2>/dev/null; "
                 "rm -rf /etc/systemd/nspawn/web.nspawn /srv/twin /srv/out /srv/victim; :")
        host.remove_tree("/var/lib/machines/web")


@pytest.mark.campaign("bookworm")
@pytest.mark.plain
def test_same_words(host, twins):
    """Every line, its output and its exit status; all that differ are told at once."""
    theirs, ours = twins
    different = []
    for what, t in theirs.items():
        o = ours[what]
        if not hasattr(t, "returncode"):
            continue
        if what in NEWER and host.suite == "bookworm":
            continue
        if (t.returncode, alike(t.stdout), alike(t.stderr)) != (o.returncode, alike(o.stdout), alike(o.stderr)):
            different.append(f"{what}\nmachined: {t}\nberthd: {o}")
    assert not different, "\n".join(different)


@pytest.mark.campaign("bookworm")
@pytest.mark.plain
def test_they_did_something(twins):
    """The lines are not the same because both fail."""
    for said in twins:
        for what in ("copy in", "copy in, replaced", "copy out", "copy out, replaced", "bind", "bind, same path", "bind a file", "kill", "start", "reboot", "poweroff",
                     "terminate at the end", "kill at the end", "shell", "shell with a variable"):
            assert said[what].returncode == 0, said[what]
        assert "not written" in said["bind, read-only"].stdout
        for what in ("copy in, existing", "copy out, existing", "copy in, nothing", "copy out, nothing", "bind, nothing", "bind, relative", "bind, no mount point"):
            assert said[what].returncode != 0, said[what]


@pytest.mark.campaign("bookworm")
@pytest.mark.plain
def test_same_status(twins):
    assert twins[0]["status"] == twins[1]["status"]


@pytest.mark.campaign("bookworm")
@pytest.mark.plain
def test_same_properties(twins):
    """Of all that the older one has; and each of these has a value where it has one."""
    theirs, ours = (side["show"] for side in twins)
    assert set(theirs) <= set(ours), set(theirs) - set(ours)
    assert {k: v for k, v in theirs.items() if k not in CHANGING} == {k: ours[k] for k in theirs if k not in CHANGING}
    assert {k for k in CHANGING if theirs.get(k) not in (None, "", "0")} == {k for k in CHANGING if k in theirs and ours.get(k) not in (None, "", "0")}


@pytest.mark.campaign("bookworm")
@pytest.mark.plain
def test_same_login(twins):
    assert twins[0]["login"] == twins[1]["login"]
    assert re.search("Connected to machine web", str(twins[0]["login"]))


# ---- beyond machined ----

def test_bind_with_a_user_namespace(host, machine):
    """machined refuses this; the unmodified machinectl works with it here."""
    machine("web")
    only_berthd(host)
    p = host.spawn("berth run -q -b -U -M web -D /var/lib/machines/web")
    try:
        wait_up(host)
        host.run("mkdir -p /srv/twin; echo hello >/srv/twin/f")
        host.run("machinectl bind --mkdir web /srv/twin /srv/a && machinectl bind --mkdir --read-only web /srv/twin /srv/b")
        r = host.run("machinectl shell -q web /bin/sh -c 'stat -c %U /srv/a/f; echo new >/srv/a/made; echo x >/srv/b/made'", check=False)
        assert "root" in r.stdout and "Read-only file system" in r.stdout, r
        assert host.run("stat -c %u /srv/twin/made").out == "0"
        r = host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "machinectl", "--no-ask-password", "bind", "web", "/etc", "/srv/a", check=False)
        assert r.returncode != 0 and re.search("denied|required", r.stderr), r
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)
        host.run("rm -rf /srv/twin")
        host.run("systemctl", "unmask", *MACHINED, check=False)


def test_machined_ends_the_container_and_not_the_manager(host, busybox, clean):
    """Whom machined takes for a machine's supervisor gets its SIGTERM; that is not berthd, who looks after all the others."""
    only_machined(host)
    host.berth("list")
    manager = host.properties("berthd.service", "MainPID")["MainPID"]
    for how in (["terminate", "web"], ["kill", "-s", "KILL", "web"], ["kill", "--kill-who=leader", "-s", "KILL", "web"]):
        p = host.spawn("berth", "run", "-q", "-M", "web", "-D", busybox, "--", "sleep", "1000")
        try:
            host.wait_for("machinectl show web 2>/dev/null", 30)
            unit, ours, theirs = (host.run(line).out for line in (
                "berth show -p Unit --value web", "berth show -p Supervisor --value web", "machinectl show web -p Supervisor --value"))
            assert theirs in ("", ours) and ours != manager     # before version 258 there is none
            host.run("machinectl", *how)
            host.wait_for(f"! berth list --no-legend | grep -q web && ! systemctl is-active -q {unit}", 30)
        finally:
            host.end(p)
    # one that begins again: what machined sends because its leader has ended is nothing to the next one
    p = host.berth("run", "-q", "-P", "-M", "web", "-D", busybox, "--", "/bin/sh", "-c",
                   "echo life >>/lives; [ $(wc -l </lives) -ge 12 ] && exit 9; usleep 20000; reboot -f; sleep 5", check=False, timeout=60)
    assert p.returncode == 9, p
    # those that end by themselves, before machined has looked, and after
    host.run(f"for i in $(seq 20); do berth run -q -P -M short-$i -D {busybox} -- sleep 0.0$(($i % 4)); done")
    host.wait_for("test -z \"$(machinectl list --no-legend)\"", 30)
    assert host.properties("berthd.service", "MainPID")["MainPID"] == manager


#: a network of both protocols; names for its addresses are found where the host itself has none (-A)
NETWORK = """ip link add v0 address 02:00:00:00:00:07 type veth peer name v1 address 02:00:00:00:00:08 && ip address add 192.0.2.7/24 dev v0 &&
ip address add 2001:db8::7/64 dev v0 nodad && echo 0 >/proc/sys/net/ipv6/conf/v0/accept_dad && echo 0 >/proc/sys/net/ipv6/conf/v1/accept_dad &&
ip link set v0 up && ip link set v1 up"""
NAMES = {
    "addresses": f"busctl call {NAME} {PATH} {NAME}.Manager GetMachineAddresses s web",
    "IPv4": "getent -A ahostsv4 web",
    "IPv6": "getent -A ahostsv6 web",
    "both": "getent -A ahosts web | sort",
    "host": "getent hosts web",
    "list": "machinectl list --no-legend --max-addresses=all",
    "another": "getent -A ahosts other",
}


def names_before_and_after(host, run):
    """What is said of container web when it has no address yet, and when it has four."""
    said = {}
    p = host.spawn(run)
    try:
        host.wait_for("machinectl show web -p State --value 2>/dev/null | grep -qx running", 60)
        for what, line in NAMES.items():
            said[f"{what}, none yet"] = host.run(line, check=False)
        leader = host.run("machinectl", "show", "web", "-p", "Leader", "--value").out
        host.run(f"nsenter -t {leader} -n sh -ec '{NETWORK}'")
        host.wait_for(f"test $(nsenter -t {leader} -n ip -6 -o address show scope link | grep -vc tentative) = 2", 30)
        for what, line in NAMES.items():
            said[what] = host.run(line, check=False)
        host.run("machinectl", "terminate", "web")
        host.wait_for("! machinectl show web >/dev/null 2>&1", 30)
    finally:
        host.end(p)
        host.run("systemctl stop machine-web.scope 2>/dev/null; systemctl reset-failed machine-web.scope 2>/dev/null; :")
    return {what: (r.returncode, r.stdout) for what, r in said.items()}


def test_names_of_hosts(host, machine):
    """nss-mymachines finds the addresses of a container by its name, all that it finds with machined, in the same order."""
    root = machine("web", "busybox")
    assert "mymachines" in host.read("/etc/nsswitch.conf")
    spawn = f"systemd-nspawn -q --private-network -M web -D {root} sleep 1000"
    try:
        only_machined(host)
        theirs = names_before_and_after(host, spawn)
        only_berthd(host)
        ours = names_before_and_after(host, spawn)
        own = names_before_and_after(host, f"berth run -q -U --private-network -M web -D {root} -- sleep 1000")
    finally:
        host.run("systemctl", "unmask", *MACHINED, check=False)
    assert theirs["IPv4, none yet"][0] == theirs["IPv6, none yet"][0] == theirs["another"][0] == 2
    assert {line.split()[0] for line in theirs["IPv4"][1].splitlines()} == {"192.0.2.7"}
    assert {line.split()[0] for line in theirs["IPv6"][1].splitlines()} == {"2001:db8::7", "fe80::ff:fe00:7", "fe80::ff:fe00:8"}
    assert theirs["addresses"][1].startswith("a(iay) 4 2 4 192 0 2 7 10 16 32 1 13 184 ")
    assert ours == theirs
    own["list"] = own["list, none yet"] = theirs["list"] = theirs["list, none yet"] = None     # says who made it
    assert own == theirs
