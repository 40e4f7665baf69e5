# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of berth(1): each verb has one, and they work in the order in which they stand there."""
import re
from pathlib import Path

MANUAL = Path(__file__).resolve().parents[2] / "man/berth.1"

#: Verbs that go on until somebody at the terminal ends them: what he types, and the exit status then.
TYPED = {"shell": ("exit\n", 0), "login": ("\x1d\x1d\x1d", 0), "attach": ("\x1d\x1d\x1d", 0), "top": ("q", 0)}

#: Verbs that go on for ever.
ENDLESS = {"events"}

#: What cannot be tried here.
ELSEWHERE = ("# berth -H ", "# berth pull-")


def examples():
    text = MANUAL.read_text().split(".SH EXAMPLES\n")[1].split("\n.SH ")[0]
    return [line.replace("\\-", "-").replace("\\e", "\\") for line in text.splitlines() if re.match("[#$] ", line)]


def verb_of(line):
    return re.search(r"\bberth (?:-H \S+ )?([a-z-]+)", line)[1]


def test_every_verb_has_an_example(host):
    verbs = {line.split()[0] for line in host.run("berth complete verbs").stdout.splitlines()}
    assert verbs - {verb_of(line) for line in examples()} == set()


def test_examples_work(host, machine, clean):
    machine("web")
    # as an image that is used: it says when it is ready, and has a terminal to log in at
    host.write("/etc/berth/web.berth", "[Exec]\nNotifyReady=yes\n")
    host.run("mount -t tmpfs none /mnt")        # the host's root is an overlay, which cannot be id-mapped
    try:
        for line in examples():
            if line.startswith(ELSEWHERE):
                continue
            keys, status = TYPED.get(verb_of(line), (None, 0))
            if keys is None or "--" in line:
                if verb_of(line) == "set-limit":        # the pool here is on no btrfs
                    r = host.run("sh", "-c", line[2:], check=False)
                    assert r.returncode == 1 and "only subvolumes of btrfs can" in r.stderr, r
                    continue
                endless = verb_of(line) in ENDLESS
                r = host.run(*(["timeout", "2"] if endless else []), "sh", "-c", line[2:], check=False, timeout=120)
                assert r.returncode == (124 if endless else 0), (line, r)
                continue
            with host.terminal(line[2:]) as t:
                host.run("sleep 1")
                t.send(keys)
                assert t.wait() == status, line
    finally:
        host.run("berth terminate web; systemctl disable berth@web.service machines.target; systemctl reset-failed; umount /mnt; rmdir -p --ignore-fail-on-non-empty /run/systemd/system.control/berth@web.service.d; rm -rf /etc/berth/web.berth /tmp/web.release /var/tmp/keep.tar.gz /var/tmp/disk.raw.zst /var/lib/machines/{spare,keep,kept,tree,disk.raw}",
                 check=False)
