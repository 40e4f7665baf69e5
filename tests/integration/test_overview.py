# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an admin sees of containers: list, top, stats, status, and the numbers behind them on D-Bus."""
import json
import os
import re
import select
import time

import pytest

MANAGER = ["org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager"]
CONTAINER = "org.berth.Containers1.Container"

#: a payload that uses something: processor time, memory, files
BUSY = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000 & sleep 1000"


@pytest.fixture
def containers(host, busybox):
    """containers(name, *options, command=…): started by `berth run`, waited for until they run."""
    running = []

    def start(name, *options, command=BUSY):
        root = f"/var/lib/machines/{name}"
        host.copy_tree("busybox", root)
        p = host.spawn("berth", "run", "-q", "-P", "-M", name, "-D", root, *options, "--", "/bin/sh", "-c", command)
        running.append((name, root, p))
        host.wait_for(f"berth show -p State --value {name} | grep -qx running")
        return p

    yield start
    for name, root, p in running:
        host.berth("terminate", name, check=False)
        host.end(p)
        host.remove_tree(root)


@pytest.fixture
def service(host, machine):
    """service(name, settings): berth@NAME.service of a busybox tree; not started."""
    names = []

    def make(name, settings):
        machine(name, "busybox")
        host.write(f"/etc/berth/{name}.berth", settings)
        names.append(name)

    yield make
    for name in names:
        host.systemctl("disable", "--now", f"berth@{name}.service", check=False)
        host.systemctl("reset-failed", f"berth@{name}.service", check=False)
        host.run(f"rm -f /etc/berth/{name}.berth; rmdir /etc/berth 2>/dev/null; :")


def listed(host, *options):
    return {c["name"]: c for c in json.loads(host.berth("list", "--json=short", *options).stdout)}


def group_file(host, group, name):
    return host.run(f"cat /sys/fs/cgroup/unified{group}/{name} 2>/dev/null || cat /sys/fs/cgroup{group}/{name} 2>/dev/null", check=False).out


def dbus_property(host, name, prop):
    out = host.run("busctl", "get-property", MANAGER[0], f"{MANAGER[1]}/container/{name}", CONTAINER, prop).out
    return out.split(None, 1)[1]


def addresses_of(host, leader):
    """What ip(8) of the host would say, by the kernel's own files in the namespace."""
    return host.run(f"nsenter -t {leader} -n ip -o addr show scope global | awk '{{print $4}}' | cut -d/ -f1").out.split()


def give_address(host, leader):
    """A network device with addresses in a container that has none."""
    host.run(f"nsenter -t {leader} -n sh -c 'ip link add v0 type veth peer name v1 && ip addr add 192.0.2.7/24 dev v0 && "
             "ip -6 addr add 2001:db8::7/64 dev v0 nodad && ip link set v0 up && ip link set v1 up'")


def test_list(host, clean, containers, service):
    containers("one")
    containers("two10", "--private-network")
    containers("two2")
    service("db", "[Exec]\nBoot=no\nParameters=/bin/sleep 1000\n")
    two = json.loads(host.berth("show", "--json=short", "two10").stdout)[0]
    give_address(host, two["Leader"])

    rows = listed(host)
    assert list(rows) == ["one", "two2", "two10"]
    one = rows["one"]
    assert one["state"] == "running" and one["ready"] is True and one["autostart"] is False
    assert one["unit"] == "machine-one.scope" and one["root"] == "/var/lib/machines/one"
    assert abs(one["since_usec"] / 1e6 - time.time()) < 120
    assert one["addresses"] == [], "it has the host's network"
    # what the kernel says is what others are told
    shown = json.loads(host.berth("show", "--json=short", "one").stdout)[0]
    counted = int(re.search(r"usage_usec (\d+)", group_file(host, shown["ControlGroup"], "cpu.stat"))[1]) * 1000
    assert 0 < one["cpu_nsec"] <= shown["CPUUsageNSec"] <= counted
    assert counted - one["cpu_nsec"] < 1_000_000_000
    assert rows["two10"]["addresses"][:2] == ["192.0.2.7", "2001:db8::7"] == addresses_of(host, two["Leader"])
    assert all(a.startswith("fe80:") for a in rows["two10"]["addresses"][2:])
    got = host.run("busctl", "call", *MANAGER, "GetContainerAddresses", "s", "two10").out
    assert dbus_property(host, "two10", "Addresses").split()[0] == got.split()[1] == str(len(rows["two10"]["addresses"]))

    # the rest, with --all; a service that is enabled; one that has failed
    assert "db" not in rows and "busybox" not in rows
    host.berth("enable", "db")
    host.write("/etc/berth/noimage.berth", "[Exec]\nBoot=no\n")
    rows = listed(host, "--all")
    assert rows["db"] == dict.fromkeys(one) | {
        "name": "db", "state": "stopped", "autostart": True, "addresses": [], "unit": "berth@db.service", "root": "/var/lib/machines/db"}
    assert rows["noimage"]["state"] == "stopped" and rows["noimage"]["root"] is None
    assert rows["busybox"]["autostart"] is False and rows["one"]["state"] == "running"
    host.run("rm /etc/berth/noimage.berth")
    assert host.systemctl("is-enabled", "berth@db.service").out == "enabled"
    host.systemctl("mask", "berth@db.service")
    assert listed(host, "-a")["db"]["autostart"] is False
    host.systemctl("unmask", "berth@db.service")
    host.write("/etc/berth/db.berth", "[Exec]\nBoot=no\nParameters=/bin/sh -c 'exit 7'\n")
    host.systemctl("start", "berth@db.service", check=False)
    host.wait_for("systemctl is-failed berth@db.service")
    assert listed(host, "-a")["db"]["state"] == "failed"
    assert "db" not in listed(host)

    # people: all of it in a pipe, what fits on a terminal
    text = host.berth("list", "-a").stdout
    assert re.search(r"^NAME +STATE +READY +AUTOSTART +UNIT +ROOT +ADDRESSES +MEMORY +CPU +STARTED$", text, re.M)
    assert re.search(r"^two10 +running +yes +no +machine-two10.scope +/var/lib/machines/two10 +192.0.2.7 \+\d ", text, re.M), text
    assert re.search(r"^db +failed +- +yes ", text, re.M), text
    assert "192.0.2.7 2001:db8::7" in host.berth("list", "--full").stdout
    assert re.search(r" 192.0.2.7 2001:db8::7( \+\d)?  ", host.berth("list", "--max-addresses=2").stdout)
    for columns in (60, 80):
        with host.terminal("berth list -a", columns=columns) as t:
            t.wait()
            lines = re.sub(r"\x1b\[[0-9;]*m", "", t.text.split("[exit")[0]).splitlines()
            assert max(len(line) for line in lines) <= columns, t.text
            assert any(line.startswith("two10 ") and line.rstrip().endswith("ago") for line in lines), t.text
            assert "\x1b[0;32mrunning" in t.text
    with host.terminal("NO_COLOR=1 berth list", columns=80) as t:
        t.wait()
        assert "\x1b" not in t.text


def test_stats(host, clean, containers):
    containers("lazy", command="sleep 1000")
    containers("busy", command="while :; do :; done")
    lines = [json.loads(line) for line in host.berth("stats", "--json=short", "--no-stream").stdout.splitlines()]
    assert [c["name"] for c in lines] == ["busy", "lazy"]
    busy, lazy = lines
    # others may have the processors
    assert busy["cpu_percent"] > 2 and lazy["cpu_percent"] < busy["cpu_percent"] / 2, lines
    assert busy["cpu_nsec"] > lazy["cpu_nsec"]
    assert set(busy) == {"time_usec", "name", "cpu_percent", "cpu_nsec", "memory_bytes", "memory_max_bytes", "memory_peak_bytes", "tasks",
                         "tasks_max", "io_read_bytes_per_sec", "io_write_bytes_per_sec", "io_read_bytes", "io_write_bytes"}
    # a stream ends when asked to, or with the last container that was named
    out = host.berth("stats", "--json=short", "-d", "100ms", "-n", "3", "lazy").stdout.splitlines()
    assert [json.loads(line)["name"] for line in out] == ["lazy"] * 3
    p = host.spawn("berth", "stats", "-d", "100ms", "lazy")
    time.sleep(1)
    assert p.poll() is None
    host.berth("terminate", "lazy")
    text = p.communicate(timeout=10)[0].decode()
    assert p.returncode == 0 and len(re.findall(r"^NAME ", text, re.M)) > 2 and "busy" not in text
    # top: the busiest first
    containers("idle", command="sleep 1000")
    out = host.berth("top", "--no-legend").stdout.splitlines()
    assert [line.split()[0] for line in out] == ["busy", "idle"]
    assert host.berth("top", "-b", "-n", "2", "-d", "100ms", "--order=name", "idle").stdout.count("idle") == 2


def test_top_on_a_terminal(host, clean, containers):
    containers("busy", command="while :; do :; done")
    containers("alpha", command="sleep 1000")
    with host.terminal("berth top -d 200ms", columns=100) as t:
        t.expect(r"\x1b\[\?1049h")
        t.expect(r"by cpu .*busy .*alpha ")
        t.send("n")
        t.expect(r"by name .*alpha .*busy ")
        t.expect(r"by name .*alpha .*busy ")
        t.send("q")
        t.expect(r"\x1b\[\?25h\x1b\[\?1049l")
        assert t.wait() == 0
    # signals give the terminal back, too
    with host.terminal("berth top & sleep 1; stty -a >/run/before; kill %1; wait %1; stty -a; rm /run/before", columns=100) as t:
        t.wait()
        assert "-icanon" not in t.text.split("speed")[-1], t.text


def test_status(host, clean, containers, service):
    containers("one", "--private-network")
    leader = json.loads(host.berth("show", "--json=short", "one").stdout)[0]["Leader"]
    give_address(host, leader)
    text = host.berth("status", "one").stdout
    assert re.search(r"^● one$", text, re.M) and re.search(r"^ +State: running, ready$", text, re.M), text
    assert re.search(r"^ +Since: .*; \d+(ms|s|min).* ago$", text, re.M), text
    assert re.search(r"^ +Addresses: 192.0.2.7\n +2001:db8::7$", text, re.M), text
    assert re.search(r"^ +CPU: \d", text, re.M) and re.search(r"^ +Autostart: no$", text, re.M), text
    assert "sleep 1000" in text
    assert host.berth("status").stdout.startswith("● one\n")

    # one that does not run, one that has failed, one that is not there
    service("web", "[Exec]\nBoot=no\nParameters=/bin/sh -c 'echo from inside; exit 7'\n")
    r = host.berth("status", "web", check=False)
    assert r.returncode == 3 and r.stderr == "", r
    assert r.stdout.startswith("○ web\n       State: stopped\n"), r
    assert "   Settings: /etc/berth/web.berth\n        Root: /var/lib/machines/web\n" in r.stdout, r
    host.berth("enable", "web")
    host.systemctl("start", "berth@web.service", check=False)
    host.wait_for("systemctl is-failed berth@web.service")
    host.run("journalctl --sync")
    r = host.berth("status", "web", check=False)
    assert r.returncode == 3, r
    assert re.match(r"× web\n +State: failed\n +Ended: .* ago\n +Result: exited with status 7\n +Unit: berth@web.service\n +Autostart: yes\n",
                    r.stdout), r
    assert "from inside" in r.stdout
    assert host.systemctl("show", "-P", "ExecMainStatus", "berth@web.service").out == "7"
    assert "from inside" not in host.berth("status", "-n", "0", "web", check=False).stdout
    r = host.berth("status", "one", "web", "nothere", check=False)
    assert r.returncode == 1 and "● one" in r.stdout and "× web" in r.stdout and "'nothere'" in r.stderr, r
    objects = json.loads(host.berth("status", "--json=short", "one", "web", check=False).stdout)
    assert [(o["Name"], o["State"], o["Result"] or "") for o in objects] == [
        ("one", "running", ""), ("web", "failed", "exited with status 7")]


def test_numbers_without_a_call_for_each(host, clean, containers):
    """All containers in one answer, however many there are."""
    calls = {}
    for name in ("one", "two"):
        containers(name)
        # what the list asks of others, between two calls that are seen
        monitor = host.spawn("exec timeout --foreground 30 dbus-monitor --system \"type='method_call'\"")
        poke = "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.DBus.Peer "
        text = b""
        try:
            while not select.select([monitor.stdout], [], [], 0.2)[0]:
                host.run(poke + "Ping")
            host.run("berth list --all && " + poke + "GetMachineId")
            while b"GetMachineId" not in text:
                chunk = os.read(monitor.stdout.fileno(), 65536)
                assert chunk, text
                text += chunk
        finally:
            host.end(monitor)
        calls[name] = re.findall(r"interface=org\.(?:berth|freedesktop\.systemd1)\S*; member=(\w+)", text.decode())
    assert calls["one"] == calls["two"] == ["MeasureContainers", "ListUnitsByPatterns", "ListUnitsByPatterns"]    # failed, starting
    host.berth("terminate", "two")
    host.wait_for("! berth list | grep -q two")
    out = host.run("busctl", "call", "--json=short", *MANAGER, "MeasureContainers", "as", "2", "CPUUsageNSec", "Addresses").out
    (name, props, path), = json.loads(out)["data"][0]
    assert name == "one" and path.endswith("/container/one")
    assert props["CPUUsageNSec"]["data"] > 0 and props["Addresses"]["data"] == [] and "MemoryCurrent" not in props
    r = host.run("busctl", "call", *MANAGER, "MeasureContainers", "as", "1", "Nope", check=False)
    assert r.returncode != 0 and "'Nope'" in r.stderr
    # not where everything is dumped, and never in signals
    dump = host.run("busctl", "call", MANAGER[0], MANAGER[1], "org.freedesktop.DBus.ObjectManager", "GetManagedObjects").out
    assert '"Leader"' in dump and "CPUUsageNSec" not in dump


@pytest.mark.vm
def test_limits_and_use(host, clean, containers):
    """With controllers: the numbers of the cgroup, of systemd and of berth are the same."""
    containers("one", "--memory-max=64M", "--property=TasksMax=77", "--property=CPUQuota=200%",
               command="dd if=/dev/zero of=/file bs=1M count=4; sleep 1000")
    host.wait_for("test $(stat -c %s /var/lib/machines/one/file) = 4194304")
    shown = json.loads(host.berth("show", "--json=short", "one").stdout)[0]
    unit, group = shown["Unit"], shown["ControlGroup"]
    systemd = host.properties(unit, "MemoryMax", "TasksMax", "TasksCurrent", "MemoryCurrent", "CPUQuotaPerSecUSec")
    assert shown["MemoryMax"] == int(systemd["MemoryMax"]) == int(group_file(host, group, "memory.max")) == 64 << 20
    assert shown["TasksMax"] == int(systemd["TasksMax"]) == 77
    assert shown["TasksCurrent"] == int(systemd["TasksCurrent"]) == int(group_file(host, group, "pids.current"))
    assert group_file(host, group, "cpu.max") == "200000 100000"
    assert shown["CPUQuotaPerSecUSec"] == 2000000 and systemd["CPUQuotaPerSecUSec"] == "2s"
    assert host.berth("show", "-p", "CPUQuotaPerSecUSec,MemoryMax", "one").out == "MemoryMax=67108864\nCPUQuotaPerSecUSec=2s"
    for ours, theirs in ((shown["MemoryCurrent"], int(systemd["MemoryCurrent"])), (listed(host)["one"]["memory_bytes"], shown["MemoryCurrent"])):
        assert abs(ours - theirs) < 8 << 20, (ours, theirs)
    text = host.berth("status", "one").stdout
    assert re.search(r"^ +Memory: [\d.]+[KM] \(max 64M", text, re.M), text
    assert re.search(r"^ +Tasks: \d+ \(max 77\)$", text, re.M) and re.search(r"^ +CPU: .* \(max 200%\)$", text, re.M), text
    line = json.loads(host.berth("stats", "--json=short", "--no-stream").stdout)
    assert line["memory_max_bytes"] == 64 << 20 and line["tasks_max"] == 77 and line["io_read_bytes"] is not None


def test_pager(host, clean):
    """What is longer than the terminal is the pager's, except what goes on and on; nobody gets one who did not ask."""
    pager = "SYSTEMD_PAGERSECURE=no SYSTEMD_PAGER='sed s/^/P:/' "
    for words, rows, paged in (("berth --help", 24, True), ("berth --help --no-pager", 24, False), ("berth list", 24, False),
                               ("berth list", 1, True), ("berth --no-pager list", 1, False), ("berth help | cat", 24, False)):
        with host.terminal(pager + words, rows=rows) as t:
            assert t.wait() == 0, (words, t.text)
            assert ("P:" in t.text) == paged and t.text.strip(), (words, rows, t.text)
