# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console of a container, for who comes later."""
import subprocess

import pytest


@pytest.fixture
def console(host, busybox, clean):
    """A container "talk" with a shell on its console, started where nobody types."""
    p = host.spawn("berth", "run", "-q", "--console=read-only", "-M", "talk", "-D", busybox, "--", "/bin/sh", "-c", "echo first words; exec sh -i",
                   stdout=subprocess.DEVNULL)
    host.wait_for("berth show -p State --value talk 2>/dev/null | grep -qx running", 20)
    host.wait_for("berth attach --history talk | grep -q 'first words'", 30)
    yield "talk"
    host.berth("terminate", "talk", check=False)
    host.end(p)


def test_history_is_read_back(host, console):
    r = host.berth("attach", "--history", console)
    assert "first words" in r.stdout and r.stderr == "", r
    # whoever has no terminal looks on, until he is ended
    host.run(f"setsid berth attach {console} </dev/null >/run/viewed 2>&1 &")
    try:
        host.wait_for("grep -q 'first words' /run/viewed", 30)
        host.run(f"pkill -TERM -xf 'berth attach {console}'")
        host.wait_for(f"! pgrep -xf 'berth attach {console}'", 30)
    finally:
        host.run(f"pkill -KILL -xf 'berth attach {console}'; rm -f /run/viewed", check=False)


def test_terminal_that_is_handed_out_cannot_be_read(host, console):
    """Who was attached once may keep it: what the next one types is not for him."""
    with host.terminal(f"berth attach {console}") as t:
        t.expect("first words")
        pid = host.run(f"pgrep -xf 'berth attach {console}' | tail -n 1").out
        leader = host.berth("show", "-p", "Leader", "--value", console).out
        # the one descriptor of the client that is of the container's devpts; O_WRONLY is the last digit of its flags
        words = host.run(f"for f in /proc/{pid}/fd/*; do if [ $(stat -Lc %d $f) = $(stat -Lc %d /proc/{leader}/root/dev/pts/ptmx) ]; then "
                         f"sed -n 's/^flags:.*\\(.\\)$/\\1/p' /proc/{pid}/fdinfo/${{f##*/}}; fi; done").out.split()
        assert words == ["1"], words
        t.send("\x1d\x1d\x1d")
        assert t.wait() == 0


def test_attach_and_leave(host, console):
    with host.terminal(f"berth attach {console}", rows=33, columns=111) as t:
        t.expect("Connected to container 'talk'")
        t.expect("first words")
        t.send("stty size; echo value=$((6*7))\n")
        t.expect("33 111")
        t.expect("value=42")
        t.send("\x1d\x1d\x1d")
        assert t.wait() == 0
    # it goes on, and what was said since is there for the next one
    assert host.berth("show", "-p", "State", "--value", console).out == "running"
    with host.terminal(f"berth attach {console}", rows=20, columns=80) as t:
        t.expect("value=42")
        t.send("stty size\n")
        t.expect("20 80")
        t.send("exit 3\n")
        assert t.wait() == 0      # the container has ended, and that is no failure
    host.wait_for("! berth list --no-legend | grep talk", 30)


def test_the_second_takes_over(host, console):
    with host.terminal(f"berth attach {console}") as first:
        first.expect("first words")
        assert "first words" in host.berth("attach", "--history", console).stdout     # disturbs nobody
        first.send("echo still=$((1+1))\n")
        first.expect("still=2")
        with host.terminal(f"berth attach {console}") as second:
            second.expect("first words")
            first.expect("somebody else has attached")
            assert first.wait() == 1
            second.send("echo mine=$((2+2))\n")
            second.expect("mine=4")
            second.send("\x1d\x1d\x1d")
            assert second.wait() == 0


def test_who_does_not_keep_up_is_left(host, console):
    """A viewer that stops reading holds nobody up: neither the payload nor the next one."""
    host.run(f"setsid berth attach {console} </dev/null >/run/viewed 2>&1 &")
    try:
        host.wait_for("grep -q 'first words' /run/viewed", 30)
        pid = host.run(f"pgrep -xf 'berth attach {console}'").out
        host.run(f"kill -STOP {pid}")
        with host.terminal(f"berth exec -t {console} sh") as t:
            t.send("head -c 2000000 /dev/zero | tr '\\0' x >/dev/console; echo done=$((3*3))\n")
            t.expect("done=9", 30)
            t.send("exit\n")
        host.run(f"kill -CONT {pid}")
        host.wait_for(f"! kill -0 {pid} 2>/dev/null", 30)
        assert "did not keep up" in host.run("tail -n 2 /run/viewed").stdout
    finally:
        host.run("pkill -KILL -xf 'berth attach talk'; rm -f /run/viewed", check=False)
    assert len(host.berth("attach", "--history", console).stdout) <= 32768


def test_no_console(host, busybox, clean):
    p = host.spawn("berth", "run", "-q", "-P", "-M", "mute", "-D", busybox, "--", "sleep", "60")
    try:
        host.wait_for("berth show -p State --value mute 2>/dev/null | grep -qx running", 20)
        for words in (["mute"], ["--history", "mute"]):
            r = host.berth("attach", *words, check=False)
            assert r.returncode == 1 and "'mute' has no console" in r.stderr and "--console=pipe" in r.stderr, r
    finally:
        host.berth("terminate", "mute", check=False)
        host.end(p)


def test_service_console(host, machine, clean):
    """What a service writes is in the journal, and on its console, where one can type."""
    root = machine("serve", "busybox")
    host.run(f"rm {root}/sbin/init")
    host.write(f"{root}/sbin/init", "#!/bin/sh\necho up and ready\nread word\necho got $word\nread word\n", mode="755")
    host.write("/etc/berth/serve.berth", "[Exec]\nPrivateUsers=no\nKillSignal=SIGKILL\n")
    try:
        host.berth("start", "serve", timeout=60)
        host.wait_for("berth attach --history serve | grep -q 'up and ready'", 30)
        with host.terminal("berth attach serve") as t:
            t.expect("up and ready")
            t.send("hello\n")
            t.expect("got hello")
            t.send("\x1d\x1d\x1d")
            assert t.wait() == 0
        host.wait_for("berth logs serve | grep -q 'got hello'", 30)
    finally:
        host.systemctl("stop", "berth@serve.service", check=False, timeout=60)
        host.run("rm -f /etc/berth/serve.berth; systemctl reset-failed berth@serve.service 2>/dev/null; :")
