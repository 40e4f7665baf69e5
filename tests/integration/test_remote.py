# SPDX-License-Identifier: LGPL-2.1-or-later
"""-H and -M: the berthd of another system."""
import json

import pytest


@pytest.fixture
def ssh(host):
    """A stand-in for ssh(1) that leads to this same host, and notes where it was to go: the bridge behind it is the real one."""
    host.run("mkdir -p /run/ssh")
    host.write("/run/ssh/ssh", '#!/bin/sh\necho "$@" >/run/ssh/called\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec "$@"\n', mode="755")
    yield "PATH=/run/ssh:$PATH; export PATH; "
    host.run("rm -r /run/ssh")


@pytest.fixture
def running(host, busybox, clean):
    p = host.spawn("berth", "run", "-q", "-P", "-M", "far", "-D", busybox, "--", "sleep", "60")
    host.wait_for("berth show -p State --value far 2>/dev/null | grep -qx running", 20)
    yield p
    host.berth("terminate", "far", check=False)
    host.end(p)


def test_over_ssh(host, running, ssh):
    rows = json.loads(host.run(ssh + "berth -H admin@there list --json=short").stdout)
    assert len(rows) == 1 and "far" in rows[0].values(), rows
    assert "admin@there" in host.read("/run/ssh/called")
    # nothing of this system's groups and journal is shown as if it were the other's
    r = host.run(ssh + "berth --host=there status far")
    assert "far" in r.stdout and "sleep" not in r.stdout, r
    assert host.run(ssh + "berth -H there show -p State --value far").out == "running"
    for words in ("exec far true", "shell far", "login far", "attach far", "copy-to far /etc/passwd", "logs far", "list --all"):
        r = host.run(ssh + f"berth -H there {words}", check=False)
        assert r.returncode in (1, 2) and "--host" in r.stderr and "ssh there" in r.stderr, r
    host.run(ssh + "berth -H there pause far; berth -H there resume far; berth -H there stop far")
    assert running.wait(20) is not None


def test_host_that_does_not_answer(host, clean, ssh):
    host.write("/run/ssh/ssh", "#!/bin/sh\necho 'no route' >&2\nexit 255\n", mode="755")
    r = host.run(ssh + "berth -H nowhere list", check=False, timeout=40)
    assert r.returncode == 1 and "berth: " in r.stderr, r


def test_into_a_container(host, running):
    """One without a bus inside: the error says so. One that is not there, too."""
    r = host.berth("-M", "far", "list", check=False)
    assert r.returncode == 1 and "'far'" in r.stderr and "bus" in r.stderr, r
    r = host.berth("-M", "nosuch", "list", check=False)
    assert r.returncode == 1 and "'nosuch'" in r.stderr, r
