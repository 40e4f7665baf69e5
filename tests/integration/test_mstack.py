# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roots that are stacks of layers."""
import json

import pytest

STACK = "/var/lib/machines/tower.mstack"
MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]
LOOK = "cat /all /two /data/f /opt/f; ls -d /low 2>/dev/null; stat -c '%u %g' /his"


@pytest.fixture
def tower(host, busybox):
    host.systemctl("start", "berth-spawner.socket")
    host.run(f"rm -rf {STACK}; mkdir -p {STACK}; cd {STACK}; mkdir -p layer@2 layer@10.v/layer@10_1 layer@10.v/layer@10_2 rw bind@data robind@opt; ln -s {busybox} layer@1; "
             f"mkdir -p {busybox}/data {busybox}/opt; echo one >{busybox}/all; echo x >{busybox}/his; chown 1000:1001 {busybox}/his; echo l >{busybox}/low; "
             "echo two >layer@2/all; echo two >layer@2/two; for i in 1 2; do echo ten-$i >layer@10.v/layer@10_$i/all; done; echo d >bind@data/f; echo o >robind@opt/f")
    yield STACK
    host.run(f"rm -rf {STACK}")


@pytest.mark.parametrize("options", MODES)
def test_stack(host, tower, busybox, options, clean):
    own = ("--resolv-conf=off", "--timezone=off")

    def run(*words, script="true", check=True):
        return host.berth("run", "-q", "-P", *own, *options, *words, "/bin/sh", "-c", script, check=check)

    before = host.run(f"cd {busybox}; find . {STACK}/layer* -printf '%p %y %m %U %G %s %T@\\n' | sort").out
    r = run(f"--mstack={tower}", "-M", "t", "--", script=f"{LOOK}; rm /low /two; echo new >/new; echo mine >/all; echo in >/data/in; (: >/opt/x) 2>/dev/null || echo read-only")
    assert r.stderr == "" and r.stdout.split("\n")[:-1] == ["ten-2", "two", "d", "o", "/low", "1000 1001", "read-only"], r
    assert host.run(f"cd {busybox}; find . {STACK}/layer* -printf '%p %y %m %U %G %s %T@\\n' | sort").out == before
    assert host.run(f"stat -c %u {STACK}/rw/data/new {STACK}/bind@data/in; ls {STACK}/rw").out.split()[:3] == ["0", "0", "data"]
    # by name, and what was changed is there; where systemd knows stacks, its systemd-nspawn sees the same
    look = "cat /all /new /data/in; ls /low /two 2>&1 | wc -l"
    assert run("tower", script=look).out.split() == ["mine", "new", "in", "2"]
    if not options and "--mstack" in host.run("systemd-nspawn", "--help").stdout:
        r = host.run("systemd-nspawn", "-q", "--register=no", "--console=pipe", f"--mstack={tower}", "-M", "real", "/bin/sh", "-c", f"{look}; rm /his; mkdir -p /etc; rm -r /opt 2>/dev/null; rm /new")
        assert r.out.split() == ["mine", "new", "in", "2"], r
        assert run("tower", script="ls /his /new 2>/dev/null; cat /all").out == "mine"
    # one at a time
    p = host.spawn("berth", "run", "-q", "-P", *own, *options, "tower", "/bin/sleep", "60")
    try:
        host.wait_for("berth list --no-legend | grep -q 'tower .*running'", 30)
        r = run(f"--mstack={tower}", "-M", "second", "--", check=False)
        assert r.returncode == 125 and "in use by" in r.stderr and tower in r.stderr, r
    finally:
        host.berth("terminate", "tower", check=False)
        host.end(p)
    # in the pool
    images = {i["name"]: i for i in json.loads(host.berth("images", "--json=short").stdout)}
    assert images["tower"]["type"] == "mstack", images
    for verb in (["clone", "tower", "copy"], ["rename", "tower", "other"], ["read-only", "tower"], ["set-limit", "tower", "1G"]):
        r = host.berth(*verb, check=False)
        assert r.returncode == 1 and "is a stack of layers, and cannot be" in r.stderr, r
    for more, reason in ((("-x",), "--ephemeral"), (("-D", "/srv"), "another root")):
        r = run(f"--mstack={tower}", *more, "-M", "t", "--", check=False)
        assert r.returncode in (2, 125) and reason in r.stderr and "Hint: " in r.stderr, r
    host.run(f"touch {STACK}/layer@3.raw")
    r = run("tower", check=False)
    assert r.returncode == 125 and "'layer@3.raw'" in r.stderr, r
    host.berth("remove", "tower")
    assert not host.exists(STACK)
