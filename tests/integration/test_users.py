# SPDX-License-Identifier: LGPL-2.1-or-later
"""User namespaces: which ids a container has, and whose its files are, inside and on the host."""
import re

import pytest

COUNT = 65536
PICK_MIN, PICK_MAX = 524288, 1878982656
RANGE = 1000013824      # 15259 * 65536, of the range that containers have


def run(host, root, *options, script, check=True, name="users"):
    r = host.berth("run", "-q", "-P", "-M", name, "-D", root, *options, "--", "/bin/sh", "-c", f"{script}\n:", check=check)
    return r.stdout.splitlines() if check else r


def uid_map(lines):
    return [tuple(int(x) for x in line.split()) for line in lines]


def owners(host, root):
    """What is on disk: path -> uid:gid:mode. (A resolv.conf is made with the first start.)"""
    return dict(line.split("|") for line in host.run(f"cd {root} && find . -xdev ! -path ./etc/resolv.conf -printf '%P|%U:%G:%m\\n'").stdout.splitlines())


@pytest.fixture
def held(host):
    """held(root, *options, name=…): a container that stays, until the test is over; returns its leader's PID."""
    running = []

    def start(root, *options, name="users"):
        p = host.spawn("berth", "run", "-q", "-P", "-M", name, "-D", root, *options, "--", "/bin/sleep", "1000")
        running.append((name, p))
        host.wait_for(f"berth show -p State --value {name} | grep -qx running", 30)
        return host.berth("show", "-p", "Leader", "--value", name).out

    yield start
    for name, p in running:
        host.berth("terminate", name, check=False)
        host.end(p)


# ---- ranges ----

MAPS = "cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups; stat -c '%u %g' / /bin/busybox /root; id -u"


def test_ranges(host, busybox, clean):
    """Each way to ask for a range."""
    before = owners(host, busybox)

    def see(*options):
        lines = run(host, busybox, *options, script=MAPS)
        first = uid_map(lines[:2])
        assert first[0] == first[1] and lines[2:] == ["allow", "0 0", "0 0", "0 0", "0"], lines
        return first[0]

    assert see() == (0, 0, 4294967295)
    picked = see("-U")
    assert picked[0] == 0 and picked[2] == COUNT and PICK_MIN <= picked[1] <= PICK_MAX and picked[1] % COUNT == 0
    assert see("--private-users=pick") == picked        # the same name, the same range
    assert see("--private-users=identity") == (0, 0, COUNT)
    assert see(f"--private-users={RANGE}") == (0, RANGE, COUNT)
    assert see(f"--private-users={RANGE}:131072") == (0, RANGE, 131072)
    assert see("--private-users=300000:1000") == (0, 300000, 1000)      # not one of the aligned ranges
    assert see("--private-users=yes") == (0, 0, COUNT)                  # the owner of the root
    assert owners(host, busybox) == before, "files have changed on disk"


def test_the_range_of_a_root_that_has_one(host, busybox, clean):
    """Files that belong to a range already: that is the container's, and they need no mapping."""
    host.run(f"chown -R {RANGE}:{RANGE} {busybox}; chown {RANGE + 1000}:{RANGE + 1000} {busybox}/home/bob 2>/dev/null || :")
    before = owners(host, busybox)
    for option in ("-U", "--private-users=yes", f"--private-users={RANGE}"):
        lines = run(host, busybox, option, script="cat /proc/self/uid_map; stat -c '%u %g' / /bin/busybox; grep -c ' / / .*idmapped' /proc/self/mountinfo")
        assert uid_map(lines[:1]) == [(0, RANGE, COUNT)] and lines[1:] == ["0 0", "0 0", "0"], (option, lines)
    assert owners(host, busybox) == before
    # another range, without a mapping: nobody's files
    lines = run(host, busybox, f"--private-users={RANGE + COUNT}", "--private-users-ownership=off", script="stat -c '%u %g' /")
    assert lines == ["65534 65534"]


def test_ranges_of_two_containers(host, machine, busybox, clean, held):
    """Never the same, whatever their names; one that was asked for is kept from those who pick; ids of the host are avoided."""
    other = machine("other", "busybox")
    maps = {}
    for name, root in (("users", busybox), ("other", other)):
        leader = held(root, "-U", name=name)
        maps[name] = uid_map(host.read(f"/proc/{leader}/uid_map").splitlines())[0][1]
        status = host.read(f"/proc/{leader}/status")
        assert re.search(rf"^Uid:\t{maps[name]}\t", status, re.M) and re.search(rf"^Gid:\t{maps[name]}\t", status, re.M)
    assert maps["users"] != maps["other"]
    # the first one's range, asked for by number
    third = machine("third", "busybox")
    r = run(host, third, f"--private-users={maps['users']}", script="true", name="third", check=False)
    assert r.returncode == 125 and "in use by another container" in r.stderr and "Hint: " in r.stderr, r
    host.berth("terminate", "users")
    # what passwd and subuid have is not for containers
    host.run(f"cp -a /etc/subuid /run/subuid.saved; echo eve:{maps['users']}:65536 >>/etc/subuid")
    try:
        host.wait_for("! berth show users >/dev/null 2>&1", 30)
        lines = run(host, busybox, "-U", script="cat /proc/self/uid_map")
        assert uid_map(lines)[0][1] not in maps.values()
    finally:
        host.run("cp -a /run/subuid.saved /etc/subuid; rm /run/subuid.saved")


def test_ranges_that_cannot_be(host, busybox, clean):
    for option in ("4294967295", "4294901761", "0:0", "1:4294967295", "-1", "no:1", "65536:"):
        r = run(host, busybox, f"--private-users={option}", script="true", check=False)
        assert r.returncode in (2, 125) and r.stderr.startswith("berth: ") and len(r.stderr.splitlines()) <= 2, r
    # a user that the range does not have
    r = run(host, busybox, f"--private-users={RANGE}:1000", "-u", "bob", script="true", check=False)
    assert r.returncode == 125 and "beyond the container's 1000 ids" in r.stderr, r


# ---- files ----

def test_files_made_inside(host, busybox, clean):
    """On disk they have the numbers they have inside, by whatever user they were made; nothing else changes."""
    host.run(f"mkdir -m 1777 {busybox}/pub")
    before = owners(host, busybox)
    run(host, busybox, "-U", script="""
        mkdir /made; echo x >/made/file; ln -s file /made/link; mkfifo /made/fifo; ln /made/file /made/hard; cp /bin/busybox /made/suid; chown 1000:1000 /made/suid; chmod 6755 /made/suid
        touch /made/nobody; chown 65534:65534 /made/nobody; chown 65535 /made/hard; chown 65536 /made/file 2>/dev/null && echo beyond; chown -h 3:4 /made/link""")
    run(host, busybox, "-U", "-u", "bob", script="mkdir /pub/bob; echo x >/pub/bob/f; (echo x >/made/file) 2>/dev/null && echo written; id -G >/pub/bob/groups")
    after = owners(host, busybox)
    new = {k: v for k, v in after.items() if before.get(k) != v and k not in ("pub", "")}
    assert new == {"made": "0:0:755", "made/file": "65535:0:644", "made/hard": "65535:0:644", "made/link": "3:4:777", "made/fifo": "0:0:644",
                   "made/suid": "1000:1000:6755", "made/nobody": "65534:65534:644", "pub/bob": "1000:1000:755", "pub/bob/f": "1000:1000:644",
                   "pub/bob/groups": "1000:1000:644"}
    # the same with the ids as they are: a range of the host's
    host.run(f"rm -rf {busybox}/made {busybox}/pub; chown {RANGE}:{RANGE} {busybox}")
    run(host, busybox, f"--private-users={RANGE}", "--private-users-ownership=off", script="mkdir /made; touch /made/f; chown 5:6 /made/f")
    assert {k: v for k, v in owners(host, busybox).items() if k.startswith("made")} == {"made": f"{RANGE}:{RANGE}:755", "made/f": f"{RANGE + 5}:{RANGE + 6}:644"}


def test_nothing_changes_for_what_is_mounted_below(host, busybox, clean):
    """A file system below the root that cannot map ids is no reason to give away the root's files; nor can those of a disk image be given."""
    host.run(f"mkdir -p {busybox}/data; chown 5:6 {busybox}/data; mkdir -p {busybox}/srv/x; mount -t ramfs none {busybox}/srv/x")
    try:
        before = owners(host, busybox)
        r = run(host, busybox, "-U", script="true", check=False)
        assert r.returncode == 125 and busybox in r.stderr and "Hint: " in r.stderr, r
        assert owners(host, busybox) == before
    finally:
        host.run(f"umount {busybox}/srv/x; rmdir {busybox}/srv/x; truncate -s 1M /srv/x.raw")
    r = host.berth("run", "-q", "-P", "-U", "--private-users-ownership=chown", "-i", "/srv/x.raw", "true", check=False)
    host.run("rm /srv/x.raw")
    assert r.returncode in (2, 125) and "disk image" in r.stderr and "--private-users-ownership=map" in r.stderr, r


def test_files_that_change_their_owner(host, machine, busybox, clean):
    """On disk, once, as systemd-nspawn does it; and back again."""
    host.run(f"cd {busybox}; mkdir -p data/d; echo x >data/f; chown 5:6 data/f; cp bin/busybox data/suid; chown 1000:1001 data/suid; chmod 6755 data/suid; ln data/suid data/d/same; "
             "ln -s /etc/passwd data/link; mkfifo data/pipe; chmod 1777 data/d; rm -rf /var/lib/machines/other; cp -a . /var/lib/machines/other; touch /srv/outside; ln -s /srv/outside data/out")
    other = "/var/lib/machines/other"
    own = ("--resolv-conf=off", "--timezone=off")

    def numbers(root):
        return {k: v for k, v in owners(host, root).items() if k not in ("", "etc", "data/out") and not k.startswith(("usr", "etc", "run", "dev"))}

    try:
        before, chown = owners(host, busybox), "--private-users-ownership=chown"
        lines = run(host, busybox, *own, f"--private-users={RANGE}", chown, script="stat -c '%u:%g:%a' /data/suid /data/link /data/f /; touch /data/mine")
        assert lines == ["1000:1001:6755", "0:0:777", "5:6:644", "0:0:755"], lines
        after = owners(host, busybox)
        assert after.pop("data/mine") == f"{RANGE}:{RANGE}:644"
        assert {k: tuple(int(n) - RANGE for n in v.split(":")[:2]) for k, v in after.items()} == {k: tuple(int(n) for n in v.split(":")[:2]) for k, v in before.items()}
        assert host.run("stat -c %u /srv/outside").out == "0"
        # the real systemd-nspawn makes the same of it, and takes ours for done
        nspawn = f"systemd-nspawn -q --register=no --console=pipe --private-users={RANGE} --private-users-ownership=chown"
        host.run(f"{nspawn} -D {other} /bin/true", check=False)
        theirs, ours = numbers(other), numbers(busybox)
        assert {k: v for k, v in ours.items() if k in theirs and k != "data"} == {k: v for k, v in theirs.items() if k in ours and k != "data"} and "data/suid" in theirs, (ours, theirs)
        # done is done; what was interrupted is not
        host.run(f"chown 77:77 {busybox}/data/f")
        run(host, busybox, *own, f"--private-users={RANGE}", chown, script="true")
        assert owners(host, busybox)["data/f"].startswith("77:77:")
        host.run(f"chown {0xFFFE0000}:{0xFFFE0000} {busybox}")
        r = run(host, busybox, "--private-users=yes", script="true", check=False)
        assert r.returncode == 125 and "was interrupted" in r.stderr, r
        lines = run(host, busybox, *own, "-U", script="cat /proc/self/uid_map; stat -c %u /data/f /data/suid /")
        base = uid_map(lines[:1])[0][1]
        assert lines[1:] == ["77", "1000", "0"] and owners(host, busybox)["data/suid"] == f"{base + 1000}:{base + 1001}:6755", lines
        # by a settings file; back to the host's ids
        host.run(f"mkdir -p /etc/systemd/nspawn; printf '[Exec]\nPrivateUsers=0:65536\n[Files]\nPrivateUsersChown=yes\n' >/etc/systemd/nspawn/users.nspawn; chown 5:6 {busybox}/data/f")
        run(host, busybox, *own, script="rm /data/mine")
        assert owners(host, busybox) == before
        host.run("rm /etc/systemd/nspawn/users.nspawn")
        # what cannot be
        for options, reason in ((("-U", "--read-only"), "--private-users-ownership=map"), (("-U", "-x"), "--private-users-ownership=map"),
                                (("--private-users=70000",), "multiple of 65536")):
            r = run(host, busybox, *options, chown, script="true", check=False)
            assert r.returncode in (2, 125) and reason in r.stderr, r
        assert owners(host, busybox) == before
        # where nothing can be mapped, auto does it
        host.run(f"mkdir /srv/ram; mount -t ramfs ramfs /srv/ram; cp -a {busybox} /srv/ram/users; touch /srv/ram/users/x; chown 3:4 /srv/ram/users/x")
        r = run(host, "/srv/ram/users", "-U", "--private-users-ownership=map", script="true", check=False)
        assert r.returncode == 125 and "cannot be mapped: its ramfs" in r.stderr and "--private-users-ownership=chown" in r.stderr, r
        lines = run(host, "/srv/ram/users", "-U", script="stat -c '%u:%g' /x /")
        assert lines == ["3:4", "0:0"] and int(host.run("stat -c %u /srv/ram/users/x").out) > PICK_MIN, lines
    finally:
        host.run(f"umount /srv/ram; rm -rf /srv/ram /srv/outside {other} /etc/systemd/nspawn/users.nspawn", check=False)


def test_files_of_the_host(host, busybox, clean):
    """Bind mounts: whose their files are inside, and what is made there."""
    host.run("""mkdir -p /var/lib/src/sub; cd /var/lib/src; echo root >root; echo user >user; chown 1000:1000 user; chmod 600 root; mkdir -m 777 all
        mkdir -m 777 owned; touch owned/f; chown -R 4000:4001 owned; mount -t tmpfs -o mode=755 sub sub; touch sub/f""")
    try:
        script = r"""for d in plain idmap rootid; do for f in root user all sub/f; do stat -c "$d $f %u:%g" /m/$d/$f; done; done
            for d in plain idmap; do cat /m/$d/root 2>/dev/null || echo $d no; touch /m/$d/all/$d; done
            stat -c 'owned %u:%g' /m/owned /m/owned/f; touch /m/owned/new; (touch /m/ro/all/x) 2>/dev/null && echo ro written"""
        options = ("--bind=/var/lib/src:/m/plain", "--bind=/var/lib/src:/m/idmap:idmap", "--bind=/var/lib/src:/m/rootid:rootidmap",
                   "--bind=/var/lib/src/owned:/m/owned:rootidmap", "--bind-ro=/var/lib/src:/m/ro:idmap,norbind")
        lines = run(host, busybox, "-U", *options, script=script)
        nobody, plain = "65534:65534", []
        for f in ("root", "user", "all", "sub/f"):
            plain.append(f"plain {f} {nobody}")
        mapped = ["idmap root 0:0", "idmap user 1000:1000", "idmap all 0:0", "idmap sub/f 0:0"]
        rooted = ["rootid root 0:0", f"rootid user {nobody}", "rootid all 0:0", "rootid sub/f 0:0"]
        assert lines == [*plain, *mapped, *rooted, "plain no", "root", "owned 0:0", "owned 0:0"]
        base = uid_map(run(host, busybox, "-U", script="cat /proc/self/uid_map"))[0][1]
        made = host.run("stat -c '%n %u:%g' /var/lib/src/all/* /var/lib/src/owned/new").stdout.splitlines()
        assert made == ["/var/lib/src/all/idmap 0:0", f"/var/lib/src/all/plain {base}:{base}", "/var/lib/src/owned/new 4000:4001"]
        # without a user namespace all of it is as it is
        lines = run(host, busybox, *options, script="stat -c '%n %u:%g' /m/*/user /m/owned/f")
        assert set(line.split()[1] for line in lines) == {"1000:1000", "4000:4001"}
    finally:
        host.run("umount /var/lib/src/sub; rm -r /var/lib/src")


# ---- users inside ----

def test_users_and_groups(host, busybox, clean):
    """-u: from the container's own passwd and group, by name or number."""
    host.write(f"{busybox}/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1001::/home/bob:/bin/sh\nnogroup:x:1002:7::/:/bin/false\n"
               "99:x:5:5::/:/bin/sh\nlast:x:1003:1003::/nowhere:/bin/sh\n# bad:x:1:1::/:/bin/sh\nbroken:x:abc:1::/:/bin/sh\n")
    host.write(f"{busybox}/etc/group", "root:x:0:\nbob:x:1001:\naudio:x:29:bob,last\nvideo:x:44:eve,bob\nodd:x:nan:bob\nown:x:1001:bob\n")
    see = "echo $(id -u) $(id -g) $(id -G) $HOME $USER $(pwd)"
    for options in ([], ["-U"]):
        def ask(user, *more, opt=tuple(options)):
            return run(host, busybox, *opt, "-u", user, *more, script=see)[0]
        assert ask("bob") == "1000 1001 1001 29 44 /home/bob bob /"
        assert ask("1000") == "1000 1001 1001 29 44 /home/bob bob /"
        assert ask("nogroup") == "1002 7 7 / nogroup /"
        assert ask("99").startswith("99 "), "digits are a number, whatever names there are"
        assert ask("4711").split()[0] == "4711"
        assert ask("bob", "--chdir=/usr") == "1000 1001 1001 29 44 /home/bob bob /usr"
        assert ask("root") == ask("0") == run(host, busybox, *options, script=see)[0] == "0 0 0 /root root /"
        for bad in ("nobody", "broken", "bad", "# bad", "bob:", "BOB", ""):
            r = run(host, busybox, *options, f"--user={bad}", script=see, check=False)
            assert (r.returncode in (2, 125) and r.stdout == "") or (bad == "" and r.returncode == 0), (bad, r)
    # a login shell: its user's own, in his home; "/" where that is missing
    host.run(f"mkdir -p {busybox}/home/bob; chown 1000:1001 {busybox}/home/bob")
    for user, where in (("bob", "/home/bob"), ("last", "/")):
        r = host.run(f"echo 'echo $0 $(pwd) $(id -u)' | berth run -q -P -M users -D {busybox} -U -u {user}")
        assert r.stdout == f"-sh {where} {1000 if user == 'bob' else 1003}\n", r


def test_a_user_in_the_container_is_nobody_outside(host, busybox, clean, held):
    """Processes, and what they may do to the host's files that are in sight."""
    host.run("mkdir -p /var/lib/src; echo secret >/var/lib/src/f; chmod 600 /var/lib/src/f; install -m 666 /dev/null /var/lib/src/open")
    try:
        host.run(f"mkdir -p {busybox}/srv")
        r = run(host, busybox, "-U", "--bind=/var/lib/src:/m", script="""cat /m/f; chown 0 /m/f; chmod 777 /m/f; echo x >/m/open && echo written
            mknod /dev/sda b 8 0; mknod /x c 1 3; mount -t tmpfs x /srv && echo mounted; chroot / /bin/true && echo chrooted; hostname other && echo named
            kill -0 2""", check=False)
        assert r.stdout.split() == ["written", "mounted", "chrooted", "named"], r
        assert host.run("stat -c '%u %a' /var/lib/src/f; cat /var/lib/src/f").stdout == "0 600\nsecret\n"
        leader = held(busybox, "-U", "-u", "bob")
        base = uid_map(host.read(f"/proc/{leader}/uid_map").splitlines())[0][1]
        assert host.run("stat", "-c", "%u %g", f"/proc/{leader}").out in (f"{base + 1000} {base + 1000}", "0 0")
        status = dict(line.split(":\t", 1) for line in host.read(f"/proc/{leader}/status").splitlines() if ":\t" in line)
        assert status["Uid"].split() == [str(base + 1000)] * 4 and status["CapEff"] == "0000000000000000"
    finally:
        host.run("rm -r /var/lib/src")
