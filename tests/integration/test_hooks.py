# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands of the host around a container's life."""
import pytest

LOG = "/run/hooks.log"
NOTE = "/usr/local/bin/note"
HOOKS = ["PreStart", "PostStart", "PreStop", "PostStop"]


@pytest.fixture
def noted(host, clean):
    """A command of the host that notes what it is told; noted(): what it noted, a dict for each time."""
    host.write(NOTE, f"#!/bin/sh\n{{ echo hook=$BERTH_HOOK name=$BERTH_NAME root=$BERTH_ROOT unit=$BERTH_UNIT state=$BERTH_STATE "
               f"leader=$BERTH_LEADER argument=$1 cgroup=$(grep -o 'berth-[a-z]*-web.service' /proc/self/cgroup | head -n 1) result=$BERTH_RESULT; }} >>{LOG}\n", mode="755")
    host.run(f"rm -f {LOG}")

    def read(count=None):
        if count is not None:
            host.wait_for(f"test $(wc -l <{LOG}) -ge {count}", 30)
        lines = host.run(f"cat {LOG} 2>/dev/null; :").stdout.splitlines()
        return [dict(zip(["hook", "name", "root", "unit", "state", "leader", "argument", "cgroup", "result"],
                         [w.split("=", 1)[1] for w in line.split(" ", 8)])) for line in lines]

    yield read
    host.systemctl("stop", "berth@web.service", check=False, timeout=60)
    host.wait_for("! systemctl list-units --all --plain --no-legend 'berth-p*' | grep -q .", 30)
    host.run(f"rm -f {NOTE} {LOG} /etc/berth/web.berth; systemctl reset-failed 'berth@web.service' 2>/dev/null; :")


PAYLOAD = "Boot=no\nPrivateUsers=pick\nParameters=/bin/sh -c 'trap \"exit 0\" TERM; while :; do sleep 1 & wait $!; done'\n"
ALL = "".join(f"{h}={NOTE} 'an-argument'\n" for h in HOOKS)


def test_service(host, machine, noted):
    root = machine("web", "busybox")
    host.write("/etc/berth/web.berth", f"[Exec]\n{PAYLOAD}[Lifecycle]\n{ALL}")
    host.systemctl("start", "berth@web.service", timeout=60)
    pre, post = noted(2)
    assert [pre["hook"], post["hook"]] == HOOKS[:2]
    assert pre["name"] == "web" and pre["root"] == root and pre["unit"] == "berth@web.service" and pre["leader"] == ""
    assert pre["argument"] == "an-argument"
    # systemd's, not ours
    assert pre["cgroup"] == "berth-prestart-web.service" and post["cgroup"] == "berth-poststart-web.service"
    assert post["leader"] == host.berth("show", "-p", "Leader", "--value", "web").out and post["state"] == "running"
    host.berth("stop", "web", timeout=60)
    stop = noted(4)[2:]
    assert [n["hook"] for n in stop] == HOOKS[2:]
    assert stop[0]["state"] == "running"            # it was asked first
    assert stop[1]["result"] == "exited with status 0" and stop[1]["leader"] == ""
    # after a crash, too; and systemctl's stop runs all of them as well
    host.systemctl("start", "berth@web.service", timeout=60)
    noted(6)
    host.systemctl("kill", "-s", "KILL", "berth@web.service")
    assert noted(7)[6]["hook"] == "PostStop"
    host.wait_for("! systemctl is-active berth@web.service")
    host.systemctl("reset-failed", "berth@web.service", check=False)
    host.systemctl("start", "berth@web.service", timeout=60)
    host.systemctl("stop", "berth@web.service", timeout=60)
    assert sorted(n["hook"] for n in noted(11)[7:]) == sorted(HOOKS)


def test_failure_of_pre_start_prevents_the_start(host, machine, noted):
    machine("web", "busybox")
    host.write("/etc/berth/web.berth", f"[Exec]\n{PAYLOAD}[Lifecycle]\nPreStart=-/bin/false\nPreStart={NOTE}\nPreStart=/bin/false\nPostStart={NOTE}\n")
    r = host.berth("start", "web", check=False, timeout=60)
    assert r.returncode == 1 and "PreStart= of 'web' has failed" in r.stderr, r
    assert [n["hook"] for n in noted(1)] == ["PreStart"]
    root = "/var/lib/machines/web"
    r = host.berth("run", "-q", "-M", "web", "-D", root, "--pre-start=/bin/false", "--", "/bin/echo", "here", check=False)
    assert r.returncode == 125 and r.stdout == "", r
    assert "PreStart= of 'web' has failed" in r.stderr and "journalctl -u 'berth-prestart-web.service'" in r.stderr, r
    r = host.berth("run", "-q", "-M", "web", "-D", root, "--pre-start=/bin/sleep 30", "--hook-timeout=1", "--", "/bin/echo", "here", check=False)
    assert r.returncode == 125 and "HookTimeoutSec=" in r.stderr, r
    r = host.run("busctl", "call", "--", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "CreateContainer",
                 "sa{sv}a(sh)", "web", "2", "Directory", "s", root, "PreStart", "as", "1", "/bin/false", "0", check=False)
    assert r.returncode == 1 and "PreStart= of 'web' has failed" in r.stderr, r
    assert [n["hook"] for n in noted()] == ["PreStart"]


def test_commands_and_the_manager(host, busybox, noted):
    options = [f"--{o}={NOTE}" for o in ("pre-start", "post-start", "pre-stop", "post-stop")]
    assert host.berth("run", "-q", "-P", "-M", "web", "-D", busybox, *options, "--", "/bin/sh", "-c", "sleep 1; echo hello", timeout=30).out == "hello"
    seen = noted(3)
    assert [n["hook"] for n in seen] == ["PreStart", "PostStart", "PostStop"]       # it ended by itself
    assert {n["unit"] for n in seen} == {"machine-web.scope"}
    # a name in use is not touched
    p = host.spawn("berth", "run", "-q", "-P", "-M", "web", "-D", busybox, "--", "/bin/sleep", "1000")
    try:
        host.berth("wait", "--for=running", "--timeout=10", "web")
        r = host.berth("run", "-q", "-P", "-M", "web", "-D", busybox, *options, "--", "/bin/true", check=False)
        assert r.returncode == 125 and "'web' is already running" in r.stderr, r
        assert len(noted()) == 3
    finally:
        host.berth("terminate", "web")
        host.end(p)
    host.run("busctl", "call", "--", "org.berth.Containers1", "/org/berth/Containers1", "org.berth.Containers1.Manager", "CreateContainer",
             "sa{sv}a(sh)", "web", "4", "Directory", "s", busybox, "Parameters", "as", "3", "/bin/sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done",
             "PreStart", "as", "1", NOTE, "PostStop", "as", "1", NOTE, "0", timeout=30)
    host.berth("stop", "web", timeout=30)
    assert [n["hook"] for n in noted(5)[3:]] == ["PreStart", "PostStop"]
    assert noted()[4]["result"] == "exited with status 3"


def test_not_from_beside_the_image(host, machine, noted):
    machine("web", "busybox")
    host.write("/var/lib/machines/web.berth", f"[Lifecycle]\nPreStart={NOTE}\n")
    try:
        r = host.berth("run", "-q", "web", "/bin/true", timeout=30)
        assert "PreStart=" in r.stderr, r
        assert noted() == []
    finally:
        host.run("rm -f /var/lib/machines/web.berth")
