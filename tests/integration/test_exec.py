# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs, sessions and copies inside containers that run, under a real systemd."""
import io
import re
import tarfile

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
    host.wait_for("pgrep -f '^sleep 777' >/dev/null", 30)
    pid = host.run("pgrep -f '^sleep 777'").out
    ours = host.run(f"grep -E '{interesting}' /proc/{pid}/status; cat /proc/{pid}/limits /proc/{pid}/oom_score_adj /proc/{pid}/cgroup")
    namespaces = [host.run(f"cd /proc/{i}/ns; readlink cgroup ipc mnt net pid time user uts; readlink /proc/{i}/root").out for i in (leader, pid)]
    descriptors = host.run(f"ls /proc/{pid}/fd").out.split()
    host.run("kill", pid)
    assert p.wait(30) == 128 + 15
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
    host.wait_for("pgrep -f '^sleep 4321' >/dev/null", 30)
    host.run("pkill -9 -f '^berth exec box sleep 4321'")
    host.wait_for("! pgrep -f '^sleep 4321' >/dev/null", 30)
    host.end(p)
    p = host.spawn("berth", "exec", name, "sleep", "4322")
    host.wait_for("pgrep -f '^sleep 4322' >/dev/null", 30)
    host.run("pkill -TERM -f '^berth exec box sleep 4322'")    # passed on
    assert p.wait(30) == 128 + 15
    p = host.spawn("berth", "exec", name, "sleep", "4323")
    host.wait_for("pgrep -f '^sleep 4323' >/dev/null", 30)
    host.berth("terminate", name)
    assert p.wait(30) == 128 + 9
    host.wait_for("! pgrep berth-worker >/dev/null", 30)


def test_goes_on_without_the_manager(host, running):
    name = running()
    p = host.spawn("berth", "exec", name, "sh", "-c", "sleep 3; echo late; exit 5")
    host.wait_for("pgrep -f '^sleep 3' >/dev/null", 30)
    host.systemctl("restart", "berthd.service")
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 5 and b"late" in out


def test_many_at_once(host, running, request):
    name = running()
    n = 50 if request.config.getoption("--sanitized") else 100      # workers are large then, and fewer may run at a time
    before = host.run("ls /proc/$(pidof berthd)/fd | wc -l").out
    r = host.run(f"for i in $(seq {n}); do (berth exec {name} true; echo $?) & done; wait", timeout=120)
    assert r.out.split() == ["0"] * n, r.stderr[-2000:]
    host.wait_for("! pgrep berth-worker >/dev/null", 30)
    assert int(host.run("ls /proc/$(pidof berthd)/fd | wc -l").out) <= int(before) + 1
    host.wait_for("! ps -eo stat,comm | grep '^Z.*berth'", 30)


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


def test_no_descriptor_of_the_host(host, running):
    name = running("-U")
    r = host.run(f"berth exec {name} ls </var", check=False)
    assert r.returncode == 125 and "Descriptor 0 is nothing that a program can read or write" in r.stderr
    # what somebody inside sees of those who come: only itself, and programs that run already
    p = host.spawn("berth", "exec", name, "sh", "-c", "while [ ! -e /run/enough ]; do for f in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/exe; do readlink $f; done; done 2>/dev/null | sort -u")
    host.run(f"for i in $(seq 60); do berth exec {name} true </dev/null >/dev/null 2>&1; done; berth exec {name} touch /run/enough </dev/null", timeout=60)
    out, _ = p.communicate(timeout=30)
    seen = {line for line in out.decode().splitlines() if not re.match(r"$|pipe:|/$|/dev/null$|/bin/|/proc/", line)}
    assert not seen
    # nor can it be made to run something else, or to load it
    host.run(f"cd /var/lib/machines/{name}; mkdir -p lib/x86_64-linux-gnu; echo /lib/trojan.so >etc/ld.so.preload; "
             "for l in nss_files nss_trojan seccomp systemd; do echo trojan >lib/x86_64-linux-gnu/lib$l.so.2; done; "
             "printf 'passwd: trojan\\n' >etc/nsswitch.conf")
    assert host.berth("exec", "-u", "bob", name, "id", "-u").out == "1000"


# ---- sessions ----

def test_shell_without_systemd(host, running):
    name = running("-U")
    r = host.berth("shell", name, "/bin/sh", "-c", "id -u; tty; exit 9", check=False)
    assert r.returncode == 9 and re.search(r"0\r?\n/dev/pts/\d+", r.stdout)
    with host.terminal("berth", "shell", f"bob@{name}") as t:
        t.expect("Connected to container 'box'")
        t.send("id -un; stty size\r")
        t.expect("bob\r\n24 80")
        t.send("exit 4\r")
        assert t.wait() == 4
    with host.terminal("berth", "exec", "-t", name, "sh") as t:
        t.send("echo $((6 * 7)); tty\r")
        t.expect(r"42\r\n/dev/pts/\d+")
        t.send("\x1d\x1d\x1d")
        assert t.wait() == 0
    host.wait_for("! pgrep berth-worker >/dev/null", 30)


def test_shell_is_hung_up(host, running):
    name = running()
    with host.terminal("berth", "exec", "-t", name, "sh", "-c", "sleep 5432; :") as t:
        host.wait_for("pgrep -f '^sleep 5432' >/dev/null", 30)
        host.run("pkill -9 -f '^berth exec -t'")
        t.wait()
    host.wait_for("! pgrep -f '^sleep 5432' >/dev/null", 30)
    host.wait_for("! pgrep berth-worker >/dev/null", 30)


@pytest.mark.parametrize("options", MODES)
def test_shell_by_systemd(host, machine, options):
    root = machine("web", host.suite)
    p = host.spawn("berth", "run", "-b", "--notify-ready=yes", "-M", "web", "-D", root, *options)
    try:
        host.wait_for("berth show -p Ready --value web | grep -qx yes", 60)
        r = host.berth("shell", "web", "/bin/sh", "-c", "tty; loginctl --no-legend --no-pager; exit 9", check=False)
        assert r.returncode == 9, r
# a session, of whichever shape this systemd gives it, on that terminal
        assert re.search(r"\d+ +0 root .*pts/\d+", re.sub(r"\x1b\[[0-9;:]*m", "", r.stdout)), r
        with host.terminal("berth", "login", "web") as t:
            t.expect("login: ")
            t.send("\x1d\x1d\x1d")
            assert t.wait() == 0
        # the system inside is as it was (its own shell has ended with 9, which it may still count as a failure)
        assert host.berth("exec", "web", "systemctl", "is-active", "multi-user.target").out == "active"
        assert host.berth("exec", "web", "sh", "-c", "ulimit -Sn").out == "1024"
    finally:
        host.berth("terminate", "web", check=False)
        host.end(p)


# ---- copies ----

@pytest.fixture
def tree(host):
    host.run("rm -rf /tmp/tree /tmp/back; mkdir -p /tmp/tree/d/e; echo hello >/tmp/tree/d/f; ln -s f /tmp/tree/d/l; chmod 4755 /tmp/tree/d/f; "
             "mkfifo /tmp/tree/d/p; truncate -s 1G /tmp/tree/d/hole; chown 1000:1000 /tmp/tree/d/e")
    yield "/tmp/tree"
    host.run("rm -rf /tmp/tree /tmp/back")


@pytest.mark.parametrize("options", MODES)
def test_copy(host, running, tree, options):
    name = running(*options)
    host.berth("copy-to", name, tree, "/opt/x/y")
    listing = "cd /opt/x/y/d; stat -c '%n %F %a %u %s' *"
    owner = "0" if options else "1000"
    assert host.berth("exec", name, "sh", "-c", listing).out.split("\n") == [
        f"e directory 755 {owner} 40", "f regular file 4755 0 6", "hole regular file 644 0 1073741824", "l symbolic link 777 0 1"]
    r = host.berth("copy-to", name, tree, "/opt/x/y", check=False)
    assert r.returncode == 1 and r.stderr == ("berth: Writing '/opt/x/y' in the container failed: File exists\n"
                                              "Hint: choose another destination, or replace it with --force\n")
    host.berth("copy-from", name, "/opt/x/y", "/tmp/back")
    assert host.run("cd /tmp/back/d; stat -c '%n %F %a %u' *; du -s .").out.split("\n")[:-1] == [
        "e directory 755 0", "f regular file 755 0", "hole regular file 644 0", "l symbolic link 777 0"]
    host.berth("copy-to", "--force", name, "/etc/hostname", "/opt/x/y")
    assert host.berth("exec", name, "cat", "/opt/x/y").out == host.read("/etc/hostname").strip()
    assert "berth-copy" not in host.berth("exec", name, "ls", "-a", "/opt/x").out
    for words, said in (
            (["copy-to", name, "/nowhere"], "berth: Reading '/nowhere' on the host failed: No such file or directory"),
            (["copy-from", name, "/nowhere", "/tmp/back2"], "berth: Reading '/nowhere' in the container failed: No such file or directory"),
            (["copy-to", name, "/dev/null", "/opt/n"], "berth: '/dev/null' on the host is neither a file nor a directory"),
            (["copy-from", name, "/proc/kmsg", "/tmp/back2"], "berth: "),
            (["copy-from", name, "opt", "/tmp/back2"], "berth: Invalid source 'opt': an absolute path is expected"),
            (["copy-to", name, tree, "/"], "berth: "),
            ):
        r = host.berth(*words, check=False)
        assert r.returncode == 1 and r.stderr.startswith(said), (words, r)
    assert not host.exists("/tmp/back2")


def test_copy_does_not_leave_the_container(host, running, tree):
    name = running()
    host.run("rm -f /tmp/outside; echo secret >/tmp/outside")
    host.berth("exec", name, "sh", "-c", "ln -s /tmp /up; ln -s ../../../../../tmp/outside /leak; mkdir -p /tmp")
    host.berth("copy-to", name, "/etc/hostname", "/up/made")
    assert not host.exists("/tmp/made") and host.berth("exec", name, "ls", "/tmp").out == "made"
    assert host.berth("copy-from", name, "/leak", "/tmp/back", check=False).returncode == 1
    # and while names change under its feet
    host.berth("exec", name, "mkdir", "-p", "/d")
    p = host.spawn("berth", "exec", name, "sh", "-c", "while :; do mv /d /d2; ln -s /tmp /d; rm /d; mv /d2 /d; done")
    host.run(f"for i in $(seq 60); do berth copy-to {name} /etc/hostname /d/swapped$i 2>/dev/null; done; :", timeout=120)
    host.run("pkill -f '^berth exec box sh -c while'")
    host.end(p)
    assert not host.run("ls /tmp | grep swapped || :").out


@pytest.mark.parametrize("options", MODES)
def test_copy_keeps(host, running, tree, options):
    """Attributes, access lists, capabilities and names of one file; on the way out, what gives no rights."""
    name = running(*options)
    host.run(f"cd {tree}/d; ln f second; mkdir x; ln f x/third; setfattr -n user.color -v blue f; setfattr -n user.here -v yes .; echo caps >c; setcap cap_net_raw=ep c; "
             "echo acl >a; setfacl -m u:1234:r a; setfattr -n trusted.mine -v x c")
    host.berth("copy-to", name, tree, "/opt/kept")
    leader = host.berth("show", "-p", "Leader", "--value", name).out
    # with the eyes of the host, and the container's user namespace
    def inside(line):
        return host.run(f"nsenter -t {leader} {'-U' if options else '-u'} sh -c 'cd /proc/{leader}/root/opt/kept/d && {line}'").out
    assert len(set(inside("stat -c %i f second x/third").split())) == 1
    assert "user.color=\"blue\"" in inside("getfattr -d f") and "user.here=\"yes\"" in inside("getfattr -d .")
    assert "cap_net_raw=ep" in inside("getcap -n c")
    assert "trusted" not in inside("getfattr -d -m . c")
    acl = inside("getfacl -n a")
    assert ("user:1234:r--" in acl) == (not options) and "mask::r--" in acl, acl
    host.berth("copy-from", name, "/opt/kept", "/tmp/back")
    assert len(set(host.run("cd /tmp/back/d; stat -c %i f second x/third").out.split())) == 1
    assert "user.color=\"blue\"" in host.run("getfattr -d /tmp/back/d/f").out
    assert not host.run("getcap /tmp/back/d/c; getfacl -n /tmp/back/d/a | grep 1234 || :").out


@pytest.mark.parametrize("options", MODES)
def test_copy_archives(host, running, tree, options):
    name = running(*options)
    host.run(f"cd {tree}/d; ln f second; echo mine >mine; chown 1000:1000 mine; setfattr -n user.color -v blue f; rm hole; truncate -s 5M hole; echo ü >'n ü'; mkdir -p {'x/' * 40}")
    host.run(f"tar c --xattrs -C {tree} . | berth copy-to {name} - /opt/a")
    assert host.berth("exec", name, "sh", "-c", "cd /opt/a/d; stat -c '%n %F %a %u %h' f l mine hole; cat 'n ü'; ls; ls x/x/x").out.split("\n") == [
        "f regular file 4755 0 2", "l symbolic link 777 0 1", "mine regular file 644 1000 1", "hole regular file 644 0 1", "ü",
        "e", "f", "hole", "l", "mine", "n ü", "second", "x", "x"]
    # and back: the same names, owners as they are inside
    listing = sorted(line.split(None, 5)[-1] for line in host.run(f"export LC_ALL=C; berth copy-from {name} /opt/a - | tar tvf -").out.splitlines() if "/x/x" not in line)
    assert [n.split(" link to ")[0].split(" -> ")[0] for n in listing] == [
        "./", "./d/", "./d/e/", "./d/f", "./d/hole", "./d/l", "./d/mine", "./d/n \\303\\274", "./d/second", "./d/x/"], listing
    host.run(f"mkdir /tmp/back; berth copy-from {name} /opt/a - | tar x --xattrs -C /tmp/back --same-owner")
    assert host.run("cd /tmp/back/d; stat -c %u mine; stat -c %h f; getfattr --only-values -n user.color f").out == "1000\n2\nblue"
    assert host.run(f"berth copy-from {name} /opt/a/d/mine - | tar xO mine").out == "mine"
    # compressed, from one container to itself, over what is there
    for program in ("gzip", "xz"):
        host.run(f"tar c -C {tree} d/f d/mine | {program} | berth copy-to --force {name} - /opt/a")
        assert host.berth("exec", name, "sh", "-c", "cd /opt/a; find . | sort").out.split() == [".", "./d", "./d/f", "./d/mine"]
    host.run(f"berth copy-from {name} /opt/a - | berth copy-to {name} - /opt/b")
    assert host.berth("exec", name, "cat", "/opt/b/d/f").out == "hello"
    # in any order, and twice
    host.run(f"cd {tree}; rm -f t.tar; tar cf t.tar d/f; echo newer >d/f; tar rf t.tar d/mine d/e d/f; berth copy-to {name} - /opt/order <t.tar")
    assert host.berth("exec", name, "sh", "-c", "cat /opt/order/d/f; ls /opt/order/d").out.split() == ["newer", "e", "f", "mine"]


def member(name, kind=tarfile.REGTYPE, link="", data=b"x"):
    t = tarfile.TarInfo(name)
    t.type, t.linkname, t.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
    return t, data


def lying_archive(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for info, data in members:
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


LIES = {
    "up": [member("../x")], "far": [member("a/../../x")], "absolute": [member("/etc/absolute")], "end": [member("a/..", tarfile.DIRTYPE)],
    "link": [member("l", tarfile.SYMTYPE, "/tmp/victim"), member("l/x")], "hard": [member("h", tarfile.LNKTYPE, "../../../etc/passwd")],
    "hard-absolute": [member("h", tarfile.LNKTYPE, "/etc/passwd")], "through": [member("l", tarfile.SYMTYPE, ".."), member("h", tarfile.LNKTYPE, "l/etc/passwd")],
    "device": [member("null", tarfile.CHRTYPE), member("ok")], "fifo": [member("p", tarfile.FIFOTYPE), member("ok")],
    "deep": [member("d/" * 300 + "f")], "long": [member("n" * 300)], "exchange": [member("d/f"), member("d", tarfile.SYMTYPE, "/tmp/victim"), member("d/f")],
}


def test_copy_archives_that_lie(host, running, tree):
    name = running("-U")
    host.run("rm -rf /tmp/victim; mkdir -p /tmp/victim; echo safe >/tmp/victim/f")
    for lie, status, said in (
            ("up", 1, "'../x' in the archive leads out of the directory that it is for"),
            ("far", 1, "leads out"), ("end", 1, "leads out"), ("absolute", 0, ""), ("link", 1, "Writing '/opt/link' in the container failed"),
            ("hard", 1, "leads out"), ("hard-absolute", 1, ""), ("through", 1, ""), ("device", 0, ""), ("fifo", 0, ""), ("deep", 1, ""), ("long", 1, ""),
            ("exchange", 1, "")):
        r = host.berth("copy-to", name, "-", f"/opt/{lie}", input=lying_archive(LIES[lie]), check=False)
        assert r.returncode == status and said in r.stderr and (status == 0 or r.stderr.startswith("berth: ")), (lie, r)
        assert status == 0 or host.berth("exec", name, "ls", f"/opt/{lie}", check=False).returncode != 0, lie
    assert host.berth("exec", name, "sh", "-c", "ls /opt/absolute/etc /opt/device /opt/fifo").out.split() == [
        "/opt/absolute/etc:", "absolute", "/opt/device:", "ok", "/opt/fifo:", "ok"]
    assert host.run("cat /tmp/victim/f; ls /tmp/victim").out.split() == ["safe", "f"]
    assert "berth-copy" not in host.berth("exec", name, "ls", "-a", "/opt").out
    for line, said in ((f"head -c 100000 /dev/urandom | berth copy-to {name} - /opt/n", "The input is no tar archive, or is compressed in a way"),
                       (f"tar c -C {tree} d | head -c 700 | berth copy-to {name} - /opt/n", "Reading the archive failed"),
                       (f"berth copy-to {name} - /opt/n </tmp", "The archive is nothing that can be read or written"),
                       (f"tar c -C {tree} d | berth copy-to {name} - opt", "Invalid destination 'opt'"),
                       (f"berth copy-from {name} /nowhere - | cat", "Reading '/nowhere' in the container failed"),
                       (f"berth copy-from {name} /opt - >/dev/full", "Writing the archive failed: No space left on device")):
        r = host.run(line, check=False)
        assert r.stderr.startswith("berth: ") and said in r.stderr, (line, r)
    r = host.run(f"script -qec 'berth copy-from {name} /opt -' /dev/null", check=False)
    assert r.returncode == 2 and "There is no archive on a terminal" in r.stdout, r
    host.run("rm -rf /tmp/victim")


def test_copy_shows_how_far_it_is(host, running):
    name = running()
    host.run("rm -rf /tmp/slow; mkdir -p /tmp/slow; for i in $(seq 20); do truncate -s 10M /tmp/slow/$i; done; mkfifo /tmp/slow.tar")
    # an archive that takes its time
    host.spawn("tar c -C /tmp/slow . | (head -c 15000000; sleep 1.5; head -c 15000000; sleep 0.5; cat) >/tmp/slow.tar")
    with host.terminal(f"berth copy-to {name} - /opt/slow </tmp/slow.tar; echo done") as t:
        t.expect(r"\d+ files, [\d.]+[BKMG], [\d.]+[BKMG]/s", timeout=20)
        t.expect("done", timeout=30)
    assert "files," not in host.run(f"berth copy-to {name} /tmp/slow /opt/fast 2>&1").out
    host.run("rm -rf /tmp/slow /tmp/slow.tar")


def test_copy_ends_with_its_caller(host, running):
    name = running()
    host.run("rm -rf /tmp/back")
    host.berth("exec", name, "sh", "-c", "head -c 300M /dev/zero >/big 2>/dev/null || dd if=/dev/zero of=/big bs=1M count=300")
    p = host.spawn("berth", "copy-from", name, "/big", "/tmp/back")
    host.wait_for("pgrep berth-worker >/dev/null", 30, every=0.01)
    host.run("pkill -9 -f '^berth copy-from'")
    host.end(p)
    host.wait_for("! pgrep berth-worker >/dev/null", 30)
    assert not host.run("ls -a /tmp | grep -e berth-copy || :").out


# ---- who may ----

def test_access(host, running):
    name = running()
    user = "systemd-run -q --collect --pipe --wait -p User=nobody"
    for words in (f"exec {name} id", f"shell {name} /bin/id", f"login {name}", f"copy-to {name} /etc/passwd /x", f"copy-from {name} /etc/passwd /tmp/x"):
        r = host.run(f"{user} berth {words} </dev/null", check=False)
        assert r.returncode not in (0, 124) and "Access denied" in r.stderr, (words, r)
    for method in ("OpenContainerRootDirectory", "GetContainerOSRelease", "GetContainerAddresses", "GetContainerUIDShift"):
        r = host.run(f"{user} busctl call org.berth.Containers1 /org/berth/Containers1 org.berth.Containers1.Manager {method} s {name}", check=False)
        assert r.returncode != 0 and "Access denied" in r.stderr, (method, r)
    host.write("/etc/polkit-1/rules.d/50-exec.rules", """polkit.addRule(function(action, subject) {
        if (action.id == "org.berth.containers1.exec" && action.lookup("container") == "box" && action.lookup("program") == "id" &&
            action.lookup("user") == "bob") return polkit.Result.YES;
        if (action.id == "org.berth.containers1.copy") return polkit.Result.YES;
});
""")
    host.run("systemctl restart polkit")
    try:
        assert host.run(f"{user} berth exec -u bob {name} id -un").out == "bob"
        for words in (f"exec {name} id", f"exec -u bob {name} sh"):
            assert "Access denied" in host.run(f"{user} berth {words}", check=False).stderr
        # the rights of the caller on the host
        r = host.run(f"{user} berth copy-to {name} /etc/shadow /x", check=False)
        assert r.returncode == 1 and "Reading '/etc/shadow' on the host failed: Permission denied" in r.stderr
        r = host.run(f"{user} berth copy-from {name} /etc/passwd /root/x", check=False)
        assert r.returncode == 1 and "Permission denied" in r.stderr
        host.run(f"rm -rf /tmp/mine; {user} berth copy-from {name} /etc/passwd /tmp/mine")
        assert host.run("stat -c %U /tmp/mine; rm /tmp/mine").out == "nobody"
    finally:
        host.run("rm /etc/polkit-1/rules.d/50-exec.rules; systemctl restart polkit")
