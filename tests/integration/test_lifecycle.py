# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole lives of containers under a real systemd: boot to READY, stop, reboot, fail; as scope and as service."""
import json
import re
import shlex
import time

import pytest

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]
READY_S = 60


def wait_state(host, name, state, timeout=READY_S):
    return host.wait_for(f"berth show -p State --value {name} | grep -qx {state}", timeout)


def wait_ready(host, name, timeout=READY_S):
    return host.wait_for(f"berth show -p Ready --value {name} | grep -qx yes", timeout)


def info(host, name):
    return json.loads(host.berth("show", "--json=short", name).stdout)[0]


@pytest.fixture
def booted(host, machine):
    """booted(tree, *options): a Debian started by `berth run -b` in the background, waited for until it is ready."""
    running = []

    def start(tree, *options, name="web"):
        root = machine(name, tree)
        p = host.spawn("berth", "run", "-b", "--notify-ready=yes", "-M", name, "-D", root, *options)
        running.append((name, p))
        try:
            wait_ready(host, name)
        except AssertionError as e:
            raise AssertionError(f"{name} did not get ready:\n{host.end(p)}\n{host.journal('-n', '60')}") from e
        return p

    yield start
    for name, p in running:
        host.berth("terminate", name, check=False)
        host.end(p)


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("tree", ["bookworm", "forky"])
def test_scope_boots_and_stops(host, booted, tree, options):
    host.systemctl("start", "berthd.service", "berth-spawner.service")     # they come on demand
    before = host.snapshot()
    p = booted(tree, *options)
    shown = info(host, "web")
    assert shown["State"] == "running" and shown["Ready"] is True
    unit = shown["Unit"]
    assert unit == "machine-web.scope"
    # what an admin looks at
    status = host.systemctl("status", unit).stdout
    assert "Active: active (running)" in status and "Container web" in status
    assert host.properties(unit, "Slice", "Delegate", "DevicePolicy") == {"Slice": "machine.slice", "Delegate": "yes", "DevicePolicy": "closed"}
    cgls = host.run("systemd-cgls", "--no-pager", "-u", "machine.slice").stdout
    assert "machine-web.scope" in cgls and "init.scope" in cgls
    assert "web" in host.berth("list").stdout
    # the payload's view
    leader = shown["Leader"]
    inside = ["nsenter", "-t", str(leader), "-a", "-r", "-w"]
    if options:
        uid_map = host.read(f"/proc/{leader}/uid_map").split()
        assert uid_map[0] == "0" and int(uid_map[1]) >= 65536 and uid_map[2] == "65536"
    state = host.run(*inside, "systemctl", "is-system-running", "--wait", check=False, timeout=READY_S).out
    failed = host.run(*inside, "systemctl", "--failed", "--no-legend", "--plain", check=False).stdout
    assert state == "running", failed
    assert host.run(*inside, "cat", "/proc/1/cgroup").out.endswith("/init.scope")
    assert host.run(*inside, "cat", "/run/host/container-manager").out == "berth"
    # stop
    start = time.monotonic()
    host.berth("stop", "web", timeout=120)
    assert p.wait(20) == 0
    assert time.monotonic() - start < 60
    assert host.berth("show", "web", check=False).returncode == 1
    assert host.systemctl("is-active", unit, check=False).out in ("inactive", "unknown")
    assert not host.leaks(before, ignore="/var/lib/machines|machine.slice$|/run/berth/(names|ranges)|nspawn/locks|file '/var/tmp")


def test_systemctl_stop_is_an_orderly_stop(host, booted):
    p = booted(host.suite)
    host.systemctl("stop", "machine-web.scope", timeout=120)
    out, _ = p.communicate(timeout=30)
    assert p.returncode == 0, out


@pytest.mark.parametrize("options", MODES)
def test_reboot_in_scope(host, booted, options):
    p = booted(host.suite, *options)
    old = info(host, "web")
    host.berth("reboot", "web")
    host.wait_for(f"l=$(berth show -p Leader --value web) && test -n \"$l\" && test \"$l\" != {old['Leader']}", 60)
    wait_ready(host, "web")
    new = info(host, "web")
    assert p.poll() is None and new["Supervisor"] == old["Supervisor"] and new["Unit"] == old["Unit"]
    if options:
        assert host.read(f"/proc/{new['Leader']}/uid_map").split()[1] != "0"
    host.berth("stop", "web", timeout=120)
    assert p.wait(30) == 0


@pytest.fixture
def service(host, machine):
    """service(tree): /var/lib/machines/web started as berth@web.service."""

    def start(tree, settings=""):
        machine("web", tree)
        host.write("/etc/berth/web.berth", settings)
        return host.systemctl("start", "berth@web.service", check=False, timeout=120)

    yield start
    host.systemctl("kill", "-s", "KILL", "berth@web.service", check=False)
    host.systemctl("stop", "berth@web.service", check=False, timeout=150)
    host.systemctl("reset-failed", "berth@web.service", check=False)
    host.run("rm -f /etc/berth/web.berth")


@pytest.mark.parametrize("users", ["no", "pick"])
@pytest.mark.parametrize("tree", ["bookworm", "forky"])
def test_service_boots_and_stops(host, service, tree, users):
    r = service(tree, f"[Exec]\nPrivateUsers={users}\nNotifyReady=yes\n")
    assert r.returncode == 0, host.journal("-u", "berth@web.service")
    p = host.properties("berth@web.service", "ActiveState", "SubState", "StatusText", "MainPID", "Slice", "NotifyAccess")
    assert (p["ActiveState"], p["SubState"], p["Slice"]) == ("active", "running", "machine.slice")
    assert p["StatusText"].startswith("Container running")
    shown = info(host, "web")
    assert shown["Unit"] == "berth@web.service" and str(shown["Supervisor"]) == p["MainPID"]
    # the supervisor beside the payload, not above it. systemd 252 puts a process that it has started into the unit's group once more itself, which may be
    # after it has gone to another one; where the group has no controllers, as with hybrid groups, nothing stops that
    cgroup = host.run("cat", f"/proc/{p['MainPID']}/cgroup").out.splitlines()[-1]
    assert cgroup.endswith("/berth@web.service/supervisor") or (host.systemd < 254 and cgroup.endswith("/berth@web.service"))
    inside = ["nsenter", "-t", str(shown["Leader"]), "-a", "-r", "-w"]
    assert host.run(*inside, "systemctl", "is-system-running", "--wait", check=False, timeout=READY_S).out == "running"
    host.systemctl("stop", "berth@web.service", timeout=120)
    p = host.properties("berth@web.service", "ActiveState", "Result", "ExecMainStatus")
    assert p == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert "web" in host.journal("-u", "berth@web.service")


def test_service_reboot_is_a_restart(host, service):
    service(host.suite, "[Exec]\nNotifyReady=yes\n")
    old = info(host, "web")
    inside = ["nsenter", "-t", str(old["Leader"]), "-a", "-r", "-w"]
    host.run(*inside, "systemctl", "reboot", check=False)
    host.wait_for("test $(systemctl show -P NRestarts berth@web.service) = 1", 60)
    host.wait_for("systemctl is-active berth@web.service", 60)
    wait_ready(host, "web")
    assert info(host, "web")["Leader"] != old["Leader"]


def test_poweroff_inside_ends_the_service(host, service):
    service(host.suite, "[Exec]\nNotifyReady=yes\n")
    leader = info(host, "web")["Leader"]
    host.run("nsenter", "-t", str(leader), "-a", "-r", "-w", "systemctl", "poweroff", check=False)
    host.wait_for("test $(systemctl show -P ActiveState berth@web.service) = inactive", 60)
    assert host.properties("berth@web.service", "Result") == {"Result": "success"}


def test_failing_init_is_a_failed_service(host, service):
    service("busybox", "[Exec]\nBoot=no\nParameters=/bin/sh -c 'exit 7'\n")
    host.wait_for("test $(systemctl show -P ActiveState berth@web.service) = failed", 20)
    assert host.properties("berth@web.service", "ExecMainStatus") == {"ExecMainStatus": "7"}


def test_start_of_nothing_says_what_is_missing(host, clean):
    r = host.berth("start", "nothere", check=False)
    assert r.returncode == 1
    assert re.match(r"berth: .*'nothere'.*\nHint: ", r.stderr), r


def test_enable_disable(host, machine, clean):
    machine("web", "busybox")
    host.berth("enable", "web")
    assert host.systemctl("is-enabled", "berth@web.service").out == "enabled"
    assert host.systemctl("is-enabled", "machines.target").out == "enabled"
    host.berth("disable", "web")
    assert host.systemctl("is-enabled", "berth@web.service", check=False).out == "disabled"
    host.systemctl("disable", "machines.target")


def test_notify_ready_gates_the_unit(host, service):
    """READY=1 comes from the payload, and from its PID 1 only; before it the unit is activating."""
    service_text = "[Exec]\nBoot=no\nNotifyReady=yes\nParameters=/bin/sh -c 'sleep 1000'\n"
    host.run("mkdir -p /run/systemd/system/berth@web.service.d; printf '[Service]\\nTimeoutStartSec=4\\n' >/run/systemd/system/berth@web.service.d/t.conf; systemctl daemon-reload")
    try:
        start = time.monotonic()
        r = service("busybox", service_text)
        assert r.returncode != 0 and time.monotonic() - start >= 3
        assert host.properties("berth@web.service", "Result") == {"Result": "timeout"}
        host.wait_for("! berth show web >/dev/null 2>&1", 30)
    finally:
        host.run("rm -r /run/systemd/system/berth@web.service.d; systemctl daemon-reload")


# ---- crashes ----

@pytest.mark.parametrize("options", MODES)
def test_killed_supervisor_leaves_nothing(host, busybox, options, clean):
    p = host.spawn("berth", "run", "-q", "-P", "-M", "web", "-D", busybox, *options, "--", "/bin/sleep", "1000")
    wait_state(host, "web", "running", 20)
    shown = info(host, "web")
    host.run("kill", "-9", str(shown["Supervisor"]))
    host.wait_for(f"! test -d /proc/{shown['Leader']}", 30)
    p.communicate(timeout=10)
    host.wait_for("! berth show web >/dev/null 2>&1", 30)
    # the name is free at once
    assert host.berth("run", "-q", "-P", "-M", "web", "-D", busybox, *options, "--", "/bin/true").returncode == 0


def test_manager_killed_or_restarted_forgets_nothing(host, busybox, clean):
    p = host.spawn("berth", "run", "-q", "-P", "-M", "web", "-D", busybox, "--", "/bin/sleep", "1000")
    try:
        wait_state(host, "web", "running", 20)
        before = info(host, "web")
        for how in ("systemctl kill -s KILL berthd.service", "systemctl restart berthd.service", "systemctl stop berthd.service"):
            host.run(how, check=False)
            host.wait_for("berth show -p State --value web | grep -qx running", 30)
            after = info(host, "web")
            assert {k: after[k] for k in ("Leader", "Supervisor", "Unit", "Id")} == {k: before[k] for k in ("Leader", "Supervisor", "Unit", "Id")}
        host.berth("stop", "web", timeout=120)
        p.communicate(timeout=20)
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)


def test_run_without_manager(host, busybox, clean):
    host.run("systemctl mask --runtime --now berthd.service berthd-control.socket; rm -f /run/berth/control", check=False)
    try:
        r = host.berth("run", "-q", "-P", "-D", busybox, "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 3", check=False)
        assert (r.stdout, r.stderr, r.returncode) == ("out\n", "err\n", 3)
    finally:
        host.run("systemctl unmask --runtime berthd.service berthd-control.socket; systemctl start berthd-control.socket", check=False)


def test_manager_that_comes_late_logs_the_start_once(host, busybox, clean):
    host.run("systemctl mask --runtime --now berthd.service berthd-control.socket; rm -f /run/berth/control", check=False)
    p = host.spawn("berth", "run", "-q", "-P", "-M", "early", "-D", busybox, "--", "/bin/sleep", "60")
    said = "journalctl --sync; test $(journalctl -b -o cat CONTAINER=early | grep -c \"'early' runs\") = {}"
    try:
        host.wait_for("systemctl is-active machine-early.scope", 30)
        host.run("systemctl unmask --runtime berthd.service berthd-control.socket; systemctl start berthd-control.socket")
        before = int(host.run("journalctl -b -o cat CONTAINER=early | grep -c \"'early' runs\"", check=False).out)
        wait_state(host, "early", "running", 20)
        host.wait_for(said.format(before + 1), 30)
        host.run("systemctl restart berthd.service")
        wait_state(host, "early", "running", 20)
        host.run(said.format(before + 1))
    finally:
        host.run("systemctl unmask --runtime berthd.service berthd-control.socket; systemctl start berthd-control.socket", check=False)
        host.berth("terminate", "early", check=False)
        host.end(p)


def test_scope_that_a_crash_left_behind(host, busybox, clean):
    """Nobody is in it but what a start begins with, and it does not go by itself, for who would end it is gone: the next start of the name just works."""
    host.run("mkfifo /run/hold; sh -c 'printf berth-holder >/proc/self/comm; read x </run/hold' >/dev/null 2>&1 & "
             "busctl call -q org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' "
             "machine-quick.scope fail 3 PIDs au 1 $! Slice s machine.slice Controller s :1.999999 0")
    try:
        host.wait_for("systemctl is-active machine-quick.scope && grep -l berth-holder /proc/[0-9]*/comm", 30)
        r = host.berth("run", "-P", "-M", "quick", "-D", busybox, "--", "/bin/echo", "hello", timeout=20)
        assert r.out == "hello" and "was left behind" in r.stderr, r
    finally:
        host.systemctl("stop", "machine-quick.scope", check=False)
        host.run("rm -f /run/hold")


def test_payload_that_ends_at_once_many_times(host, busybox, clean):
    """Nothing is left, and a name is free again soon after its container's end."""
    times = {}
    for how, name in (("another name", "quick-$i"), ("the same name", "quick")):
        r = host.run(f"for i in $(seq 40); do date +%s%N; berth run -q -P -M {name} -D {busybox} -- /bin/true || echo failed $i; done; date +%s%N", timeout=120)
        assert r.stderr == "" and "failed" not in r.stdout
        stamps = [int(line) / 1e6 for line in r.stdout.splitlines()]
        times[how] = sorted(b - a for a, b in zip(stamps, stamps[1:]))[20]
    assert times["the same name"] < 3 * times["another name"] + 100, times
    host.wait_for("! systemctl list-units --plain --no-legend 'machine-*.scope' | grep .", 30)


# ---- terminal, pipes ----

def test_interactive_terminal(host, busybox, clean):
    with host.terminal(f"berth run -q -M term -D {busybox} -- /bin/sh", rows=40, columns=120) as t:
        t.expect("[#$] ")
        t.send("stty size; tty; echo value=$((6*7))\n")
        t.expect(r"40 120")
        t.expect(r"/dev/(console|pts/\d+)")
        t.expect("value=42")
        t.send("exit 9\n")
        assert t.wait() == 9


def test_escape_ends_the_container(host, busybox, clean):
    with host.terminal(f"berth run -M term -D {busybox} -- /bin/sleep 1000") as t:
        host.wait_for("berth show -p State --value term | grep -qx running", 30)
        t.send("\x1d\x1d\x1d")
        assert t.wait(10) != 0


def test_pipes_stay_apart(host, busybox, clean):
    r = host.run(f"berth run -q -P -D {busybox} -- /bin/sh -c 'cat; echo error >&2; exit 42'", input="through\n", check=False)
    assert (r.stdout, r.stderr, r.returncode) == ("through\n", "error\n", 42)


def test_ignored_signals(host, busybox, clean):
    """What the caller ignores is not for the payload; nohup(1) works all the same."""
    r = host.run(f"trap '' HUP INT USR1; berth run -q -P -D {busybox} -- /bin/grep SigIgn /proc/self/status")
    assert r.stdout == "SigIgn:\t0000000000000000\n"
    p = host.spawn(f"trap '' HUP; exec berth run -q -P -M web -D {busybox} -- /bin/sleep 1000")
    try:
        wait_state(host, "web", "running", 20)
        host.run("kill", "-HUP", str(info(host, "web")["Supervisor"]))
        time.sleep(0.5)
        assert info(host, "web")["State"] == "running"
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)


@pytest.mark.parametrize("options", MODES)
def test_large_stream(host, busybox, options, clean):
    r = host.run(f"head -c 20000000 /dev/zero | berth run -q -P -D {busybox} {shlex.join(options)} -- /bin/cat | wc -c", timeout=60)
    assert r.out == "20000000"


def test_as_pid2(host, busybox, clean):
    r = host.berth("run", "-q", "-P", "-a", "-D", busybox, "--", "/bin/sh", "-c", "echo $$; (sleep 0.1 &); exec sh -c 'sleep 0.3; exit 5'", check=False)
    assert (r.out, r.returncode) == ("2", 5)


def test_systemd_nspawn_face(host, busybox, clean):
    host.run("ln -sf /usr/bin/berth /run/systemd-nspawn")
    try:
        r = host.run("/run/systemd-nspawn", "-q", "--pipe", "-D", busybox, "-M", "face", "/bin/echo", "-b", "hello")
        assert r.out == "-b hello"
        r = host.run("/run/systemd-nspawn", "-q", "-D", busybox, "--network-veth", "/bin/true", check=False)
        assert r.returncode != 0 and "--network-veth" in r.stderr
    finally:
        host.run("rm -f /run/systemd-nspawn")


def test_excludes_and_is_excluded_by_nspawn(host, busybox, clean):
    """Both take the same lock on a root."""
    p = host.spawn("systemd-nspawn", "-q", "--register=no", "-D", busybox, "/bin/sleep", "1000")
    try:
        host.wait_for(f"pgrep -f '^/bin/sleep 1000$'", 30)
        r = host.berth("run", "-q", "-P", "-D", busybox, "--", "/bin/true", check=False)
        assert r.returncode == 125 and "in use" in r.stderr, r
    finally:
        host.run("pkill -9 -f '^/bin/sleep 1000$'", check=False)
        p.communicate(timeout=20)


# ---- environment of the payload ----

def run(host, root, *args, command):
    return host.berth("run", "-q", "-P", "-M", "web", "-D", root, *args, "--", "/bin/sh", "-c", command, check=False)


@pytest.mark.parametrize("options", MODES)
class TestEnvironment:
    def test_users(self, host, busybox, options, clean):
        r = run(host, busybox, *options, "-u", "bob", command="id -u; pwd; echo $HOME $USER $LOGNAME")
        assert r.stdout.splitlines()[0] == "1000" and r.stdout.splitlines()[2] == "/home/bob bob bob", r
        for bad in ("4294967296", "4294967295", "-1", "+0", "0x0", " 0", "1a", "0:0:0", "x" * 300):
            r = run(host, busybox, *options, f"--user={bad}", command="id -u")
            assert r.returncode in (2, 125) and r.out == "", (bad, r)

    def test_mounts(self, host, busybox, options, clean):
        host.run("mkdir -p /run/src; echo data >/run/src/f")
        try:
            r = run(host, busybox, *options, "--bind-ro=/run/src:/a/b", "--tmpfs=/t:size=1M,mode=0700",
                    command="cat /a/b/f; touch /a/b/g 2>&1; stat -c %a /t; touch /t/x && echo written")
            assert r.stdout.splitlines()[0] == "data" and "Read-only file system" in r.stdout and r.stdout.endswith("700\nwritten\n"), r
            r = run(host, busybox, *options, "--bind=/run/src:/a/b", command="cat /a/b/f && echo x >/a/b/f; :")
            assert r.returncode == 0 and r.stdout == "data\n"
            r = run(host, busybox, *options, "--bind=/run/nothere:/a/c", command=":")
            assert r.returncode == 125 and "/run/nothere" in r.stderr and "Hint:" in r.stderr, r
            assert run(host, busybox, *options, "--bind=-/run/nothere:/a/c", command=":").returncode == 0
        finally:
            host.run("rm -r /run/src")

    def test_read_only(self, host, busybox, options, clean):
        r = run(host, busybox, *options, "--read-only", command="touch /x 2>&1; touch /run/x /tmp/x && echo ok")
        assert "Read-only file system" in r.stdout and r.stdout.endswith("ok\n"), r

    def test_hostname_environment_directory(self, host, busybox, options, clean):
        r = run(host, busybox, *options, "--hostname=other", "--setenv=A=b c", "--chdir=/usr", command="hostname; echo $A; pwd; echo $container; cat /run/host/container-manager")
        assert r.stdout == "other\nb c\n/usr\nberth\nberth\n", r

    def test_limits_and_priorities(self, host, busybox, options, clean):
        r = run(host, busybox, *options, "--rlimit=NOFILE=77:99", "--oom-score-adjust=321", "--cpu-affinity=0", "--no-new-privileges=yes",
                command="ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep -E '^(Cpus_allowed_list|NoNewPrivs|Seccomp|CapBnd)' /proc/self/status")
        lines = r.stdout.splitlines()
        assert lines[:3] == ["77", "99", "321"], r
        status = dict(line.split(":\t") for line in lines[3:])
        assert status["Cpus_allowed_list"] == "0" and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert int(status["CapBnd"], 16) & (1 << 16 | 1 << 17 | 1 << 25) == 0       # SYS_MODULE, SYS_RAWIO, SYS_TIME

    def test_capabilities(self, host, busybox, options, clean):
        def bounding(*more):
            return int(run(host, busybox, *options, *more, command="grep CapBnd /proc/self/status").out.split()[1], 16)
        base = bounding()
        assert bounding("--drop-capability=CAP_CHOWN") == base & ~1
        assert bounding("--capability=CAP_SYS_TIME") == base | 1 << 25

    def test_network(self, host, busybox, options, clean):
        r = run(host, busybox, *options, "--private-network", command="ip -o link | wc -l; ip -o link show lo")
        assert r.stdout.startswith("1\n") and "UP" in r.stdout, r

    def test_time_namespace(self, host, busybox, options, clean):
        r = run(host, busybox, *options, "--time-offset-boottime=+1d", command="cut -d. -f1 /proc/uptime")
        own = int(host.run("cut -d. -f1 /proc/uptime").out)
        assert 86400 - 5 <= int(r.out) - own <= 86400 + 30, r

    def test_machine_id(self, host, busybox, options, clean):
        uuid = "0123456789abcdef0123456789abcdef"
        r = run(host, busybox, *options, f"--uuid={uuid}", command="cat /run/host/container-uuid; echo $container_uuid")
        assert r.stdout.split() == ["01234567-89ab-cdef-0123-456789abcdef"] * 2


# ---- limits ----

@pytest.mark.vm
class TestLimits:
    """Enforced from the first instruction, however they were asked for."""

    def test_memory_by_property(self, host, busybox):
        r = host.berth("run", "-q", "-P", "-M", "hog", "-D", busybox, "--property=MemoryMax=32M", "--property=MemorySwapMax=0", "--",
                       "/bin/sh", "-c", "tail /dev/zero", check=False, timeout=120)
        assert r.returncode not in (0, 125), r
        assert "memory" in r.stderr.lower(), r

    def test_tasks_by_property(self, host, busybox):
        r = host.berth("run", "-q", "-P", "-M", "bomb", "-D", busybox, "--property=TasksMax=8", "--",
                       "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo survived", check=False, timeout=60)
        assert "fork" in r.stderr.lower() or "temporarily unavailable" in r.stderr.lower(), r

    def test_tasks_by_settings(self, host, busybox):
        host.write("/etc/berth/bomb.berth", "[Resources]\nTasksMax=8\n")
        try:
            r = host.berth("run", "-q", "-P", "-M", "bomb", "-D", busybox, "--", "/bin/sh", "-c",
                           "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo survived", check=False, timeout=60)
            assert "fork" in r.stderr.lower() or "temporarily unavailable" in r.stderr.lower(), r
            # the option is stronger, and the limit is that of all processes, also of users inside
            r = host.berth("run", "-q", "-P", "-M", "bomb", "-D", busybox, "-U", "--tasks-max=20", "--", "/bin/sh", "-c",
                           "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done; cat /sys/fs/cgroup/pids.current; wait; echo survived", check=False, timeout=60)
            assert r.returncode == 0 and r.out.endswith("survived"), r
        finally:
            host.run("rm -f /etc/berth/bomb.berth")

    def test_cpu_quota_is_enforced(self, host, busybox):
        """A payload that takes all it can get: a fifth of one CPU. (That --property=CPUQuota= reaches the cgroup is test_limits_and_use's.)"""
        host.write("/etc/berth/burn.berth", "[Resources]\nCPUQuota=20%\n")
        p = host.spawn("berth", "run", "-q", "-P", "-M", "burn", "-D", busybox, "--", "/bin/sh", "-c", "while :; do :; done")
        try:
            wait_state(host, "burn", "running", 120)
            look = "cut -d' ' -f1 /proc/uptime; cat /sys/fs/cgroup/machine.slice/machine-burn.scope/cpu.stat"
            lines = host.run(f"{look}; sleep 5; echo; {look}", timeout=60).stdout.split("\n\n")
            (t0, before), (t1, after) = [(float(text.split()[0]), dict(re.findall(r"^(\w+) (\d+)$", text, re.M))) for text in lines]
            used, wall = (int(after["usage_usec"]) - int(before["usage_usec"])) / 1e6, t1 - t0
            assert 0.05 < used / wall < 0.35, (used, wall)
            assert int(after["nr_throttled"]) > int(before["nr_throttled"])
        finally:
            host.berth("terminate", "burn", check=False)
            host.end(p)
            host.run("rm -f /etc/berth/burn.berth")

    def test_values_reach_the_cgroup(self, host, busybox):
        host.write("/etc/berth/lim.berth", "[Resources]\nMemoryMax=64M\nTasksMax=33\nCPUQuota=20%\nCPUWeight=55\n")
        try:
            p = host.spawn("berth", "run", "-q", "-P", "-M", "lim", "-D", busybox, "--", "/bin/sleep", "1000")
            wait_state(host, "lim", "running", 120)
            base = "/sys/fs/cgroup/machine.slice/machine-lim.scope"
            values = host.run(f"cat {base}/memory.max {base}/pids.max {base}/cpu.max {base}/cpu.weight").stdout.split("\n")[:4]
            assert values == ["67108864", "33", "20000 100000", "55"]
            # the payload sees its own group as the root and cannot lift its limits
            shown = info(host, "lim")
            r = host.run("nsenter", "-t", str(shown["Leader"]), "-a", "-r", "sh", "-c",
                         "mount -t cgroup2 c /tmp 2>/dev/null; echo max >/tmp/memory.max; echo max >/sys/fs/cgroup/memory.max", check=False)
            assert host.run(f"cat {base}/memory.max").out == "67108864", r
            # and they can be changed
            host.berth("set", "--runtime", "lim", "MemoryMax=48M", "TasksMax=44", "CPUQuota=", "CPUWeight=66")
            values = host.run(f"cat {base}/memory.max {base}/pids.max {base}/cpu.max {base}/cpu.weight").stdout.split("\n")[:4]
            assert values == [str(48 << 20), "44", "20000 100000", "66"]      # the quota as it was started with
            host.berth("terminate", "lim")
            p.communicate(timeout=20)
        finally:
            host.run("rm -f /etc/berth/lim.berth")

    def test_service_takes_limits_from_settings(self, host, service):
        r = service("busybox", "[Exec]\nBoot=no\nParameters=/bin/sleep 1000\n[Resources]\nMemoryMax=48M\nTasksMax=44\n")
        assert r.returncode == 0, host.journal("-u", "berth@web.service")
        p = host.properties("berth@web.service", "MemoryMax", "TasksMax")
        assert p == {"MemoryMax": str(48 << 20), "TasksMax": "44"}

    def test_oom_of_init_is_told(self, host, service):
        service("busybox", "[Exec]\nBoot=no\nParameters=/bin/sh -c 'sleep 1; exec tail /dev/zero'\n[Resources]\nMemoryMax=32M\nMemorySwapMax=0\n")
        host.wait_for("test $(systemctl show -P ActiveState berth@web.service) = failed", 90)
        assert re.search(r"out of memory", host.journal("-u", "berth@web.service"), re.I)
