# SPDX-License-Identifier: LGPL-2.1-or-later
"""Order and dependencies of containers, from their settings to systemd's units."""
import json

import pytest

PAYLOAD = "[Exec]\nBoot=no\nPrivateUsers=pick\nParameters=/bin/sh -c 'trap \"exit 0\" TERM; while :; do sleep 1 & wait $!; done'\n[Lifecycle]\n"
NAMES = ["web", "db"]


@pytest.fixture
def two(host, machine, clean):
    for name in NAMES:
        machine(name, "busybox")
        host.write(f"/etc/berth/{name}.berth", PAYLOAD)
    yield
    for name in NAMES:
        host.systemctl("stop", f"berth@{name}.service", check=False, timeout=60)
    host.run("rm -rf /etc/berth/web.berth /etc/berth/db.berth /etc/berth/web.berth.d; systemctl reset-failed 'berth@*.service' 2>/dev/null; systemctl daemon-reload", timeout=60)


def edit(host, name, lines):
    host.run(f"printf '%s' '[Lifecycle]\n{lines}' | berth edit --quiet --stdin --drop-in=order {name}", timeout=60)


def began(host, name):
    return int(host.systemctl("show", "-P", "ActiveEnterTimestampMonotonic", f"berth@{name}.service").out)


def test_order(host, two):
    # after another editor it is `berth start` that has systemd look
    host.write("/etc/berth/web.berth", PAYLOAD + "After=db\nRequires=db\n")
    host.berth("start", "web", timeout=60)
    assert began(host, "db") < began(host, "web")
    assert "berth@db.service" in host.systemctl("show", "-P", "Requires", "berth@web.service").out.split()
    # who requires it goes first, and this is said
    log = "journalctl -q -b -o cat -u berth@web.service -u berth@db.service | grep -o 'Stopped.*Container .*'"
    before = len(host.run(f"{log} || :").stdout.splitlines())
    r = host.berth("stop", "db", timeout=60)
    assert "Stopping 'berth@web.service' first, which requires 'db'" in r.stderr, r
    host.wait_for(f"test $({log} | wc -l) -ge {before + 2}", 30)
    assert [line.rstrip(".").split()[-1] for line in host.run(log).stdout.splitlines()[before:]] == ["web", "db"]
    # one that cannot start keeps the other from it
    host.run("mv /var/lib/machines/db /var/lib/machines/.db")
    try:
        r = host.berth("start", "web", check=False, timeout=60)
        assert r.returncode == 1 and "'berth@web.service' was not started, for it requires 'berth@db.service', which has failed: " in r.stderr, r
        assert "'db'" in r.stderr and "journalctl -u 'berth@db.service'" in r.stderr, r
        r = host.berth("verify", "web")
        assert "Requires=db at /etc/berth/web.berth" in r.stderr and "'db' cannot be started" in r.stderr, r
    finally:
        host.run("mv /var/lib/machines/.db /var/lib/machines/db")
    # orders that lead nowhere
    host.write("/etc/berth/db.berth", PAYLOAD + "After=web\n")
    warnings = json.loads(host.berth("verify", "--json=short", "web").stdout)["warnings"]
    assert any("'db' starts after 'web', 'web' starts after 'db'" in w for w in warnings), warnings
    # what is wrong with one is told, and harms no other
    host.write("/etc/berth/db.berth", PAYLOAD + "After=not/a/name\n")
    host.systemctl("daemon-reload", timeout=60)
    host.run("test -e /run/systemd/generator/berth@web.service.d/50-dependencies.conf")
    host.wait_for("journalctl -q -b | grep -q \"The order of container .db. is left alone: .*db.berth\"", 30)


def test_edit_and_delay(host, two):
    drop_in = "/run/systemd/generator/berth@web.service.d/50-dependencies.conf"
    edit(host, "web", "Wants=db\nBefore=db\n")
    assert host.run("cat", drop_in).stdout.endswith("[Unit]\nBefore=berth@db.service\nWants=berth@db.service\n")
    host.berth("start", "web", timeout=60)
    host.wait_for("systemctl is-active berth@db.service", 30)
    assert began(host, "web") <= began(host, "db")
    host.berth("stop", "web", "db", timeout=60)
    host.berth("revert", "--quiet", "web", timeout=60)
    host.run(f"! test -e {drop_in}")
    # the delay ends with a stop, is no start that takes too long, and is seen
    edit(host, "web", "StartDelaySec=10min\n")
    host.systemctl("start", "--no-block", "berth@web.service")
    host.wait_for("berth list --all --no-legend | grep -q '^web  *starting'", 30)
    host.wait_for("systemctl show -P StatusText berth@web.service | grep -q 'Waiting 10min before the start'", 30)
    host.berth("stop", "web", timeout=60)
    host.wait_for("systemctl show -P ActiveState berth@web.service | grep -qx inactive", 30)
    assert host.systemctl("show", "-P", "Result", "berth@web.service").out == "success"
    host.run("mkdir -p /run/systemd/system/berth@web.service.d; printf '[Service]\nTimeoutStartSec=3\n' >/run/systemd/system/berth@web.service.d/t.conf; systemctl daemon-reload", timeout=60)
    try:
        edit(host, "web", "StartDelaySec=4s\n")
        host.berth("start", "web", timeout=60)
        assert host.berth("show", "-p", "State", "--value", "web").out == "running"
    finally:
        host.run("rm -r /run/systemd/system/berth@web.service.d")
    r = host.berth("stop", "nosuch", check=False)
    assert r.returncode != 0 and "No container named 'nosuch' is running" in r.stderr, r
