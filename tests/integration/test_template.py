# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roots that are made of another directory with the first start."""

LOOK = "cd {}; find . -mindepth 1 ! -path ./etc/resolv.conf -printf '%P %y %m %U %G %s %l %n %T@\\n' | sort; cat etc/machine-id"


def test_made_once(host, busybox, clean):
    host.run(f"cd {busybox}; mkdir -p etc data; echo 0123456789abcdef0123456789abcdef >etc/machine-id; echo x >data/f; chown 5:6 data/f; chmod 4750 data/f; ln data/f data/g; "
             "touch -d @1000 data/f data; rm -rf /var/lib/machines/made; mkdir -p /srv/t")

    def run(*words, check=True, program=("berth", "run", "-P")):
        return host.run(" ".join([*program, f"--template={busybox}", *words]), check=check)

    before = host.run(LOOK.format(busybox)).out
    try:
        r = run("--resolv-conf=off", "--timezone=off", "-D", "/srv/t/web", "-M", "t", "--", "/bin/true")
        assert r.stderr == "" or "Made '/srv/t/web' of template" in r.stderr, r
        made = host.run(LOOK.format("/srv/t/web")).out
        assert made == before and host.run("ls -A /srv/t").out == "web"
        # with what was changed in it, once it is there; and with a user namespace
        run("-q", "-U", "-D", "/srv/t/web", "-M", "t", "--", "/bin/sh", "-c", "'echo mine >/data/mine'")
        assert run("-q", "-D", "/srv/t/web", "-M", "t", "--", "/bin/cat", "/data/mine").out == "mine"
        assert not host.exists(f"{busybox}/data/mine")
        # by name, in the pool; settings of that name count
        host.write("/etc/berth/made.berth", "[Exec]\nEnvironment=FROM=settings\n")
        assert run("-q", "made", "/bin/sh", "-c", "'echo $FROM'").out == "settings"
        assert host.run("ls -dA /var/lib/machines/made* /var/lib/machines/.#made* 2>/dev/null", check=False).out == "/var/lib/machines/made"
        # as systemd-nspawn: ours and the real one make the same
        r = run("-q", "--timezone=off", "--resolv-conf=off", "-D", "/srv/t/ours", "-M", "t", "/bin/true", program=("ln -sf /usr/bin/berth /run/systemd-nspawn; /run/systemd-nspawn", "-P"))
        real = run("-q", "-D", "/srv/t/real", "-M", "t", "--register=no", "/bin/true", program=("systemd-nspawn", "--console=pipe"), check=False)
        assert real.returncode == 0 or host.exists("/srv/t/real"), real
        ours, theirs = ([line for line in host.run(LOOK.format(f"/srv/t/{d}")).out.split("\n") if " d " not in line] for d in ("ours", "real"))
        assert set(ours) <= set(theirs) and ours[-1] == "0123456789abcdef0123456789abcdef", (ours, theirs)     # it adds a few files of its own
        # what cannot be
        host.run("mkdir -m 1777 /srv/t/open; printf 'I/srv/t/none\\0S/srv/t/web\\0' >'/srv/t/open/.#x.01234567.lck'")
        for words, reason in ((("-x", "-D", "/srv/t/n", "--", "true"), "--ephemeral"), (("-D", "/srv/t/no/n", "--", "true"), "'/srv/t/no'"),
                              (("-D", "/srv/t/open/n", "--", "true"), "choose one that only root can write to"),
                              (("-D", f"{busybox}/inner", "-M", "t", "--", "true"), "which it would be in")):
            r = run(*words, check=False)
            assert r.returncode in (2, 125) and reason in r.stderr and not host.exists("/srv/t/n") and not host.exists("/srv/t/open/n") and not host.exists(f"{busybox}/inner"), r
        assert host.exists("/srv/t/web/bin")    # a promise in a directory of everybody's is none
    finally:
        host.run("rm -rf /srv/t /run/systemd-nspawn /var/lib/machines/made /etc/berth/made.berth")
