# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers that are paused and go on, and services that are started again."""
import json
import time

import pytest

BEAT = "while :; do date +%s%N >/run/next; mv /run/next /run/beat; usleep 20000; done"   # never half written
KINDS = ["scope", "scope-userns", "service", "service-userns"]


def state(host, name="still"):
    return host.berth("show", "-p", "State", "--value", name).out


@pytest.fixture(params=KINDS)
def beating(request, host, machine, clean):
    """A container "still" that writes the time again and again; the shell words that read what it wrote."""
    root = machine("still", "busybox")
    userns = request.param.endswith("-userns")
    p = None
    if request.param.startswith("service"):
        host.run(f"rm {root}/sbin/init")        # a link to what everything is
        host.write(f"{root}/sbin/init", f"#!/bin/sh\n{BEAT}\n", mode="755")
        host.write("/etc/berth/still.berth", f"[Exec]\nPrivateUsers={'pick' if userns else 'no'}\nKillSignal=SIGKILL\n")
        host.systemctl("start", "berth@still.service", timeout=60)
    else:
        p = host.spawn("berth", "run", "-q", "-M", "still", "-D", root, *(["-U"] if userns else []), "--", "/bin/sh", "-c", BEAT)
    try:
        host.wait_for("berth show -p State --value still 2>/dev/null | grep -qx running", 20)
        leader = host.berth("show", "-p", "Leader", "--value", "still").out
        beat = f"cat /proc/{leader}/root/run/beat"
        host.wait_for(beat)
        yield beat
    finally:
        host.berth("terminate", "still", check=False)
        if p:
            host.end(p)
        host.systemctl("stop", "berth@still.service", check=False, timeout=60)
        host.run("rm -f /etc/berth/still.berth; systemctl reset-failed berth@still.service 2>/dev/null; :")


def test_pause_and_resume(host, beating):
    host.berth("pause", "still")
    then = host.run(beating).out        # all of it rests when the call returns
    assert state(host) == "paused"
    assert [c["state"] for c in json.loads(host.berth("list", "--json=short").stdout) if c.get("machine", c.get("name")) == "still"] == ["paused"]
    host.berth("pause", "still")        # again is no error
    # nothing can be executed in it, and what does not need its processes can be asked
    r = host.berth("exec", "still", "true", check=False)
    assert r.returncode == 125 and "paused" in r.stderr and "berth resume still" in r.stderr, r
    # a manager that has just come hears of it
    host.systemctl("restart", "berthd.service")
    host.wait_for("berth show -p State --value still | grep -qx paused", 30)
    assert host.run(beating).out == then
    host.berth("resume", "still")
    assert state(host) == "running"
    host.wait_for(f"test $({beating}) != {then}", 30)
    host.berth("resume", "still")
    assert host.berth("exec", "still", "echo", "hello").out == "hello"
    # it is stopped as others are
    host.berth("pause", "still")
    host.berth("stop", "still", timeout=30)
    host.wait_for("! berth show still 2>/dev/null | grep .", 30)


@pytest.mark.parametrize("beating", ["scope-userns", "service"], indirect=True)
def test_terminate_of_a_paused_one(host, beating):
    host.berth("pause", "still")
    host.berth("terminate", "still", timeout=30)
    host.wait_for("! berth list --no-legend | grep still", 30)


@pytest.mark.parametrize("beating", ["scope-userns", "service-userns"], indirect=True)
def test_payload_cannot_evade(host, beating):
    """The group is the payload's own, to close it as well: that changes nothing."""
    host.berth("exec", "still", "sh", "-c", "chmod 0 /sys/fs/cgroup/cgroup.events /sys/fs/cgroup/cgroup.freeze; chmod 0 /sys/fs/cgroup")
    host.berth("pause", "still")
    assert state(host) == "paused"
    then = host.run(beating).out
    host.berth("resume", "still")
    host.wait_for(f"test $({beating}) != {then}", 30)


@pytest.mark.parametrize("beating", ["scope"], indirect=True)
def test_pause_is_an_event(host, beating):
    p = host.spawn("exec berth events still >/run/events")
    try:
        # again and again, until it listens
        host.wait_for("berth pause still; berth resume still; grep -q 'state.*paused' /run/events && grep -q 'state.*running' /run/events", 30)
    finally:
        host.end(p)
        host.run("rm -f /run/events")


def test_restart(host, machine, clean):
    root = machine("again", "busybox")
    host.run(f"rm {root}/sbin/init")
    host.write(f"{root}/sbin/init", "#!/bin/sh\nexec sleep 1000\n", mode="755")
    host.write("/etc/berth/again.berth", "[Exec]\nPrivateUsers=no\nKillSignal=SIGKILL\n")
    try:
        host.berth("restart", "again", timeout=60)      # starts what does not run
        host.wait_for("berth show -p State --value again 2>/dev/null | grep -qx running", 30)
        first = host.berth("show", "-p", "Supervisor", "--value", "again").out
        host.berth("restart", "again", timeout=60)
        host.wait_for("berth show -p State --value again 2>/dev/null | grep -qx running", 30)
        assert host.berth("show", "-p", "Supervisor", "--value", "again").out != first
        assert host.properties("berth@again.service", "NRestarts") == {"NRestarts": "0"}
    finally:
        host.systemctl("stop", "berth@again.service", check=False, timeout=60)
        host.run("rm -f /etc/berth/again.berth; systemctl reset-failed berth@again.service 2>/dev/null; :")


def test_stop_all_at_once_and_say_what_is_waited_for(host, busybox, machine, clean):
    other = machine("other", "busybox")
    slow = "trap 'sleep 5; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    running = [host.spawn("berth", "run", "-q", "-P", "-M", name, "-D", root, "--", "/bin/sh", "-c", slow) for name, root in (("one", busybox), ("two", other))]
    try:
        for name in ("one", "two"):
            host.wait_for(f"berth show -p State --value {name} 2>/dev/null | grep -qx running", 20)
        host.run("sleep 0.5")       # for the traps
        began = time.monotonic()
        with host.terminal("berth stop one two nosuch") as t:
            t.expect("No container named 'nosuch'", 30)
            t.expect("Waiting for 'one'.*berth terminate one.*Waiting for 'two'", 30)
            assert t.wait() == 1
            assert time.monotonic() - began < 9.5      # not one after the other
        host.wait_for("! berth list --no-legend | grep .", 30)
        assert [p.wait(10) for p in running] == [0, 0]
    finally:
        for name, p in zip(("one", "two"), running):
            host.berth("terminate", name, check=False)
            host.end(p)
