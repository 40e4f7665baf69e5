# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings that live: drop-ins, profiles and specifiers in a start; cat, edit and revert; set on a running scope and service."""
import json

import pytest

DROP_INS = "/etc/berth/busybox.berth.d"


@pytest.fixture
def tidy(host):
    yield
    host.run("rm -rf /etc/berth /run/berth/settings; :")


def start(host, *options):
    """Container "busybox" as a scope, by its image's name."""
    p = host.spawn("berth", "run", "-q", *options, "busybox", "sleep", "1000")
    host.wait_for("berth show busybox -p State --value | grep -qx running")
    return p


def end(host, p):
    host.berth("terminate", "busybox", check=False)
    host.end(p)
    host.wait_for("! systemctl is-active -q machine-busybox.scope")


def limits(host, unit="machine-busybox.scope"):
    p = host.properties(unit, "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "IOWeight", "CPUWeight", "AllowedCPUs")
    return {k: v for k, v in p.items() if v not in ("infinity", "[not set]", "")}


def test_files_of_a_container(host, busybox, clean, tidy):
    """What all of it comes to, and which line each value is from."""
    host.write("/run/berth/settings/busybox.berth", "[Exec]\nHostname=main\nEnvironment=A=%i\n")
    host.write("/etc/berth/berth.d/50-all.conf", "[Container]\nProfile=common\n[Exec]\nEnvironment=K=%v\n")
    host.write("/run/berth/profiles/common.conf", "[Exec]\nNoNewPrivileges=yes\nHostname=%n-%%\n")
    host.write("/usr/lib/berth/busybox.berth.d/60-last.conf", "[Exec]\nHostname=vendor\n")
    host.write(f"{DROP_INS}/60-last.conf", "[Exec]\nHostname=last\n[Resources]\nTasksMax=50%\n")
    try:
        assert "%" in host.berth("run", "busybox", "true", check=False).stderr      # "busybox-%" is no host name
        host.write("/run/berth/profiles/common.conf", "[Exec]\nNoNewPrivileges=yes\nHostname=%n-x\nEnvironment=P=100%%\n")
        release = host.run("uname", "-r").out
        r = host.berth("run", "-q", "busybox", "sh", "-c", "hostname; echo $A $K $P; grep NoNewPrivs /proc/self/status")
        assert r.stdout.split() == ["last", "busybox", release, "100%", "NoNewPrivs:", "1"], r

        v = json.loads(host.berth("verify", "--json=short", "busybox").stdout)
        assert v["settings_file"] == "/run/berth/settings/busybox.berth"
        assert v["drop_ins"] == ["/etc/berth/berth.d/50-all.conf", f"{DROP_INS}/60-last.conf"]
        origin = {s["key"]: s["from"] for s in v["settings"]}
        assert origin["Hostname"] == f"{DROP_INS}/60-last.conf:2"
        assert origin["NoNewPrivileges"] == "/run/berth/profiles/common.conf:2"
        # what verify prints is a settings file
        host.run("mv /etc/berth/berth.d /etc/berth/off")
        host.write("/etc/berth/again.berth", v["spec"].replace("Name=busybox\n", ""))
        again = json.loads(host.berth("verify", "--json=short", "again").stdout)["spec"]
        assert "Environment=P=100%%\n" in again and again == v["spec"].replace("Name=busybox", "Name=again"), again
        host.run("mv /etc/berth/off /etc/berth/berth.d")

        r = host.berth("cat", "busybox", "--no-pager")
        assert r.stdout == ("# /run/berth/settings/busybox.berth\n[Exec]\nHostname=main\nEnvironment=A=%i\n\n"
                            "# /etc/berth/berth.d/50-all.conf\n[Container]\nProfile=common\n[Exec]\nEnvironment=K=%v\n\n"
                            f"# {DROP_INS}/60-last.conf\n[Exec]\nHostname=last\n[Resources]\nTasksMax=50%\n"), r
        assert host.berth("cat", "busybox", "busybox").stdout == r.stdout + "\n" + r.stdout

        # of the command line
        r = host.berth("run", "-q", "--settings=no", "--profile=common", "busybox", "hostname")
        assert r.out == "busybox-x", r
    finally:
        host.run("rm -rf /run/berth/profiles /usr/lib/berth/busybox.berth.d")


def test_profile_hardened(host, busybox, clean):
    look = "cat /proc/self/uid_map; grep -E 'NoNewPrivs|CapBnd' /proc/self/status"
    plain, hardened = (host.berth("run", "-q", *o, "busybox", "sh", "-c", look).stdout.split() for o in ([], ["--profile=hardened"]))
    assert plain[1] == "0" and hardened[1] != "0", hardened
    assert hardened[-1] == "1" and plain[-1] == "0", hardened
    dropped = int(plain[4], 16) & ~int(hardened[4], 16)
    assert dropped & 1 << 27 and dropped & 1 << 13, hardened        # CAP_MKNOD, CAP_NET_RAW
    # what the command line says is stronger
    r = host.berth("run", "-q", "--profile=hardened", "--private-users=no", "busybox", "sh", "-c", look)
    assert r.stdout.split()[1] == "0", r


def test_edit_and_revert(host, busybox, clean, tidy):
    host.run("berth edit --stdin busybox", input="[Exec]\nHostname=a\n")
    assert host.read(f"{DROP_INS}/override.conf") == "[Exec]\nHostname=a\n"
    host.run("berth edit --stdin --drop-in=mine busybox", input="[Exec]\nEnvironment=B=1\n")
    host.run("berth edit --stdin --runtime --full busybox", input="[Exec]\nHostname=full\n")
    assert host.read("/run/berth/settings/busybox.berth") == "[Exec]\nHostname=full\n"
    assert host.berth("run", "-q", "busybox", "sh", "-c", "hostname; echo $B").stdout.split() == ["a", "1"]

    # a mistake leaves everything as it was, and nothing besides
    r = host.run("berth edit --stdin busybox", input="[Exec]\nBoot=perhaps\n", check=False)
    assert r.returncode == 1 and f"{DROP_INS}/override.conf:2" in r.stderr, r
    assert host.read(f"{DROP_INS}/override.conf") == "[Exec]\nHostname=a\n"
    assert sorted(host.run("ls", "-A", DROP_INS).stdout.split()) == ["mine.conf", "override.conf"]
    assert "empty" in host.run("berth edit --stdin busybox </dev/null").stderr

    # an editor, and its second try
    editor = "/run/editor"
    host.write(editor, "#!/bin/sh\ngrep -q 'Hostname=full' \"$1\" || exit 9\nsed -i '1i [Exec]\\nUser=%y' \"$1\"\n", mode="755")
    r = host.run(f"SYSTEMD_EDITOR={editor} berth edit --drop-in=new busybox", check=False)
    assert r.returncode == 1 and "new.conf:2" in r.stderr and not host.exists(f"{DROP_INS}/new.conf"), r
    with host.terminal(f"EDITOR={editor} berth edit --drop-in=new busybox") as t:
        t.expect("new.conf:2")
        t.expect(r"\[Y/n\]")
        host.write(editor, "#!/bin/sh\nsed -i 's/%y/root/' \"$1\"\n", mode="755")
        t.send("y\n")
        t.expect("Wrote '/etc/berth/busybox.berth.d/new.conf'")
        assert t.wait() == 0
    assert host.read(f"{DROP_INS}/new.conf") == "[Exec]\nUser=root\n"
    with host.terminal(f"EDITOR='{editor} ' berth edit --drop-in=new busybox") as t:
        t.expect("nothing was changed")
        assert t.wait() == 0

    # back: files of the image count again, and their copies go, too
    host.write("/var/lib/machines/busybox.nspawn", "[Exec]\nHostname=image\n")
    try:
        host.berth("revert", "busybox")
        assert host.run("find /etc/berth /run/berth/settings -name '*busybox*'", check=False).out == ""
        assert host.berth("cat", "busybox").stdout == "# /var/lib/machines/busybox.nspawn\n[Exec]\nHostname=image\n"
        # --full of a file that systemd-nspawn reads: a copy of the same kind
        host.run("sed -i '1i # kept' /run/editor; printf '#!/bin/sh\\nsed -i s/image/copy/ $1\\n' >/run/editor; "
                 "SYSTEMD_EDITOR=/run/editor berth edit --full busybox")
        assert host.read("/etc/berth/busybox.nspawn") == "[Exec]\nHostname=copy\n"
        host.berth("revert", "busybox")
        assert not host.exists("/etc/berth/busybox.nspawn")
    finally:
        host.run("rm -f /var/lib/machines/busybox.nspawn /run/editor")


def test_edit_shows_and_gives_nothing_away(host, busybox, clean, tidy):
    """Settings can have secrets, and a file beside the image is somebody's who wants to be shown."""
    main, override = "/etc/berth/busybox.berth", f"{DROP_INS}/override.conf"
    host.write(main, "[Exec]\nEnvironment=SECRET=1\n", mode="600")
    host.write("/run/editor", "#!/bin/sh\nstat -c %a \"$1\" >/run/seen; cat \"$1\" >>/run/seen; sed -i '1i [Exec]\\nHostname=a' \"$1\"\n", mode="755")
    edit = "SYSTEMD_EDITOR=/run/editor berth edit"
    try:
        host.run(f"{edit} busybox")
        seen = host.read("/run/seen").splitlines()
        assert seen[0] == "600" and "# Environment=SECRET=1" in seen, seen
        host.run(f"{edit} --full busybox; chmod 640 {override}; chown 12:34 {override}")
        host.run("berth edit --stdin busybox", input="[Exec]\nHostname=b\n")
        assert host.run("stat", "-c", "%a %u %g", main, override).stdout == "600 0 0\n640 12 34\n"

        # an editor that goes with its terminal leaves nothing
        host.write("/run/hung", "#!/bin/sh\nkill -HUP $PPID; exit 3\n", mode="755")
        r = host.run("SYSTEMD_EDITOR=/run/hung berth edit busybox", check=False)
        assert r.returncode == 1 and "exit status 3" in r.stderr, r
        assert host.run("ls", "-A", DROP_INS).out == "override.conf"

        # beside the image: named, however much it is; a copy of it is root's alone to write, and no more can read it
        host.run(f"rm -r /etc/berth; (echo '[Exec]'; yes '# vim: x' | head -c 1040000; echo) >{busybox}.berth; chown 99:99 {busybox}.berth; chmod 606 {busybox}.berth")
        host.run(f"{edit} busybox")
        seen = host.read("/run/seen")
        assert f"### {busybox}.berth (beside the image" in seen and "vim" not in seen, seen[:2000]
        host.run(f"{edit} --full busybox")
        assert host.run("stat", "-c", "%a %u %g", main).out == "604 0 0" and "# vim: x" in host.read(main)
    finally:
        host.run(f"rm -f {busybox}.berth /run/editor /run/hung /run/seen")


def test_set_on_a_scope(host, busybox, clean, tidy):
    p = start(host, "-E", "A=1")
    try:
        host.berth("set", "busybox", "MemoryMax=64M", "TasksMax=50", "CPUQuota=30%", "IOWeight=200", "Property=DeviceAllow=/dev/fuse r")
        want = {"MemoryMax": str(64 << 20), "TasksMax": "50", "CPUQuotaPerSecUSec": "300ms", "IOWeight": "200"}
        assert limits(host) == want
        assert host.read(f"{DROP_INS}/50-MemoryMax.conf") == "# Written by 'berth set'.\n[Resources]\nMemoryMax=64M\n"
        host.berth("set", "--runtime", "busybox", "MemoryMax=32M", "TasksMax=", "CPUWeight=50", "AllowedCPUs=0")
        assert limits(host) == {**want, "MemoryMax": str(32 << 20), "TasksMax": "16384", "CPUWeight": "50", "AllowedCPUs": "0"}
        host.berth("set", "--runtime", "busybox", "CPUWeight=", "AllowedCPUs=", "IOWeight=")
        assert limits(host).keys() == {"MemoryMax", "TasksMax", "CPUQuotaPerSecUSec"}
        r = host.berth("set", "busybox", "TasksMax=60", "MemoryMax=lots", check=False)
        assert r.returncode == 1 and "'lots'" in r.stderr and limits(host)["TasksMax"] == "16384", r
        host.berth("set", "busybox", "CPUQuota=", "DeviceAllow=/dev/kvm rw")
        assert "CPUQuotaPerSecUSec" not in limits(host)
        assert host.read(f"{DROP_INS}/50-DeviceAllow.conf").splitlines()[2:] == \
            ["Property=DeviceAllow=/dev/fuse r", "Property=DeviceAllow=/dev/kvm rw"]
        # what counts already is not said again, what was taken back is not kept
        for value in ("any", "any", "", "10.0.0.1", "10.0.0.1"):
            host.berth("set", "busybox", f"IPAddressDeny={value}")
        assert host.read(f"{DROP_INS}/50-IPAddressDeny.conf").splitlines()[2:] == ["Property=IPAddressDeny=", "Property=IPAddressDeny=10.0.0.1"]
    finally:
        end(host, p)

    # what was written counts at the next start, what was only for that run does not
    p = start(host)
    try:
        assert limits(host) == {"MemoryMax": str(64 << 20), "TasksMax": "50", "IOWeight": "200"}
        # taken back for this run alone: what it was started with
        started = host.run("systemctl show -P IPAddressDeny machine-busybox.scope").out
        host.berth("set", "--runtime", "busybox", "MemoryMax=32M", "TasksMax=40", "CPUWeight=50", "IPAddressDeny=10.0.0.2")
        host.berth("set", "--runtime", "busybox", "MemoryMax=", "Property=TasksMax=", "CPUWeight=", "IPAddressDeny=")
        assert limits(host) == {"MemoryMax": str(64 << 20), "TasksMax": "50", "IOWeight": "200"}
        assert "10.0.0.1" in started and host.run("systemctl show -P IPAddressDeny machine-busybox.scope").out == started
        v = json.loads(host.berth("verify", "--json=short", "busybox").stdout)
        assert {s["key"]: s["from"] for s in v["settings"]}["MemoryMax"] == f"{DROP_INS}/50-MemoryMax.conf:3"
        # a drop-in that comes later is stronger, and that is said
        host.write(f"{DROP_INS}/override.conf", "[Resources]\nTasksMax=99\n")
        r = host.berth("set", "busybox", "TasksMax=70")
        assert f"{DROP_INS}/override.conf:2 is stronger" in r.stderr and limits(host)["TasksMax"] == "70", r
    finally:
        end(host, p)
    # of one that does not run only the settings
    host.berth("set", "busybox", "MemoryMax=16M")
    assert "MemoryMax=16M" in host.read(f"{DROP_INS}/50-MemoryMax.conf")
    r = host.berth("set", "--runtime", "busybox", "MemoryMax=8M", check=False)
    assert r.returncode == 1 and "'busybox'" in r.stderr, r


def test_set_on_a_service(host, machine, tidy):
    unit = "berth@web.service"
    machine("web", "busybox")
    host.write("/etc/berth/web.berth", "[Exec]\nBoot=no\nParameters=/bin/sleep 1000\nKillSignal=SIGKILL\n[Resources]\nMemoryMax=48M\n")
    host.berth("start", "web")
    try:
        assert limits(host, unit) == {"MemoryMax": str(48 << 20), "TasksMax": "16384"}
        host.berth("set", "web", "TasksMax=44", "MemoryMax=40M")
        host.berth("set", "--runtime", "web", "MemoryMax=24M", "CPUQuota=20%", "IOWeight=300", "MemoryHigh=50%")
        now = limits(host, unit)
        assert now == {"MemoryMax": str(24 << 20), "TasksMax": "44", "CPUQuotaPerSecUSec": "200ms", "IOWeight": "300"}
        # over D-Bus, too
        host.run("busctl", "call", "org.berth.Containers1", "/org/berth/Containers1/container/web", "org.berth.Containers1.Container",
                 "SetProperties", "as", "1", "TasksMax=45")
        assert limits(host, unit)["TasksMax"] == "45"
        host.systemctl("restart", unit)
        assert limits(host, unit) == {"MemoryMax": str(40 << 20), "TasksMax": "44"}
        assert host.properties(unit, "MemoryHigh") == {"MemoryHigh": "infinity"}
        host.berth("set", "web", "MemoryMax=", "TasksMax=")
        assert limits(host, unit) == {"TasksMax": "16384"}
        host.berth("revert", "web")
        host.systemctl("restart", unit)
        assert limits(host, unit) == {"MemoryMax": str(48 << 20), "TasksMax": "16384"}
    finally:
        host.systemctl("stop", unit, check=False, timeout=150)
        host.systemctl("reset-failed", unit, check=False)
