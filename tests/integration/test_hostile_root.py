# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roots that try to steer a start onto the host: every start is refused or contained, quickly, and the host stays as it was."""
import re
import shlex
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
MODES = [pytest.param([], id="host-users"), pytest.param(["-U"], id="userns")]
LIMIT_MS = 2000
LIMIT_KIB = 20 << 10


@pytest.fixture
def matrix(host):
    path = "/run/hostile_matrix.sh"
    host.write(path, (HERE / "hostile_matrix.sh").read_text(), mode="755")
    yield path
    host.run("rm", "-f", path)


@pytest.mark.parametrize("options", MODES)
def test_matrix(host, busybox, matrix, options, clean):
    out = host.run(matrix, busybox, *options, timeout=400).stdout
    rows = out.splitlines()
    assert len(rows) == 19 * 12, out
    wrong = []
    for row in rows:
        m = re.match(r"(\S+) (\S+) exit=(\d+) ms=(\d+) host=(\S+) lines=(\d+) ?(.*)$", row)
        assert m, row
        status, ms, lines = int(m[3]), int(m[4]), int(m[6])
        if m[5] != "same" or ms >= LIMIT_MS:
            wrong.append(row)
        elif status == 0:
            if lines:
                wrong.append(row)       # success must be silent
        elif status != 125 or not re.match(r"berth: Cannot start 'hostile': .*", m[7]) or lines > 2:
            wrong.append(row)           # one sentence that names the container, and perhaps a hint
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def victim(host):
    """A directory of the host that hostile roots aim at; fails the test if anything in it changed."""
    host.run("rm -rf /var/lib/victim; mkdir -p /var/lib/victim/d; echo SECRET >/var/lib/victim/secret; chmod 600 /var/lib/victim/secret")
    look = "find /var/lib/victim -printf '%P %y %m %U %G %s %l %n %T@ %C@\\n' | sort; cat /var/lib/victim/secret"
    before = host.run(look).stdout
    yield "/var/lib/victim"
    after = host.run(look).stdout
    host.run("rm -rf /var/lib/victim")
    assert before == after


def start(host, root, *args, command=("/bin/true",), timeout=10, **kwargs):
    return host.berth("run", "-q", "-P", "-M", "hostile", "-D", root, *args, "--", *command, check=False, timeout=timeout, **kwargs)


def measured(host, root, *args):
    """The Result of a container that took no long time, and no much memory in any one of our processes."""
    r = host.run("timeout", "10", "/lab/busybox/bin/busybox", "time", "-o", "/run/measured", "-f", "measured %e %M",
                 "/usr/bin/berth", "run", "-q", "-P", "-M", "hostile", "-D", root, *args, check=False)
    m = re.search(r"measured ([\d.]+) (\d+)", host.run("cat /run/measured; rm /run/measured").stdout)
    assert m, r
    limit = LIMIT_KIB * (4 if host.environment else 1)      # sanitizers have memory of their own
    assert float(m[1]) * 1000 < LIMIT_MS and int(m[2]) < limit, (args, m[0])
    return r


def refused_or_contained(r):
    assert r.returncode in (0, 125), r
    if r.returncode:
        assert re.match(r"berth: Cannot start 'hostile': ", r.stderr), r
        assert len(r.stderr.splitlines()) <= 2, r


@pytest.mark.parametrize("options", MODES)
class TestCases:
    """Numbers are those of docs/testing.md, "Hostile roots"."""

    def test_r01_proc_is_a_link(self, host, busybox, victim, options, clean):
        for target in (victim, "../../../victim"):
            host.run(f"rm -rf {busybox}/proc; ln -s {target} {busybox}/proc")
            r = start(host, busybox, *options)
            assert r.returncode == 125 and "/proc" in r.stderr, r

    def test_r02_dev_is_a_link(self, host, busybox, victim, options, clean):
        host.run(f"rm -rf {busybox}/dev; ln -s {victim} {busybox}/dev")
        r = start(host, busybox, *options)
        assert r.returncode == 125 and "/dev" in r.stderr, r

    def test_r03_other_mount_points_are_links(self, host, busybox, victim, options, clean):
        """API mount points are refused by name; what else is in the root is the container's own affair, inside."""
        for name in ("run", "sys", "tmp", "etc", "var"):
            for target in (victim, "../../../victim", "/var/lib/victim/nothing"):
                host.run(f"rm -rf {busybox}/{name}; ln -s {target} {busybox}/{name}")
                for more in ([], ["--private-network"], ["--tmpfs=/mnt/x"]) if name in ("sys", "tmp") else ([],):
                    r = start(host, busybox, *options, *more, "--resolv-conf=copy-host", "--timezone=copy")
                    refused_or_contained(r)
                    if name in ("run", "sys", "tmp"):
                        assert r.returncode == 125 and f"/{name} is a symbolic link in the root" in r.stderr and "\nHint: " in r.stderr, r
            host.run(f"rm {busybox}/{name}; mkdir {busybox}/{name}")

    def test_r04_console_is_a_link(self, host, busybox, victim, options, clean):
        host.run(f"mkdir -p {busybox}/dev; ln -sf {victim}/secret {busybox}/dev/console")
        for more in ([], ["--read-only"]):
            refused_or_contained(start(host, busybox, *options, *more))
            r = host.run(f"berth run -q --console=read-only -M hostile -D {busybox} {shlex.join([*options, *more])} -- "
                         "/bin/sh -c 'echo to the console >/dev/console; stat -c %t:%T /dev/console'")
            assert r.stdout.split() == ["to", "the", "console", "88:0"], r

    def test_r05_null_is_a_link_and_stdio_closed(self, host, busybox, victim, options, clean):
        host.run(f"mkdir -p {busybox}/dev; ln -sf {victim}/secret {busybox}/dev/null")
        r = host.run(f"berth run -q -P -M hostile -D {busybox} {shlex.join(options)} -- /bin/true <&- >&- 2>&-", check=False)
        assert r.returncode in (0, 125), r

    def test_r06_planted_pty(self, host, busybox, victim, options, clean):
        host.run(f"mkdir -p {busybox}/dev/pts; ln -sf {victim}/secret {busybox}/dev/pts/0; ln -sf {victim}/secret {busybox}/dev/ptmx")
        with host.terminal(f"berth run -q -M hostile -D {busybox} {shlex.join(options)} -- /bin/sh -c 'tty; echo; stat -c %t /proc/self/fd/0 >/dev/null'") as t:
            t.expect(r"/dev/(pts/\d+|console)")
            assert t.wait() == 0

    def test_r07_masked_paths(self, host, busybox, victim, options, clean):
        host.run(f"ln -s {victim}/secret {busybox}/m")
        r = start(host, busybox, *options, "--inaccessible=/m", command=("/bin/sh", "-c", "cat /m"))
        assert "SECRET" not in r.stdout + r.stderr
        # the device that others mask with
        host.run(f"mkdir -p {busybox}/dev; ln -sf /proc/sys/kernel/core_pattern {busybox}/dev/null")
        before = host.read("/proc/sys/kernel/core_pattern")
        r = start(host, busybox, *options, command=("/bin/sh", "-c", "stat -c %t:%T /dev/null; echo '|/bin/x' >/dev/null; (echo '|/bin/x' >/proc/sys/kernel/core_pattern) 2>/dev/null || echo no"))
        assert r.stdout.split() == ["1:3", "no"] and host.read("/proc/sys/kernel/core_pattern") == before, r
        r = start(host, busybox, *options, command=("/bin/sh", "-c", """
            for f in kcore keys timer_list kallsyms sysrq-trigger latency_stats; do
                [ -e /proc/$f ] || { echo $f absent; continue; }
                if text=$(cat /proc/$f 2>/dev/null | head -c 100) && [ -n "$text" ]; then echo $f READABLE; else echo $f masked; fi
                echo 1 2>/dev/null >/proc/$f && echo $f WRITABLE; done; :"""))
        assert r.returncode == 0 and "READABLE" not in r.stdout and "WRITABLE" not in r.stdout, r

    def test_r08_bind_target_through_a_link(self, host, busybox, victim, options, clean):
        host.run(f"mkdir -p /run/bindsrc; echo inside >/run/bindsrc/f; ln -s {victim} {busybox}/data; ln -s ../../../victim {busybox}/rel")
        try:
            for target in ("/data/new", "/rel/new"):
                refused_or_contained(start(host, busybox, *options, f"--bind=/run/bindsrc:{target}"))
        finally:
            host.run("rm -rf /run/bindsrc")

    @pytest.mark.parametrize("kind", ["bind-ro", "bind", "tmpfs", "inaccessible"])
    def test_r09_hostile_destinations(self, host, busybox, victim, options, kind, clean):
        host.run(f"mkdir -p /run/bindsrc; cd {busybox}; ln -s {victim}/new dangling; ln -s {victim} out; echo x >plain; "
                 "p=a; mkdir chain; ln -s /plain chain/0; for i in $(seq 1 45); do ln -s $((i - 1)) chain/$i; done")
        source = {"bind-ro": "/run/bindsrc:", "bind": "/dev/null:"}.get(kind, "")
        long = "/" + "/".join(["d" * 200] * 21)         # more than a path may have
        try:
            for target in ("/dangling", "/out", "/out/x", "/plain/x", "/a/../../../x", long, "/chain/45"):
                r = start(host, busybox, *options, f"--{kind}={source}{target}")
                assert r.returncode in (0, 2, 125), (target, r)
                if r.returncode:
                    assert r.stderr.startswith("berth: ") and len(r.stderr.splitlines()) <= 2, (target, r)
        finally:
            host.run("rm -rf /run/bindsrc")

    def test_r10_working_directory_by_descriptor(self, host, busybox, victim, options, clean):
        for n in range(3, 10):
            r = host.run(f"exec {n}<{victim}; berth run -q -P -M hostile -D {busybox} {shlex.join(options)} --chdir=/proc/self/fd/{n} -- /bin/pwd", check=False)
            assert r.returncode in (2, 125), r
            assert "SECRET" not in r.stdout

    def test_r11_working_directory_through_a_link(self, host, busybox, victim, options, clean):
        host.run(f"ln -s {victim} {busybox}/wd")
        r = start(host, busybox, *options, "--chdir=/wd/newdir", command=("/bin/pwd",))
        assert r.returncode == 125 and "/wd/newdir" in r.stderr, r

    @pytest.mark.parametrize("what", ["etc/passwd", "etc/group", "etc/os-release", "usr/lib/os-release", "etc/machine-id", "etc/hostname",
                                      "etc/resolv.conf", "etc/localtime"])
    def test_r12_files_that_never_end(self, host, busybox, victim, options, what, clean):
        # os-release is looked at when an init is started, passwd when a user is asked for
        boot = "os-release" in what
        if boot:
            host.run(f"rm -f {busybox}/sbin/init {busybox}/etc/os-release {busybox}/usr/lib/os-release; cp {busybox}/bin/busybox {busybox}/bin/true1")
            host.write(f"{busybox}/sbin/init", "#!/bin/sh\nexit 0\n", mode="755")
        how = ["-b"] if boot else ["--user=bob", "--", "/bin/true"]
        for maker in ("mkfifo $f", "ln -s /dev/zero $f", "truncate -s 10G $f", f"ln -s {victim}/secret $f", "mknod $f c 1 5", "mkdir $f"):
            host.run(f"f={busybox}/{what}; mkdir -p ${{f%/*}}; rm -rf $f; {maker}")
            r = measured(host, busybox, *options, *how)
            assert r.returncode in (0, 125), (maker, r)
            assert "SECRET" not in r.stderr and len(r.stderr.splitlines()) <= 2, (maker, r)

    def test_r12_init_that_is_none(self, host, busybox, victim, options, clean):
        for maker in ("mkfifo $f", "ln -s /dev/zero $f", f"ln -s {victim}/secret $f", "mkdir $f", "echo text >$f", "truncate -s 10G $f; chmod 755 $f",
                      "mknod $f c 1 5; chmod 755 $f"):
            host.run(f"f={busybox}/sbin/init; mkdir -p {busybox}/sbin; rm -rf $f; {maker}")
            r = measured(host, busybox, "-b", *options)
            assert r.returncode in (125, 126, 127) and "init" in r.stderr, (maker, r)

    def test_r13_init_that_names_our_own_program(self, host, busybox, victim, options, clean):
        """A root that has its init resolve to /proc/self/exe gets neither to run nor to write the supervisor's file."""
        digest = "sha256sum /usr/lib/berth/berth-supervisor /usr/bin/berth"
        before = host.run(digest).stdout
        host.run(f"cd {busybox}; mkdir -p sbin; rm -f sbin/init; ln -s /proc/self/exe sbin/init")
        r = host.berth("run", "-q", "-b", "-M", "hostile", "-D", busybox, *options, check=False, timeout=15)
        assert r.returncode in (125, 126, 127) and "init" in r.stderr, r
        host.run(f"printf '#!/proc/self/exe\\n' >{busybox}/bin/script; chmod 755 {busybox}/bin/script")
        start(host, busybox, *options, command=("/bin/script",))
        start(host, busybox, *options, command=("/proc/self/exe", "--version"))
        start(host, busybox, *options, command=("/bin/sh", "-c", "for p in 1 self; do echo x >>/proc/$p/exe; done; cat /proc/1/exe >/dev/null"))
        assert host.run(digest).stdout == before

    def test_user_lookup_runs_nothing_of_the_root(self, host, busybox, victim, options, clean):
        host.run(f"cd {busybox}; mkdir -p lib lib64 usr/bin; printf 'passwd: evil\\n' >etc/nsswitch.conf; "
                 f"printf '#!/bin/sh\\ntouch {victim}/ran\\n' >usr/bin/getent; chmod 755 usr/bin/getent; cp usr/bin/getent lib/libnss_evil.so.2")
        r = start(host, busybox, *options, "--user=bob", command=("/bin/id", "-u"))
        assert r.returncode == 0 and r.out == "1000", r


# tries to take away all that hides or protects something, then looks and writes
UNMASK = """
try() { "$@" >/dev/null 2>&1 && echo "done: $*"; }
try unshare -Urm true
try unshare -Urm umount /proc/sys
try unshare -Urm mount -t proc p /mnt
try unshare -Urmpf mount -t proc p /mnt
for m in /dev /dev/pts /dev/shm /run /run/host /sys /sys/firmware /proc/sys /proc/keys /proc/kcore /proc/kallsyms /proc/timer_list /proc/sysrq-trigger /proc/bus /proc/irq; do
    try umount $m; done
for m in / /run/host /sys /proc/sys /proc; do try mount -o remount,bind,rw $m; done
mount -t proc p /mnt 2>/dev/null
for p in /proc /mnt; do
    [ -n "$(cut -d' ' -f1 $p/kallsyms 2>/dev/null | tr -d '0\n' | head -c 1)" ] && echo READ $p/kallsyms
    [ -n "$(grep -v ' _ses\\| _uid' $p/keys 2>/dev/null)" ] && echo READ $p/keys
    for f in kcore timer_list; do [ -n "$(head -c 1 $p/$f 2>/dev/null | tr '\\0' x)" ] && echo READ $p/$f; done
    for f in sys/kernel/core_pattern sys/kernel/modprobe sys/vm/drop_caches sys/kernel/hostname sysrq-trigger irq/default_smp_affinity; do
        (echo 0 >$p/$f) 2>/dev/null && echo WRITTEN $p/$f; done
done
(echo x >/sys/kernel/uevent_helper) 2>/dev/null && echo WRITTEN /sys
(echo x >/run/host/x) 2>/dev/null && echo WRITTEN /run/host
:
"""


@pytest.mark.parametrize("options", MODES)
class TestInside:
    def test_c01_no_foreign_descriptors(self, host, busybox, options, clean):
        r = host.run(f"exec 9</etc/shadow 8</ 7>/dev/null; berth run -q -P -M hostile -D {busybox} {shlex.join(options)} "
                     "-- /bin/sh -c 'ls -l /proc/self/fd /proc/1/fd'")
        shown = {int(m) for m in re.findall(r" (\d+) -> ", r.stdout)}
        assert shown <= {0, 1, 2, 3}, r      # 3: the directory that ls itself reads
        assert "shadow" not in r.stdout
        # high ones as well, and with a stub init
        far = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (19999, 19999))
for n in (3, 4, 5, 6, 11, 255, 1024, 19998):
    os.dup2(os.open("/etc/shadow", os.O_RDONLY), n)
os.execv("/usr/bin/berth", sys.argv[1:])
"""
        for more in ([], ["-a"]):
            r = host.run("python3", "-c", far, "berth", "run", "-q", "-P", "-M", "hostile", "-D", busybox, *options, *more, "--",
                         "/bin/ls", "-l", "/proc/self/fd", "/proc/1/fd", check=False)
            shown = {int(m) for m in re.findall(r" (\d+) -> ", r.stdout)}
            assert shown <= {0, 1, 2, 3} and "shadow" not in r.stdout, r

    def test_c02_stub_init_shows_nothing_of_the_host(self, host, busybox, options, clean):
        r = start(host, busybox, *options, "-a", command=("/bin/sh", "-c",
                  "ls -l /proc/1/exe /proc/1/root /proc/1/cwd /proc/1/fd 2>&1; cat /proc/1/environ 2>&1; kill -9 1; kill -9 -1 2>/dev/null; echo alive"))
        assert "alive" in r.stdout, r
        if options:
            assert "berth" not in r.stdout.replace("hostile", ""), r

    def test_c03_kernel_settings_cannot_be_written(self, host, busybox, options, clean):
        paths = ("/proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/fs/binfmt_misc/register /sys/kernel/uevent_helper "
                 "/proc/sys/vm/drop_caches /sys/class/net/lo/mtu /sys/firmware/x /proc/acpi/x /proc/irq/default_smp_affinity /proc/fs/x "
                 "/proc/bus/x /proc/scsi/scsi /sys/power/state /sys/kernel/profiling")
        r = start(host, busybox, *options, command=("/bin/sh", "-c", f"for f in {paths}; do (echo 1 >$f) 2>/dev/null && echo $f WRITTEN; done; "
                  "mkdir /proc/sys/x /sys/x 2>/dev/null && echo MADE; :"))
        assert r.returncode == 0 and r.out == "", r

    def test_c04_what_is_below_masks_and_mounts(self, host, options, clean):
        """API mounts stay. What hides parts of /proc is the payload's own, and can go; what is below gives it nothing of the host."""
        tree = f"/lab/{host.suite}"     # has the mount and unshare of util-linux
        r = start(host, tree, "--read-only", "--tmpfs=/mnt", *options, command=("/bin/sh", "-c", UNMASK))
        done = {line for line in r.stdout.splitlines() if line.startswith("done: ")}
        if not options:
            return      # without a user namespace root is the host's root; what it cannot do it cannot do in test_c03, C05
        assert not done & {f"done: umount {m}" for m in ("/dev", "/dev/pts", "/dev/shm", "/run", "/run/host", "/sys")}, r
        assert "done: mount -o remount,bind,rw /run/host" not in done and "done: mount -o remount,bind,rw /" not in done, r
        assert not re.search("^(READ|WRITTEN)", r.stdout, re.M), r

    def test_c04_a_user_cannot_unmask(self, host, options, clean):
        r = start(host, f"/lab/{host.suite}", "--read-only", "--tmpfs=/mnt", "-u", "65534", *options, command=("/bin/sh", "-c", UNMASK))
        assert "done: " not in r.stdout.replace("done: unshare -Urm true", "") and not re.search("^(READ|WRITTEN)", r.stdout, re.M), r

    def test_c05_device_nodes(self, host, busybox, options, clean):
        r = start(host, busybox, *options, command=("/bin/sh", "-c", """
            mknod /tmp/sda b 8 0 2>/dev/null && head -c 1 /tmp/sda >/dev/null 2>&1 && echo SDA
            mknod /dev/kmsg2 c 1 11 2>/dev/null && head -c 1 /dev/kmsg2 >/dev/null 2>&1 && echo KMSG
            mknod /dev/mem2 c 1 1 2>/dev/null && head -c 1 /dev/mem2 >/dev/null 2>&1 && echo MEM
            mknod /x c 1 11 2>/dev/null && head -c 1 /x >/dev/null 2>&1 && echo ROOT
            for n in null zero full random urandom tty; do [ -c /dev/$n ] || echo no $n; done; :"""))
        assert r.returncode == 0 and r.out == "", r
