# SPDX-License-Identifier: LGPL-2.1-or-later
"""Health checks: what they say, to whom, and what is done about it."""
import json
import time

import pytest

FAST = "HealthIntervalSec=1\nHealthRetries=2\n"


@pytest.fixture
def service(host, machine, clean):
    """service(settings): berth@web.service, with a shell that ends when it is told to. Returns the container's root."""
    def start(settings, payload="trap \"exit 0\" TERM; while :; do sleep 1 & wait $!; done", check=True):
        root = machine("web", "busybox")
        host.write("/etc/berth/web.berth", f"[Exec]\nBoot=no\nPrivateUsers=pick\nParameters=/bin/sh -c '{payload}'\n[Lifecycle]\n{settings}")
        r = host.systemctl("start", "berth@web.service", timeout=60, check=False)
        assert not check or r.returncode == 0, host.journal("-u", "berth@web.service", "-u", "berthd.service", "-n", "30")
        return root

    yield start
    host.systemctl("stop", "berth@web.service", check=False, timeout=60)
    host.run("rm -rf /etc/berth/web.berth /run/systemd/system/berth@web.service.d; systemctl daemon-reload; systemctl reset-failed berth@web.service 2>/dev/null; :")


def health(host, name="web"):
    return host.berth("show", "-p", "Health", "--value", name).out


def inside(host, command):
    host.berth("exec", "web", "/bin/sh", "-c", command)


def test_ready_when_healthy(host, service):
    """The start of a service waits for the first good check, also over a manager that ends meanwhile."""
    root = "/var/lib/machines/web"
    host.run(f"(sleep 2; systemctl restart berthd.service; sleep 1; touch {root}/good) >/dev/null 2>&1 &")
    began = time.monotonic()
    service(f"HealthCommand=test -e /good\nHealthStartPeriodSec=1h\nHealthReady=yes\n{FAST}")
    assert time.monotonic() - began > 2 and host.exists(f"{root}/good")
    assert host.berth("show", "-p", "Ready", "--value", "web").out == "yes"
    # without a check there is nothing to wait for
    r = host.berth("run", "-M", "other", "-D", root, "--health-ready=yes", "--", "true", check=False)
    assert r.returncode != 0 and "HealthReady= of 'other' waits for a health check" in r.stderr and "HealthCommand=" in r.stderr, r


def test_states(host, service):
    watcher = host.spawn("sh", "-c", "exec berth events --json=short web >/run/events")
    try:
        service(f"HealthCommand=test -e /run/good\nHealthStartPeriodSec=1h\n{FAST}")
        assert health(host) == "starting"
        r = host.berth("wait", "--for=healthy", "--timeout=0.3", "web", check=False)
        assert r.returncode == 1 and "Container 'web' is not healthy yet" in r.stderr, r
        inside(host, "touch /run/good")
        host.berth("wait", "--for=healthy", "--timeout=10", "web")
        assert health(host) == "healthy"
        assert [c["health"] for c in json.loads(host.berth("list", "--json=short").stdout)] == ["healthy"]
        # the start period is over with the first success
        inside(host, "rm /run/good")
        host.wait_for("berth show -p Health --value web | grep -qx unhealthy", 30)
        assert "unhealthy" in host.berth("list").stdout
        assert "running, ready, unhealthy" in host.berth("status", "web").stdout
        inside(host, "touch /run/good")
        host.wait_for("berth show -p Health --value web | grep -qx healthy", 30)
        log = host.journal("-u", "berthd", "-n", "50")
        assert "Container 'web' is unhealthy: 'test' has exited with status 1" in log
        assert "Container 'web' is healthy again" in log
        # a manager that has just come looks for itself
        host.systemctl("restart", "berthd.service")
        host.berth("wait", "--for=healthy", "--timeout=10", "web")
    finally:
        host.end(watcher)
    events = [json.loads(line) for line in host.run("cat /run/events; rm /run/events").stdout.splitlines()]
    seen = [e["detail"] for e in events if e["event"] == "health"]
    assert seen[:3] == ["healthy", "unhealthy", "healthy"], events


def test_one_at_a_time_and_none_while_paused(host, service):
    # one that hangs fails when its time is over, and leaves nothing
    service(f"HealthCommand=/bin/sh -c 'date +%%s >>/run/begun; sleep 1000'\nHealthTimeoutSec=1\n{FAST}")
    host.wait_for("berth show -p Health --value web | grep -qx unhealthy", 20)
    assert int(host.berth("exec", "web", "/bin/sh", "-c", "pgrep sleep | wc -l").out) <= 2      # the payload's, and a check's
    host.berth("pause", "web")
    leader = host.berth("show", "-p", "Leader", "--value", "web").out
    begun = host.run(f"wc -l </proc/{leader}/root/run/begun").out
    time.sleep(2.5)
    assert host.run(f"wc -l </proc/{leader}/root/run/begun").out == begun
    assert health(host) == "unhealthy"
    host.berth("resume", "web")
    host.wait_for(f"test $(wc -l </proc/{leader}/root/run/begun) -gt {begun}", 30)


@pytest.mark.parametrize("action", ["restart", "stop", "kill"])
def test_action(host, service, action):
    if action == "kill":
        host.write("/run/systemd/system/berth@web.service.d/restart.conf", "[Service]\nRestart=on-failure\nRestartSec=0\n")
        host.systemctl("daemon-reload")
    service(f"HealthCommand=test -e /run/good\nHealthAction={action}\nHealthStartPeriodSec=1h\n{FAST}")
    inside(host, "touch /run/good")
    host.berth("wait", "--for=healthy", "--timeout=10", "web")
    first = host.berth("show", "-p", "Supervisor", "--value", "web").out
    inside(host, "rm /run/good")
    if action == "stop":
        host.berth("wait", "--timeout=20", "web")
        host.wait_for("! systemctl is-active berth@web.service")
        assert host.systemctl("is-failed", "berth@web.service", check=False).out == "inactive"
        return
    host.wait_for(f"n=$(berth show -p Supervisor --value web 2>/dev/null) && test $n -gt 0 && test $n != {first}", 20)
    host.wait_for("berth show -p Health --value web | grep -qx starting", 30)
    if action == "kill":
        assert host.properties("berth@web.service", "NRestarts")["NRestarts"] == "1"


def test_without_a_check(host, busybox, clean):
    p = host.spawn("berth", "run", "-q", "-P", "-M", "web", "-D", busybox, "--", "/bin/sh", "-c", "sleep 1000")
    try:
        host.berth("wait", "--for=running", "--timeout=10", "web")
        assert health(host) == "none"
        r = host.berth("wait", "--for=healthy", "web", check=False)
        assert r.returncode == 1 and "Container 'web' has no health check" in r.stderr and "HealthCommand=" in r.stderr, r
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)


def test_of_a_command_and_one_made_by_the_manager(host, busybox, clean):
    p = host.spawn("berth", "run", "-q", "-P", "-M", "web", "-D", busybox, "--read-only", "--health-command=true", "--health-interval=1", "--",
                   "/bin/sh", "-c", "sleep 1000")
    try:
        host.berth("wait", "--for=healthy", "--timeout=10", "web")
        host.run("busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "CreateContainer",
                 "sa{sv}a(sh)", "made", "6", "Directory", "s", busybox, "ReadOnly", "b", "true", "Parameters", "as", "2", "/bin/sleep", "1000",
                 "HealthCommand", "s", "false", "HealthRetries", "u", "1", "HealthAction", "s", "kill", "0")
        host.berth("wait", "--timeout=20", "made")
    finally:
        host.berth("terminate", "web", "made", check=False)
        host.end(p)
