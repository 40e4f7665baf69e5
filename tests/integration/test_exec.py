# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs, sessions and copies inside containers that run, under a real systemd."""
import re

import pytest

MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]


@pytest.fixture
def running(host, machine):
    """running(*options): a busybox container whose payload only waits; returns its name."""
    started = []

    def start(*options, name="box", command=("sleep", "1000")):
        root = machine(name, "busybox")
        p = host.spawn("berth", "run", "-M", name, "-D", root, *options, *command)
        started.append((name, p))
        host.wait_for(f"berth show -p State --value {name} | grep -qx running", 20)
        return name

    yield start
    for name, p in started:
        host.berth("terminate", name, check=False)
        host.end(p)


def status_of(host, name, *command, **options):
    return host.berth("exec", name, *command, check=False, **options)


@pytest.mark.parametrize("options", MODES)
def test_program(host, running, options):
    name = running(*options)
    assert host.berth("exec", name, "id", "-u").out == "0"
    r = status_of(host, name, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (r.returncode, r.out, r.stderr.strip()) == (7, "out", "err")
    assert host.run("echo hello | berth exec box tr a-z A-Z").out == "HELLO"
    assert status_of(host, name, "sh", "-c", "kill -9 $$").returncode == 137
    # its words are not ours
    assert host.berth("exec", name, "echo", "--help", "-x", "--", "y").out == "--help -x -- y"
    assert host.berth("exec", name, "--", "echo", "x").out == "x"
    # what it is given
    assert host.berth("exec", "-w", "/tmp", "-E", "A=b c", name, "sh", "-c", "pwd; echo \"$A\"; echo $container $HOME").out == "/tmp\nb c\nberth /root"
    assert host.berth("exec", "-u", "nobody", name, "id", "-un").out == "nobody"
    assert host.berth("exec", "-u", "1234", name, "id", "-u").out == "1234"


def test_what_fails(host, running):
    name = running()
    for status, words, said in (
            (127, [name, "no-such-program"], "berth: Executing 'no-such-program' in the container failed: No such file or directory\n"
                                             "Hint: is it installed in the container?"),
            (126, [name, "/etc/passwd"], "berth: Executing '/etc/passwd' in the container failed: Permission denied"),
            (125, ["-w", "/nowhere", name, "true"], "berth: Entering the directory '/nowhere' in the container failed: No such file or directory"),
            (125, ["-u", "nosuch", name, "true"], "berth: there is no user 'nosuch' in the container"),
            (125, ["-u", "4294967296", name, "true"], "berth: '4294967296' is not a user name or user ID"),
            (125, ["-u", "-1", name, "true"], "berth: '-1' is not a user name or user ID"),
            (125, ["-u", "0:0", name, "true"], "berth: '0:0' is not a user name or user ID"),
            (125, ["-E", "1=", name, "true"], "berth: Invalid environment variable '1=': NAME=VALUE is expected"),
            (125, ["-w", "x", name, "true"], "berth: Invalid working directory 'x': an absolute path is expected"),
            (125, ["nobody-there", "true"], "berth: No container named 'nobody-there' is running"),
            (2, [name], "berth: Verb 'exec' needs"),
            ):
        r = status_of(host, *words)
        assert r.returncode == status and r.stderr.startswith(said), (words, r.returncode, r.stderr)


@pytest.mark.parametrize("options", MODES)
def test_confined_like_the_payload(host, running, options):
    name = running(*options, "--no-new-privileges=yes", "--drop-capability=CAP_KILL", "--rlimit=RLIMIT_NOFILE=123", "--oom-score-adjust=77")
    leader = host.berth("show", "-p", "Leader", "--value", name).out
    interesting = "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups|Cpus_allowed_list)"
    theirs = host.run(f"grep -E '{interesting}' /proc/{leader}/status; cat /proc/{leader}/limits /proc/{leader}/oom_score_adj /proc/{leader}/cgroup")
    # looked at from outside, with the same eyes
    p = host.spawn("berth", "exec", name, "sleep", "777")
    host.wait_for("pgrep -f '^sleep 777' >/dev/null", 5)
    pid = host.run("pgrep -f '^sleep 777'").out
    ours = host.run(f"grep -E '{interesting}' /proc/{pid}/status; cat /proc/{pid}/limits /proc/{pid}/oom_score_adj /proc/{pid}/cgroup")
    namespaces = [host.run(f"cd /proc/{i}/ns; readlink cgroup ipc mnt net pid time user uts; readlink /proc/{i}/root").out for i in (leader, pid)]
    descriptors = host.run(f"ls /proc/{pid}/fd").out.split()
    host.run("kill", pid)
    assert p.wait(10) == 128 + 15
    assert ours.out == theirs.out
    assert namespaces[0] == namespaces[1]
    assert descriptors == ["0", "1", "2"]


def test_ends_in_time(host, running):
    name = running()
    r = host.berth("exec", "--timeout=1", name, "sleep", "30", check=False)
    assert r.returncode == 124 and "ran for too long" in r.stderr
    # one that does not listen is killed
    r = host.berth("exec", "--timeout=1", name, "sh", "-c", "trap '' TERM; while :; do sleep 1; done", check=False)
    assert r.returncode == 124


def test_ends_with_its_caller_and_its_container(host, running):
    name = running()
    p = host.spawn("berth", "exec", name, "sleep", "4321")
    host.wait_for("pgrep -f '^sleep 4321' >/dev/null", 5)
    host.run("pkill -9 -f '^berth exec box sleep 4321'")
    host.wait_for("! pgrep -f '^sleep 4321' >/dev/null", 5)
    host.end(p)
    p = host.spawn("berth", "exec", name, "sleep", "4322")
    host.wait_for("pgrep -f '^sleep 4322' >/dev/null", 5)
    host.run("pkill -TERM -f '^berth exec box sleep 4322'")    # passed on
    assert p.wait(10) == 128 + 15
    p = host.spawn("berth", "exec", name, "sleep", "4323")
    host.wait_for("pgrep -f '^sleep 4323' >/dev/null", 5)
    host.berth("terminate", name)
    assert p.wait(10) == 128 + 9
    host.wait_for("! pgrep berth-worker >/dev/null", 5)


def test_goes_on_without_the_manager(host, running):
    name = running()
    p = host.spawn("berth", "exec", name, "sh", "-c", "sleep 3; echo late; exit 5")
    host.wait_for("pgrep -f '^sleep 3' >/dev/null", 5)
    host.systemctl("restart", "berthd.service")
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 5 and b"late" in out


def test_many_at_once(host, running):
    name = running()
    before = host.run("ls /proc/$(pidof berthd)/fd | wc -l").out
    r = host.run(f"for i in $(seq 100); do (berth exec {name} true; echo $?) & done; wait", timeout=120)
    assert r.out.split() == ["0"] * 100
    host.wait_for("! pgrep berth-worker >/dev/null", 5)
    assert int(host.run("ls /proc/$(pidof berthd)/fd | wc -l").out) <= int(before) + 1
    assert not host.run("ps -eo stat,comm | grep '^Z.*berth' || :").out


def test_paused_container(host, running):
    name = running()
    unit = host.berth("show", "-p", "Unit", "--value", name).out
    host.systemctl("freeze", unit)
    try:
        assert host.run("busctl call org.berth.Containers1 /org/berth/Containers1 org.berth.Containers1.Manager GetContainerOSRelease s box",
                        check=False).returncode == 0    # does not need its processes
        r = status_of(host, name, "true", timeout=60)
        assert r.returncode == 125 and "does not answer in time" in r.stderr
    finally:
        host.systemctl("thaw", unit)
    assert status_of(host, name, "true").returncode == 0


def busctl(host, method, *words, check=True):
    return host.run("busctl", "call", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", method, *words, check=check)


def test_metadata(host, running):
    name = running("-U", "--private-network")
    host.run(f"printf 'ID=box\\nPRETTY_NAME=\"A box\"\\n' >/var/lib/machines/{name}/etc/os-release")
    r = busctl(host, "GetContainerOSRelease", "s", name)
    assert re.search(r'"ID" "box"', r.out) and '"PRETTY_NAME" "A box"' in r.out
    assert busctl(host, "GetContainerAddresses", "s", name).out == "a(iay) 0"
    leader = host.berth("show", "-p", "Leader", "--value", name).out
    assert busctl(host, "GetContainerUIDShift", "s", name).out == "u " + host.read(f"/proc/{leader}/uid_map").split()[1]
    # hostile ones
    for make, says in (("mkfifo", "failed"), ("ln -s /dev/zero", "failed"), ("ln -s /proc/kmsg", "failed")):
        host.run(f"rm -f /var/lib/machines/{name}/etc/os-release; {make} /var/lib/machines/{name}/etc/os-release")
        r = busctl(host, "GetContainerOSRelease", "s", name, check=False)
        assert r.returncode != 0 and says in r.stderr
    host.run(f"rm -f /var/lib/machines/{name}/etc/os-release; truncate -s 10G /var/lib/machines/{name}/etc/os-release")
    assert busctl(host, "GetContainerOSRelease", "s", name, check=False).returncode != 0
