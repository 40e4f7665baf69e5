# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input of every kind: one sentence that names the object, perhaps a hint, the documented exit status, nothing left behind.

Each row of a table is a command line (words, or a line for sh), its exit status, and what its sentence must hold. All rows of a
table run in one go on the host, each within two seconds.
"""
import ast
import re

import pytest

ROOT = "/var/lib/machines/busybox"
NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups "

#: reads a command a line, writes (status, seconds, stdout, stderr) a line, all as Python has them: there is no json everywhere
DRIVER = r"""
import ast, subprocess, sys, time
for line in sys.stdin:
    command = ast.literal_eval(line)
    begin = time.monotonic()
    p = subprocess.Popen(["sh", "-c", command] if isinstance(command, str) else command, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = p.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
    took = time.monotonic() - begin
    print(ascii((p.returncode, took, out.decode(errors="replace"), err.decode(errors="replace"))))
"""


def faults_of(row, result):
    """What is wrong with it, or nothing."""
    (_, status, words), (got, took, stdout, stderr) = row, result
    said = [line for line in stderr.splitlines() if not line.startswith("berth: Ignoring ")]
    faults = []
    if got != status:
        faults.append(f"exit status {got}, not {status}")
    if took > 2:
        faults.append(f"it took {took:.1f} s")
    if stdout:
        faults.append("something on stdout")
    if not said or not re.match(r"berthd?: [^\x00-\x1f]*[^.\x00-\x1f]$", said[0]):
        faults.append("no sentence")
    elif words not in said[0]:
        faults.append(f"the sentence lacks {words!r}")
    elif "is not a valid container name" in said[0] and len(said) < 2:
        faults.append("what is a valid one is not said")
    if len(said) > 2 or (len(said) == 2 and not said[1].startswith("Hint: ")):
        faults.append("more than a sentence and a hint")
    return f"{row[0]!r}: {', '.join(faults)}\n{stdout}{stderr}" if faults else None


def run_rows(host, rows):
    lines = "".join(ascii(command) + "\n" for command, _, _ in rows)
    out = host.run("python3", "-c", DRIVER, input=lines, timeout=120).stdout
    results = [ast.literal_eval(line) for line in out.splitlines()]
    assert len(results) == len(rows)
    return results


def run_table(host, rows):
    """Runs rows of (command, status, words of the sentence). Everything that is wrong is told at once."""
    results = run_rows(host, rows)
    # polkitd, which can lose a wake-up of its own and then answers after 15 seconds, is asked once more: it alone
    late = [i for i, (_, took, _, _) in enumerate(results) if took > 2 and rows[i][2].startswith("org.berth.containers1.")]
    for i, result in zip(late, run_rows(host, [rows[i] for i in late]) if late else []):
        results[i] = result
    wrong = [w for w in map(faults_of, rows, results) if w]
    assert not wrong, "\n".join(wrong)


def run(*words, root=ROOT):
    return ["berth", "run", "-D", root, *words]


def test_names(host, busybox, clean):
    long = "a" * 65
    rows = []
    for name in (long, "..", ".", "a/b", "/", "a\nb", "é", "-x", "x-", "a..b", "a b", "%i", "host.", "a\x1b[31m", "a\u202eb", "\u009b31m"):
        rows.append((run("-M", name, "true"), 2, "Invalid value '"))
        rows.append((["berth", "start", "--", name], 1, "is not a valid container name"))
    for name in ("", "..", long, "a/b", "a\nb"):
        rows.append((["berth", "run", name, "true"], 125, "is not a valid container name"))
        for verb in ("stop", "reboot", "terminate", "kill", "pause", "resume", "restart", "attach", "enable", "disable", "show", "status", "verify", "wait",
                     "logs", "cat", "edit", "revert"):
            rows.append((["berth", verb, name], 1, "is not a valid container name"))
    for verb in ("stop", "reboot", "terminate", "kill", "pause", "resume", "attach", "show", "status"):
        rows.append((["berth", verb, "nosuch"], 1, "'nosuch'"))
    for verb in ("start", "restart", "enable", "verify"):
        rows.append((["berth", verb, "nosuch"], 1, "no image 'nosuch'"))
    for verb, *words in (("shell", ), ("login", ), ("copy-to", "/etc/passwd"), ("copy-from", "/etc/passwd"),
                         ("bind", "/etc"), ("unbind", "/etc"), ("list-binds", )):
        rows.append((["berth", verb, "nosuch", *words], 1, "'nosuch'"))
        rows.append((["berth", verb, "..", *words], 1, "is not a valid container name"))
    for name in ("", "..", long, "a/b", "a\nb"):
        rows.append((["berth", "set", name, "TasksMax=5"], 1, "is not a valid container name"))
    rows.append((["berth", "set", "nosuch", "TasksMax=5"], 1, "no image 'nosuch'"))
    rows.append((["berth", "set", "--runtime", "nosuch", "TasksMax=5"], 1, "'nosuch'"))
    rows.append((["berth", "cat", "nosuch"], 1, "'nosuch'"))
    rows.append((["berth", "run", "nosuch", "true"], 125, "no image 'nosuch'"))
    rows.append((run("-u", "nosuch", "true"), 125, "'nosuch'"))
    run_table(host, rows)


def test_paths(host, busybox, clean):
    host.run("mkdir -p /srv/bad/empty /srv/bad/closed && : >/srv/bad/file && ln -sf loop /srv/bad/loop && "
             "ln -sfn nowhere /srv/bad/dangling && mkdir -p '/srv/bad/new\nline' /srv/bad/usrless/etc /srv/bad/bare/usr/bin")
    deep = "/" + "a/" * 2100
    rows = [
        (run("true", root="nosuch"), 125, "/nosuch'"),
        (run("true", root="/nosuch"), 125, "'/nosuch'"),
        (run("true", root="/srv/bad/file"), 125, "'/srv/bad/file'"),
        (run("true", root="/srv/bad/file/x"), 125, "'/srv/bad/file/x'"),
        (run("true", root="/srv/bad/loop"), 125, "'/srv/bad/loop'"),
        (run("true", root="/srv/bad/dangling"), 125, "'/srv/bad/dangling'"),
        (run("true", root="/srv/bad/empty"), 125, "'/srv/bad/empty'"),
        (run("true", root="/srv/bad/new\nline"), 2, "new\\x0aline"),
        (run("true", root="/" + "n" * 300), 2, "'/nnn"),
        (run("true", root=deep), 2, "'/a/a"),
        (run("true", root="/"), 125, "read-only"),
        (run("true", root="/dev"), 125, "'/dev'"),
        (run("true", root="/proc/self/fd/0"), 125, "'/proc/self/fd/0'"),
        (run("true", root="/dev/null"), 125, "'/dev/null'"),
        (run("--bind=nosuch", "true"), 2, "'nosuch'"),
        (run("--bind=/nosuch", "true"), 125, "'/nosuch'"),
        (run("--bind=/srv:/../x", "true"), 2, "'/srv:/../x'"),
        (run("--bind=/srv:/etc/passwd", "true"), 125, "'/etc/passwd'"),
        (run("--bind=/srv/bad/file:/etc", "true"), 125, "'/etc'"),
        (run("--bind=/srv:/", "true"), 2, "'/srv:/'"),
        (run("--bind=/srv:/proc", "true"), 125, "'/proc'"),
        (run("--tmpfs=relative", "true"), 2, "'relative'"),
        (run("--tmpfs=/etc/passwd", "true"), 125, "'/etc/passwd'"),
        (run("--tmpfs=/mnt:size=zzz", "true"), 125, "'/mnt'"),
        (run("--inaccessible=/nosuch", "true"), 125, "'/nosuch'"),
        (run("--overlay=/srv:/nosuch:/mnt", "true"), 125, "'/nosuch'"),
        (run("--overlay=/srv:+/nosuch:/mnt", "true"), 125, "'/nosuch'"),
        (run("--overlay=/srv/bad/file::/mnt", "true"), 125, "'/srv/bad/file'"),
        (run("--overlay=/srv/bad::/etc/passwd", "true"), 125, "'/etc/passwd'"),
        (run("--overlay=/srv/bad:/proc:/mnt", "true"), 125, "'/proc'"),
        (run("--overlay-ro=/srv/bad:/nosuch:/mnt", "true"), 125, "'/nosuch'"),
        (run("--pivot-root=/nosuch", "true"), 125, "'/nosuch'"),
        (run("--pivot-root=/etc", "true"), 125, "neither usr/ nor bin/"),
        (run("--read-only", "--volatile=yes", "true"), 125, "--volatile=yes"),
        (run("--chdir=relative", "true"), 2, "'relative'"),
        (run("--chdir=/nosuch", "true"), 125, "'/nosuch'"),
        (run("--chdir=/etc/passwd", "true"), 125, "'/etc/passwd'"),
        (run("--chdir=/proc/self", "true"), 125, "'/proc/self'"),
        (NOBODY + f"berth verify -D {ROOT}/../nosuch/../../closed true", 1, "closed"),
        # what is to run
        (run("--", "nosuch"), 127, "'nosuch'"),
        (run("--", "/bin/nosuch"), 127, "'/bin/nosuch'"),
        (run("--", "/etc"), 126, "'/etc'"),
        (run("--", "/etc/passwd"), 126, "'/etc/passwd'"),
        (run("--", ""), 125, "empty word"),
        (run("-b", root="/srv/bad/usrless"), 125, "'/srv/bad/usrless'"),
        (run("-b", root="/srv/bad/bare"), 127, "init"),
        (run(root="/srv/bad/bare"), 127, "'/bin/sh'"),
    ]
    host.run("rm -f /srv/bad/loop.d; chmod 0 /srv/bad/closed")
    run_table(host, rows)
    host.run("rm -rf /srv/bad")


#: each option with a value that it cannot have; "not supported yet" where it is not built
VALUES = [
    "--private-users=70000000000", "--private-users=4294967290", "--private-users=5:0", "--private-users=x",
    "--private-users-ownership=x", "--capability=CAP_NOPE", "--drop-capability=x", "--no-new-privileges=x", "--ambient-capability=x", "--restrict-address-families=AF_X", "--restrict-address-families=", "--suppress-sync=x",
    "--rlimit=NOPE=1", "--rlimit=NOFILE=10:5", "--rlimit=NOFILE=x", "--oom-score-adjust=5000", "--oom-score-adjust=x",
    "--cpu-affinity=9999", "--cpu-affinity=x", "--slice=/etc", "--slice=a/../b", "--slice=a--b", "--slice=-a", "--slice=a-.slice", "--memory-max=0", "--memory-max=x",
    "--memory-high=101%", "--memory-low=-1", "--memory-min=x", "--memory-swap-max=x", "--tasks-max=0", "--cpu-quota=0%",
    "--cpu-quota=5", "--cpu-weight=0", "--cpu-weight=10001", "--io-weight=idle", "--allowed-cpus=x",
    "--allowed-memory-nodes=x", "--property=x", "--property==x", "--property=PIDs=1", "--uuid=zz",
    "--uuid=00000000000000000000000000000000", "--hostname=-x", "--setenv=1A=b", "--setenv==b", "--user=a:b",
    "--user=99999999999", "--kill-signal=SIGFOO", "--kill-signal=99", "--stop-timeout=x", "--notify-ready=x",
    "--console=x", "--settings=x", "--register=x", "--timezone=x", "--resolv-conf=x", "--time-namespace=x",
    "--time-offset-monotonic=x", "--time-offset-boottime=1q", "--seccomp=x", "--tmpfs=/x:nosuch", "--bind=/x:/y:nosuch", "--volatile=x", "--pivot-root=x", "--pivot-root=/a:/b:/c", "--overlay=/x", "--overlay=/x:y", "--overlay-ro=/x::",
    "--root-hash=0011", "--description=a\nb", "--system-call-filter=a,b", "--profile=a/b",
    "--health-command='a", "--health-interval=0.5", "--health-timeout=x", "--health-start-period=x", "--health-retries=0", "--health-action=x",
    "--pre-start=relative", "--post-start='/a", "--pre-stop=-", "--post-stop=relative x", "--hook-timeout=0",
]
CHECKED_LATER = {
    "--ambient-capability=CAP_SYS_MODULE": "CAP_SYS_MODULE",
    "--property=Nope=1": "'Nope'", "--property=MemoryMaxx=1": "'MemoryMaxx'", "--property=IPAddressAllow=300.1.1.1": "'300.1.1.1'",
    "--property=DeviceAllow=relative": "'relative'", "--system-call-filter=nosuch": "'nosuch'", "--cpu-affinity=1000": "'1000'",
    "--property=After=nosuch": "nosuch", "--profile=nosuch": "'nosuch'", "--image-policy=root=nosuch": "Policy", "--image-policy=*": "Policy", "--root-hash=" + "0" * 64: "RootHash=", "--verity-data=/x": "VerityData=", "--root-hash-sig=/x": "RootHashSignature=", "--image-key-file=/x": "ImageKeyFile=",
}
UNSUPPORTED = ["--network-veth", "-n",
               "--port=80", "--bind-user=x", "--set-credential=a:b", "--link-journal=host", "--oci-bundle=/x",
               "--private-users=managed", "--private-users-ownership=foreign", "--resolv-conf=copy-stub", "--cpu-affinity=numa",
               "--personality=x86"]


def test_options(host, busybox, clean):
    rows = [(run(o, "true"), 2, o.split("=")[0]) for o in VALUES]
    rows += [(run(o, "true"), 125, words) for o, words in CHECKED_LATER.items()]
    for o in UNSUPPORTED:
        short = o[:2] if o[1] != "-" else o.split("=")[0]
        rows.append((run(o, "true"), 125, short))
    rows += [
        (run("--frobnicate", "true"), 2, "'--frobnicate'"),
        (run("-y", "true"), 2, "'-y'"),
        (run("-Py", "true"), 2, "'-y'"),
        (run("--boot=yes", "true"), 2, "'--boot'"),
        (run("--read-only=x", "true"), 2, "'--read-only'"),
        (["berth", "run", "-D"], 2, "'-D'"),
        (["berth", "run", "--bind"], 2, "'--bind'"),
        (["berth", "run"], 2, "No container was named"),
        (["berth", "run", "busybox", "-b"], 2, "'-b'"),
        # options that exclude each other
        (run("-x", "--template=/etc", "true"), 125, "--ephemeral"),
        (run("--template=/nowhere", "true"), 125, "'/nowhere'"),
        (run("--mstack=/etc", "true"), 125, "stack of layers '/etc'"),
        (["berth", "run", "--mstack=/etc/passwd", "-M", "x", "--", "true"], 125, "'/etc/passwd'"),
        (["berth", "run", "--mstack=/etc", "-M", "x", "--", "true"], 125, "in the stack '/etc'"),
        (["berth", "run", "--mstack=/etc", "--image-policy=nosuch", "-M", "x", "--", "true"], 125, "Invalid image policy 'nosuch'"),
        (["berth", "run", "--mstack=/etc", "--verity-data=/x", "-M", "x", "--", "true"], 125, "cannot be used together with --root-hash"),
        (run("-ba", "true"), 2, "--as-pid2"),
        (run("-b", "-u", "nobody"), 125, "'nobody'"),
        (run("--keep-unit", "--slice=a", "true"), 125, "'a.slice'"),
        # verbs
        (["berth", "frobnicate"], 2, "'frobnicate'"),
        (["berth", "--frobnicate"], 2, "'--frobnicate'"),
        (["berth", "list", "x"], 2, "'x'"),
        (["berth", "bind"], 2, "'bind'"),
        (["berth", "bind", "x"], 2, "'bind'"),
        (["berth", "bind", "x", "/a", "/b", "/c"], 2, "'/c'"),
        (["berth", "bind", "--read-only=yes", "x", "/a"], 2, "'--read-only'"),
        (["berth", "unbind", "x"], 2, "'unbind'"),
        (["berth", "unbind", "--mkdir", "x", "/a"], 2, "'--mkdir'"),
        (["berth", "list-binds"], 2, "'list-binds'"),
        (["berth", "list-binds", "--json=xml", "x"], 2, "'xml'"),
        (["berth", "copy-to", "x", "-"], 2, "archive"),
        (["berth", "images", "x"], 2, "'x'"),
        (["berth", "images", "--json=xml"], 2, "'xml'"),
        (["berth", "image-status"], 2, "'image-status'"),
        (["berth", "image-status", "nosuch"], 1, "'nosuch'"),
        (["berth", "image-status", "../x"], 1, "'../x'"),
        (["berth", "show-image", "-p", "Nope", "x"], 2, "'Nope'"),
        (["berth", "du", "nosuch"], 1, "'nosuch'"),
        (["berth", "clone", "x"], 2, "'clone'"),
        (["berth", "clone", "nosuch", "x"], 1, "'nosuch'"),
        (["berth", "clone", "nosuch", "a/b"], 1, "'a/b'"),
        (["berth", "clone", "--read-only=yes", "x", "y"], 2, "'--read-only'"),
        (["berth", "snapshot"], 2, "'snapshot'"),
        (["berth", "snapshot", "nosuch"], 1, "'nosuch'"),
        (["berth", "snapshot", "nosuch", "a/b"], 1, "'a/b'"),
        (["berth", "snapshot", "--keep=0", "x"], 2, "'0'"),
        (["berth", "snapshot", "--max-age=soon", "x"], 2, "'soon'"),
        (["berth", "snapshots", "nosuch"], 1, "'nosuch'"),
        (["berth", "diff"], 2, "'diff'"),
        (["berth", "diff", "nosuch"], 1, "'nosuch'"),
        (["berth", "rollback", "x"], 2, "'rollback'"),
        (["berth", "rollback", "nosuch", "x"], 1, "'nosuch'"),
        (["berth", "remove-snapshot", "nosuch", "x"], 1, "'nosuch'"),
        (["berth", "prune-snapshots", "x"], 2, "'--keep'"),
        (["berth", "prune-snapshots", "--keep=2", "nosuch"], 1, "'nosuch'"),
        (["berth", "rename", "nosuch", "x"], 1, "'nosuch'"),
        (["berth", "rename", "x", ".#y"], 1, "'.#y'"),
        (["berth", "remove"], 2, "'remove'"),
        (["berth", "remove", "nosuch"], 1, "'nosuch'"),
        (["berth", "remove", "a/b"], 1, "'a/b'"),
        (["berth", "remove", "--all"], 2, "'--all'"),
        (["berth", "read-only", "x", "perhaps"], 2, "'perhaps'"),
        (["berth", "read-only", "nosuch"], 1, "'nosuch'"),
        (["berth", "set-limit", "x", "much"], 2, "'much'"),
        (["berth", "set-limit", "0"], 2, "'0'"),
        (["berth", "set-limit", "nosuch", "1G"], 1, "'nosuch'"),
        (["berth", "clean", "x"], 2, "'x'"),
        # transfers
        (["berth", "import-tar"], 2, "FILE|-"),
        (["berth", "import-tar", "/nowhere.tar"], 1, "'/nowhere.tar'"),
        (["berth", "import-tar", "/etc"], 2, "'/etc' is a directory"),
        (["berth", "import-tar", "-"], 2, "An import from standard input needs a name"),
        (["berth", "import-tar", "/dev/null", "a", "b"], 2, "'b'"),
        (["berth", "import-tar", "/dev/null", "../x"], 1, "'../x'"),
        (["berth", "import-tar", "/dev/null", ".#x"], 1, "'.#x'"),
        (["berth", "import-tar", "--max-size=x", "/dev/null", "a"], 2, "'x'"),
        (["berth", "import-tar", "--max-size=0", "/dev/null", "a"], 2, "'0'"),
        (["berth", "import-tar", "--force=yes", "/dev/null", "a"], 2, "'--force'"),
        (["berth", "import-tar", "--read-only=yes", "/dev/null", "a"], 2, "'--read-only'"),
        (["berth", "import-tar", "--format=gzip", "/dev/null", "a"], 2, "'--format'"),
        (["berth", "import-tar", "--json=xml", "/dev/null", "a"], 2, "'xml'"),
        (["berth", "import-tar", "-H", "x", "/dev/null", "a"], 2, "both systems"),
        (["berth", "import-raw"], 2, "FILE|-"),
        (["berth", "import-raw", "/nowhere.raw"], 1, "'/nowhere.raw'"),
        (["berth", "import-raw", "/etc"], 2, "'/etc' is a directory"),
        (["berth", "import-raw", "-"], 2, "An import from standard input needs a name: berth import-raw - NAME"),
        (["berth", "import-raw", "/dev/null", "a", "b"], 2, "'b'"),
        (["berth", "import-raw", "/dev/null", "../x"], 1, "'../x'"),
        (["berth", "import-raw", "/dev/null", "a"], 1, "'/dev/null' is empty"),
        (["berth", "import-raw", "--max-size=0", "/dev/null", "a"], 2, "'0'"),
        (["berth", "import-raw", "--format=gzip", "/dev/null", "a"], 2, "'--format'"),
        (["berth", "import-raw", "-H", "x", "/dev/null", "a"], 2, "both systems"),
        (["berth", "import-fs"], 2, "DIRECTORY"),
        (["berth", "import-fs", "/nowhere"], 1, "'/nowhere'"),
        (["berth", "import-fs", "/etc/passwd", "a"], 1, "'/etc/passwd'"),
        (["berth", "pull-tar"], 2, "URL"),
        (["berth", "pull-tar", "/etc/passwd"], 2, "'/etc/passwd' is no http or https URL"),
        (["berth", "pull-tar", "ftp://x/y.tar"], 2, "'ftp://x/y.tar' is no http or https URL"),
        (["berth", "pull-tar", "http://"], 2, "'http://'"),
        (["berth", "pull-tar", "http://127.0.0.1:1/.tar"], 2, "makes no name"),
        (["berth", "pull-tar", "http://127.0.0.1:1/x.tar", ".#x"], 1, "'.#x'"),
        (["berth", "pull-tar", "http://127.0.0.1:1/x.tar", "a", "b"], 2, "'b'"),
        (["berth", "pull-tar", "http://127.0.0.1:1/x.tar"], 1, "'http://127.0.0.1:1/SHA256SUMS'"),
        (["berth", "pull-tar", "--verify=perhaps", "http://127.0.0.1:1/x.tar"], 2, "'perhaps'"),
        (["berth", "pull-tar", "--sha256=abc", "http://127.0.0.1:1/x.tar"], 2, "'abc'"),
        (["berth", "pull-tar", "--max-size=x", "http://127.0.0.1:1/x.tar"], 2, "'x'"),
        (["berth", "pull-tar", "-H", "x", "http://127.0.0.1:1/x.tar"], 2, "the image comes to this one"),
        (["berth", "pull-raw"], 2, "URL"),
        (["berth", "pull-raw", "/etc/passwd"], 2, "'/etc/passwd' is no http or https URL"),
        (["berth", "pull-raw", "--verify=no", "http://127.0.0.1:1/x.raw"], 1, "'http://127.0.0.1:1/x.raw'"),
        (["berth", "import-tar", "--verify=no", "/dev/null", "a"], 2, "'--verify'"),
        (["berth", "export-tar"], 2, "'export-tar'"),
        (["berth", "export-tar", "nosuch", "/tmp/x.tar"], 1, "'nosuch'"),
        (["berth", "export-tar", "--format=zip", "nosuch", "-"], 2, "'zip'"),
        (["berth", "export-raw"], 2, "'export-raw'"),
        (["berth", "export-raw", "nosuch", "/tmp/x.raw"], 1, "'nosuch'"),
        (["berth", "export-raw", "nosuch", "/nowhere/x.raw"], 1, "/nowhere/"),
        (["berth", "export-raw", "nosuch", "x.qcow2"], 2, "'x.qcow2'"),
        (["berth", "export-raw", "--force", "nosuch", "x"], 2, "'--force'"),
        (["berth", "export-raw", "--format=zip", "nosuch", "-"], 2, "'zip'"),
        (["berth", "list", "--frobnicate"], 2, "'--frobnicate'"),
        (["berth", "list", "-p", "x"], 2, "'-p'"),
        (["berth", "list", "--json=xml"], 2, "'xml'"),
        (["berth", "list", "--output=xml"], 2, "'xml'"),
        (["berth", "list", "--full=yes"], 2, "'--full'"),
        (["berth", "list", "-d", "1s"], 2, "'-d'"),
        (["berth", "list", "--max-addresses=0"], 2, "'0'"),
        (["berth", "list", "--max-addresses=some"], 2, "'some'"),
        (["berth", "status", "-n", "x"], 2, "'x'"),
        (["berth", "status", "nosuch"], 1, "'nosuch'"),
        (["berth", "status", "../x"], 1, "'../x'"),
        (["berth", "top", "nosuch"], 1, "'nosuch'"),
        (["berth", "top", "--order=size"], 2, "'size'"),
        (["berth", "top", "--delay=1ms"], 2, "'1ms'"),
        (["berth", "top", "--delay=infinity"], 2, "'infinity'"),
        (["berth", "top", "-n", "0"], 2, "'0'"),
        (["berth", "top", "-n", "x"], 2, "'x'"),
        (["berth", "top", "--batch=yes"], 2, "'--batch'"),
        (["berth", "top", "--no-stream"], 2, "'--no-stream'"),
        (["berth", "stats", "--no-stream", "nosuch"], 1, "'nosuch'"),
        (["berth", "stats", "--no-stream", "../x"], 1, "'../x'"),
        (["berth", "stats", "--order=cpu"], 2, "'--order'"),
        (["berth", "stats", "--delay=x"], 2, "'x'"),
        (["berth", "stats", "--json=xml"], 2, "'xml'"),
        (["berth", "show", "-p", "Nope"], 2, "'Nope'"),
        (["berth", "show", "-p", "Nope", "nosuch"], 2, "'Nope'"),
        (["berth", "kill", "-s", "FOO", "x"], 2, "'FOO'"),
        (["berth", "kill", "--kill-whom=me", "x"], 2, "'me'"),
        (["berth", "stop", "--timeout=x", "y"], 2, "'x'"),
        (["berth", "stop"], 2, "'stop'"),
        (["berth", "start"], 2, "'start'"),
        (["berth", "set"], 2, "'set'"),
        (["berth", "set", "busybox"], 2, "'set'"),
        (["berth", "cat"], 2, "'cat'"),
        (["berth", "edit"], 2, "'edit'"),
        (["berth", "revert"], 2, "'revert'"),
        (["berth", "revert", "--runtime", "busybox"], 2, "'--runtime'"),
        (["berth", "edit", "--drop-in=../x", "busybox"], 2, "'../x'"),
        (["berth", "edit", "--drop-in=.x", "busybox"], 2, "'.x'"),
        (["berth", "edit", "--drop-in=", "busybox"], 2, "''"),
        (["berth", "edit", "--drop-in=x", "--full", "busybox"], 2, "'--drop-in'"),
        (["berth", "edit", "--stdin", "busybox", "other"], 2, "'--stdin'"),
        (["berth", "-M", "x", "edit", "busybox"], 2, "'--machine'"),
        (["berth", "-H", "x", "cat", "busybox"], 2, "'--host'"),
        (["berth", "-H", "x", "revert", "busybox"], 2, "'--host'"),
        (["berth", "-H", "x", "set", "busybox", "TasksMax=5"], 2, "'--host'"),
        (["berth", "edit", "busybox"], 1, "terminal"),
        (["sh", "-c", "SYSTEMD_EDITOR=/nosuch/editor exec berth edit busybox"], 1, "'/nosuch/editor'"),
        (["sh", "-c", "SYSTEMD_EDITOR=false exec berth edit busybox"], 1, "'false'"),
        (["sh", "-c", "printf '[Exec]\\nBoot=maybe\\n' | berth edit --stdin busybox"], 1, "/etc/berth/busybox.berth.d/override.conf:2"),
        (["sh", "-c", "printf '[Exec]\\nHostname=%%y' | berth edit --stdin --runtime busybox"], 1, "override.conf:2"),
        (["sh", "-c", "printf '[Container]\\nProfile=nosuch\\n' | berth edit --stdin --full busybox"], 1, "/etc/berth/busybox.berth:2"),
        (["berth", "help", "frobnicate"], 2, "'frobnicate'"),
        (["berth", "cancel-transfer", "x"], 1, "'cancel-transfer'"),
    ]
    run_table(host, rows)


#: changes that nobody can make, and what the sentence names
CHANGES = {
    "x": "'x'", "=x": "'=x'", "MemoryMax=x": "'x'", "MemoryMax=0": "'0'", "TasksMax=0": "'0'", "CPUQuota=0%": "'0%'", "IOWeight=10001": "'10001'",
    "AllowedCPUs=x": "'x'", "Nope=1": "'Nope'", "MemoryMaxx=1": "'MemoryMaxx'", "Nope=": "'Nope'", "Slice=a": "'Slice'", "Boot=yes": "'Boot'",
    "KillMode=mixed": "'KillMode'", "Delegate=no": "'Delegate'", "PIDs=1": "'PIDs'", "DeviceAllow=relative": "'relative'", "DeviceAllow=": "'DeviceAllow'",
    "IPAddressDeny=300.1.1.1": "'300.1.1.1'", "Property=x": "'x'", "Property=Nope=1": "'Nope'", "MemoryMax=1G\n[Exec]": "[Exec]'",
    "DevicePolicy=x": "'x'", "ManagedOOMSwap=x": "'x'", "ManagedOOMPreference=auto": "'auto'", "IODeviceWeight=x 5": "'x 5'",
}


def test_set(host, busybox, clean):
    """Nothing is changed when one of several changes is wrong, whether the container runs or not."""
    rows = [(["berth", "set", "busybox", "TasksMax=77", change], 1, words) for change, words in CHANGES.items()]
    run_table(host, rows)
    p = host.spawn(f"exec berth run -q -D {busybox} -- sleep 60")
    host.wait_for("berth show busybox -p State | grep -q running")
    run_table(host, rows + [
        (NOBODY + "berth set busybox TasksMax=77", 1, "root"),
        (NOBODY + "berth set --runtime busybox TasksMax=77", 1, "org.berth.containers1.set-properties"),
    ])
    assert host.properties("machine-busybox.scope", "TasksMax") == {"TasksMax": "16384"}
    assert not host.run("ls /etc/berth 2>/dev/null || :").out
    host.berth("terminate", "busybox")
    host.end(p)


def settings(text, file="/etc/berth/busybox.berth", command="berth run busybox true"):
    """A line for sh that puts the file in its place, runs, and takes it away. `text`: with escapes of printf(1)."""
    return (f"mkdir -p /etc/berth; printf '{text}' >{file}; {command}; r=$?; rm -rf {file}; "
            "rmdir /etc/berth 2>/dev/null; exit $r")


def made(make, file="/etc/berth/busybox.berth"):
    return f"mkdir -p /etc/berth; {make} {file}; berth run busybox true; r=$?; rm -rf {file}; rmdir /etc/berth 2>/dev/null; exit $r"


def test_settings_files(host, busybox, clean):
    file = "'/etc/berth/busybox.berth'"
    at = "/etc/berth/busybox.berth:2"
    rows = [
        (settings(r"[Exec\nBoot=yes\n"), 125, file),
        (settings(r"[]\n"), 125, file),
        (settings(r"nonsense\n"), 125, file),
        (settings(r"[Exec]\n=x\n"), 125, file),
        (settings(r"[Exec]\nBoot=maybe\n"), 125, at),
        (settings(r'[Exec]\nEnvironment="A=b\n'), 125, at),
        (settings(r"[Exec]\nHostname=a\033[31mb\n"), 125, at),
        (settings(r"[Exec]\nHostname=\377x\n"), 125, file),
        (settings(r"[Exec]\nBoot=\000yes\n"), 125, file),
        (settings(r"[Network]\nZone=x\n"), 125, at),
        (settings(r"[Files]\nOverlay=/a:b\n"), 125, at),
        (settings(r"[Resources]\nMemoryMax=much\n"), 125, at),
        (settings(r"[Resources]\nProperty=Nope=1\n"), 125, at),
        (settings(r"[Files]\nBind=/nosuch:/mnt\n"), 125, "'/nosuch'"),
        (settings(r"[Container]\nDirectory=/nosuch\n"), 125, "'/nosuch'"),
        (settings(r"[Exec]\nBoot=maybe\n", command="berth start busybox").replace("berth run busybox true", ""), 1, at),
        (settings(r"[Exec]\nBoot=maybe\n", command="berth verify busybox"), 1, at),
        (settings(r"[Exec]\nBoot=maybe\n", command="berth enable busybox"), 1, at),
        (settings(r"[Exec]\nHostname=%%y\n"), 125, at),
        (settings(r"[Exec]\nHostname=x%%\n"), 125, at),
        (settings(r"[Container]\nProfile=nosuch\n"), 125, at),
        (settings(r"[Container]\nProfile=../../etc/passwd\n"), 125, at),
        (settings(r"[Exec]\nBoot=maybe\n", file="/etc/berth/busybox.berth.d/a.conf").replace("/etc/berth;", "/etc/berth/busybox.berth.d;", 1)
         .replace("rmdir", "rmdir /etc/berth/busybox.berth.d"), 125, "/etc/berth/busybox.berth.d/a.conf:2"),
        (made("mkdir"), 125, file),
        (made("mkfifo"), 125, file),
        (made("ln -s /nosuch"), 125, file),
        (made("ln -s busybox.berth"), 125, file),
        (made("dd if=/dev/zero bs=1M count=2 status=none of=/run/zeros; tr '\\000' '#' </run/zeros >/run/hashes; rm /run/zeros; mv /run/hashes"),
         125, file),
        (settings(r"[Exec]\nBoot=maybe\n", file="/var/lib/machines/busybox.nspawn"), 125, "/var/lib/machines/busybox.nspawn:2"),
    ]
    run_table(host, rows)


def test_unknown_settings_are_told(host, busybox, clean):
    """As with units: what is not known is said and skipped, and nothing of it reaches the terminal as it is."""
    for text, words in ((r"[Exec]\nNope=1\n", "Nope= at /etc/berth/busybox.berth:2"),
                        (r"[Nope]\nBoot=yes\n", "'[Nope]' at /etc/berth/busybox.berth:1"),
                        (r"Boot=yes\n", "Boot= at /etc/berth/busybox.berth:1"),
                        (r"[Exec]\nN\033[31mope=1\n", "N\\x1b[31mope=")):
        r = host.run(settings(text))
        assert words in r.stderr and "\x1b" not in r.stderr and len(r.stderr.splitlines()) == 1, r
    # who can write beside the image does not thereby get at the host
    r = host.run(settings(r"[Files]\nBind=/etc:/mnt\n", file="/var/lib/machines/busybox.nspawn",
                          command="berth run busybox ls /"))
    assert "Ignoring Bind=" in r.stderr and "--settings=trusted" in r.stderr and "mnt" not in r.stdout, r


def test_in_use(host, busybox, machine, clean):
    other = machine("other", "busybox")
    p = host.spawn(f"exec berth run -q -M one -D {busybox} -- sleep 60")
    host.wait_for("berth list --no-legend | grep -q '^one.*running'")
    create = ("busctl call org.berth.Containers1 /org/berth/Containers1 org.berth.Containers1.Manager "
              "CreateContainer 'sa{{sv}}a(sh)' {} 1 Directory s {} 0 2>&1 | sed 's/^Call failed: /berth: /' >&2; exit 1")
    run_table(host, [
        (["berth", "run", "-M", "two", "-D", busybox, "true"], 125, f"'{busybox}'"),
        (["berth", "run", "-M", "one", "-D", other, "true"], 125, "'one'"),
        (create.format("one", other), 1, "'one'"),
        (create.format("two", busybox), 1, f"'{busybox}'"),
    ])
    assert host.berth("show", "one", "-p", "State", "--value").out == "running"
    host.berth("terminate", "one")
    host.end(p)


def test_no_privileges(host, busybox, clean):
    run_table(host, [
        (NOBODY + f"berth run -D {busybox} true", 125, "root"),
        (NOBODY + "berth run --frobnicate", 2, "'--frobnicate'"),
        (NOBODY + "berth start busybox", 1, "berth@busybox.service"),
        (NOBODY + "berth enable busybox", 1, "berth@busybox.service"),
        (NOBODY + "berth disable busybox", 1, "berth@busybox.service"),
        (NOBODY + "berth verify busybox", 1, "'/var/lib/machines'"),
        (NOBODY + "berth list", 1, "org.berth.containers1.inspect"),
        (NOBODY + "berth status", 1, "org.berth.containers1.inspect"),
        (NOBODY + "berth status busybox", 1, "org.berth.containers1.inspect"),
        (NOBODY + "berth top", 1, "org.berth.containers1.inspect"),
        (NOBODY + "berth stats --no-stream", 1, "org.berth.containers1.inspect"),
        (NOBODY + "berth show busybox", 1, "org.berth.containers1.inspect"),
        (NOBODY + "berth stop busybox", 1, "org.berth.containers1.stop"),
        (NOBODY + "berth terminate busybox", 1, "org.berth.containers1.stop"),
        (NOBODY + "berth edit busybox", 1, "root"),
        (NOBODY + "berth revert busybox", 1, "root"),
        (NOBODY + "berth kill busybox", 1, "org.berth.containers1.kill"),
        (NOBODY + "berth reboot busybox", 1, "org.berth.containers1.reboot"),
        (NOBODY + "berth attach busybox", 1, "org.berth.containers1.attach"),
        (NOBODY + "berth pause busybox", 1, "org.berth.containers1.pause"),
        (NOBODY + "berth restart busybox", 1, "org.berth.containers1.inspect"),
        (NOBODY + "$(systemctl show -P ExecStart berthd.service | sed 's/.*path=\\([^ ;]*\\).*/\\1/')", 1, "root"),
        (f"setpriv --bounding-set -sys_admin --inh-caps -sys_admin berth run -D {busybox} true", 125, "'busybox'"),
    ])


def test_no_systemd(host, busybox, clean):
    """Without systemd as service manager: what needs it says so, the rest works and says once what is missing."""
    hidden = "exec unshare -m sh -c 'mount -t tmpfs none /run/systemd && exec {}'"
    run_table(host, [
        (hidden.format(f"berth run -D {busybox} --memory-max=1G true"), 125, "'MemoryMax=1073741824'"),
        (hidden.format(f"berth run -D {busybox} --slice=a true"), 125, "'a.slice'"),
        (hidden.format("berth start busybox"), 1, "systemd"),
        (hidden.format("berth enable busybox"), 1, "systemd"),
        (hidden.format("berth disable busybox"), 1, "systemd"),
    ])
    r = host.run(hidden.format(f"berth run -D {busybox} echo hello"))
    assert r.out == "hello" and re.fullmatch(r"berth: systemd is not running: .*\n", r.stderr), r
    r = host.run(hidden.format(f"berth run -q -D {busybox} echo hello"))
    assert r.out == "hello" and r.stderr == "", r


def test_no_bus(host, busybox, clean):
    no_bus = "exec unshare -m sh -c 'mount -t tmpfs none /run/dbus && exec {}'"
    nothing = "exec unshare -m sh -c 'mount -t tmpfs none /run/dbus && mount --bind /dev/null /run/systemd/private && exec {}'"
    rows = [(nothing.format(f"berth run -D {busybox} true"), 125, "system bus")]
    for verb in ("list", "list -a", "status", "top", "stats", "show", "stop busybox", "start busybox", "enable busybox", "kill busybox", "reboot busybox",
                 "set busybox TasksMax=5", "set --runtime busybox TasksMax=5"):
        rows.append((no_bus.format(f"berth {verb}"), 1, "system bus"))
    run_table(host, rows)
    # PID 1 can be spoken to without a bus: a container starts, limits included
    r = host.run(no_bus.format(f"berth run -D {busybox} echo hello"))
    assert r.out == "hello" and r.stderr == "", r


def test_bus_gone_in_the_middle(host, busybox, clean):
    """The bus ends while a container runs: that goes on; the manager is back as soon as there is a bus again."""
    p = host.spawn(f"exec berth run -q -M one -D {busybox} -- sleep 60")
    host.wait_for("berth list --no-legend | grep -q '^one.*running'")
    # masked, or berthd, which wants it, starts it again at once
    host.run("pid=$(systemctl show -P MainPID dbus.service); systemctl mask --runtime dbus.socket dbus.service; "
             "systemctl stop dbus.socket dbus.service; kill -9 $pid 2>/dev/null; rm -f /run/dbus/system_bus_socket")
    try:
        run_table(host, [
            (["berth", "list"], 1, "bus"),
            (["berth", "stop", "one"], 1, "bus"),
            (["berth", "enable", "busybox"], 1, "bus"),
        ])
        host.run("sleep 3")     # the manager tries to come back, in vain
        assert p.poll() is None
    finally:
        host.run("systemctl unmask --runtime dbus.socket dbus.service; systemctl start dbus.socket")
    host.wait_for("berth list --no-legend | grep -q '^one.*running'", timeout=10)
    host.berth("terminate", "one")
    host.end(p)
    host.run("systemctl restart systemd-logind 2>/dev/null; systemctl reset-failed; :")


def test_odd_surroundings(host, busybox, clean):
    """Closed descriptors, no environment, full disks, tight limits."""
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        host.run(f"berth run -D {busybox} true {closed}")
    # what is closed is /dev/null inside, and no descriptor that leads anywhere
    q = host.spawn(f"exec berth run -q -M one -D {busybox} -- sleep 60")
    host.wait_for("berth list --no-legend | grep -q '^one.*running'")
    r = host.run("berth exec one sh -c 'readlink /proc/self/fd/0; cat; grep flags /proc/self/fdinfo/0' <&-")
    assert r.stdout.split() == ["/dev/null", "flags:", "0100002"], r
    host.berth("terminate", "one")
    host.end(q)
    assert host.run(f"env -i $(command -v berth) run -D {busybox} echo hello").out == "hello"
    run_table(host, [
        ("berth list >/dev/full", 1, "No space left"),
        ("berth --help >/dev/full", 1, "No space left"),
        ("berth verify busybox >/dev/full", 1, "No space left"),
        ("berth list >&-", 1, "output"),
        ("berth stats >/dev/full", 1, "No space left"),
        (f"ulimit -n 12; exec berth run -D {busybox} true", 125, "Too many open files"),
        (f"BERTH_SUPERVISOR=/nosuch exec berth run -D {busybox} true", 125, "'/nosuch'"),
        (f"BERTH_SUPERVISOR=/etc/passwd exec berth run -D {busybox} true", 125, "'/etc/passwd'"),
    ])


@pytest.mark.suites("forky")
def test_every_option_of_nspawn_is_known(host):
    """What systemd-nspawn takes is taken, or refused by name: never unknown."""
    out = host.run("systemd-nspawn", "--help").stdout
    options = sorted(set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z0-9-]*(?=[\s=\[,])", out)) - {"-h", "--help", "--version"})
    assert len(options) > 60, options
    host.run("mkdir -p /run/face && ln -sf $(command -v berth) /run/face/systemd-nspawn")
    # a second unknown option behind it: nothing is started, and it cannot be taken for an argument
    script = "; ".join(f"/run/face/systemd-nspawn {o} --bogus --bogus 2>&1 | grep \"Unknown option '{o}'\"" for o in options)
    r = host.run(f"cd /; {script}; rm -r /run/face")
    assert r.stdout == "", r.stdout
