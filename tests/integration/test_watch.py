# SPDX-License-Identifier: LGPL-2.1-or-later
"""Verbs that wait for things to happen: wait, events, logs."""
import json
import os
import select
import signal
import time

import pytest


@pytest.fixture
def sleeper(host, busybox):
    """sleeper(command): a container 'web' that runs a shell command."""
    running = []

    def start(command="sleep 1000"):
        p = host.spawn("berth", "run", "-q", "-P", "-M", "web", "-D", busybox, "--", "/bin/sh", "-c", command)
        running.append(p)
        return p

    yield start
    host.berth("terminate", "web", check=False)
    for p in running:
        host.end(p)


def test_wait_for_the_end(host, sleeper, clean):
    assert host.berth("wait", "nothere", "neither", timeout=5).out == ""
    p = sleeper("read x </dev/null; sleep 2; exit 3")
    host.berth("wait", "--for=running", "--timeout=10s", "web")
    r = host.berth("wait", "--timeout=0.2s", "web", check=False)
    assert r.returncode == 1 and r.stderr.startswith("berth: Container 'web' is not stopped yet"), r
    host.berth("wait", "web", "nothere", timeout=10)
    assert p.wait(5) == 3


def test_wait_for_what_is_not_there_yet(host, sleeper, clean):
    waiter = host.spawn("berth", "wait", "--for=ready", "web")
    time.sleep(0.5)
    assert waiter.poll() is None
    p = sleeper()
    assert waiter.wait(10) == 0
    host.end(waiter)
    host.berth("terminate", "web")
    p.wait(10)


def test_wait_outlives_the_manager(host, sleeper, clean):
    p = sleeper()
    host.berth("wait", "--for=ready", "web", timeout=10)
    waiter = host.spawn("berth", "wait", "web")
    for _ in range(3):
        time.sleep(0.3)
        host.systemctl("kill", "-s", "KILL", "berthd.service", check=False)
    time.sleep(1)
    assert waiter.poll() is None
    host.berth("terminate", "web")
    assert waiter.wait(10) == 0
    host.end(waiter)
    p.wait(10)


def test_wait_tells_of_an_end_before_its_time(host, machine, clean):
    host.write("/etc/berth/web.berth", "[Exec]\nBoot=no\nNotifyReady=yes\nParameters=/bin/sh -c 'sleep 2; exit 7'\n")
    machine("web", "busybox")
    try:
        waiter = host.spawn("berth", "wait", "--for=ready", "web")
        host.systemctl("start", "--no-block", "berth@web.service")
        out, _ = waiter.communicate(timeout=15)
        assert waiter.returncode == 1
        assert out.decode() == "berth: Container 'web' has ended before it was ready: exited with status 7\n"
    finally:
        host.systemctl("stop", "berth@web.service", check=False)
        host.systemctl("reset-failed", "berth@web.service", check=False)
        host.run("rm -f /etc/berth/web.berth")


def lines_of(popen, count, timeout=10):
    """So many lines as they come: the command goes on."""
    deadline, text = time.monotonic() + timeout, b""
    while text.count(b"\n") < count:
        assert select.select([popen.stdout], [], [], max(0, deadline - time.monotonic()))[0], text
        chunk = os.read(popen.stdout.fileno(), 65536)
        assert chunk, text
        text += chunk
    return text.decode().splitlines()


def test_events(host, sleeper, clean):
    host.berth("list")
    watcher = host.spawn("berth", "events", "--json=short", "web")
    plain = host.spawn("berth", "events")
    try:
        time.sleep(0.5)
        p = sleeper("exit 5")
        p.wait(10)
        events = [json.loads(line) for line in lines_of(watcher, 3)]
        assert events[0]["event"] == "new" and events[0]["detail"] is None
        assert {e["name"] for e in events} == {"web"}
        assert abs(events[0]["time_usec"] / 1e6 - time.time()) < 60
        while events[-1]["event"] != "removed":
            events += [json.loads(line) for line in lines_of(watcher, 1)]
        assert events[-1]["detail"] == "exited with status 5"
        assert "state" in {e["event"] for e in events}
        assert any("web removed: exited with status 5" in line for line in lines_of(plain, len(events)))
    finally:
        host.end(watcher)
        host.end(plain)


def test_logs(host, machine, clean):
    host.write("/etc/berth/web.berth", "[Exec]\nBoot=no\nParameters=/bin/sh -c 'echo first; echo second; sleep 1; printf \"\\\\033[31mred\\\\033[0m\\\\n\"; sleep 1000'\n")
    machine("web", "busybox")
    try:
        host.systemctl("start", "berth@web.service")
        host.wait_for("journalctl --sync; berth logs web | grep -q second")
        assert host.berth("logs", "-n", "1", "web").stdout.count("\n") == 1
        follower = host.spawn("berth", "logs", "-f", "-n", "2", "web")
        lines = lines_of(follower, 3)
        assert any(line.endswith(": red") for line in lines), lines
        follower.send_signal(signal.SIGTERM)
        host.end(follower)
        host.systemctl("kill", "-s", "KILL", "berth@web.service")
        host.wait_for("! systemctl is-active berth@web.service")
        assert "second" in host.berth("logs", "web").stdout      # when it has ended, too
    finally:
        host.systemctl("stop", "berth@web.service", check=False)
        host.systemctl("reset-failed", "berth@web.service", check=False)
        host.run("rm -f /etc/berth/web.berth")
    r = host.berth("logs", "../x", check=False)
    assert r.returncode == 1 and "not a valid container name" in r.stderr
