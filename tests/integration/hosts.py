# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test hosts as objects: start one, run commands in it, copy trees, see what was left behind."""
import contextlib
import dataclasses
import os
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
HOST_TOOLS = SOURCE / "tests" / "host"

#: What `systemctl --version` starts with in each suite.
SYSTEMD_VERSION = {"bookworm": 252, "forky": 262}


@dataclasses.dataclass
class Result:
    """What a command left: its exit status and what it wrote, as text."""

    args: list
    returncode: int
    stdout: str
    stderr: str

    @property
    def out(self):
        return self.stdout.strip()

    @property
    def err(self):
        return self.stderr.strip()

    def __str__(self):
        return (f"{shlex.join(self.args)}\nexit status {self.returncode}\n"
                f"--- stdout\n{self.stdout}--- stderr\n{self.stderr}---")


class CommandFailed(AssertionError):
    def __init__(self, result):
        super().__init__(str(result))
        self.result = result


def local(*args, timeout=600, **kwargs):
    """Run one of the host tools on this machine."""
    p = subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=timeout, check=False, **kwargs)
    result = Result([str(a) for a in args], p.returncode, p.stdout, p.stderr)
    if p.returncode:
        raise CommandFailed(result)
    return result


class Terminal:
    """A command on a pseudo-terminal inside a host. The text it prints is matched as it comes."""

    def __init__(self, popen):
        self.popen = popen
        self.text = ""      # all that was printed so far
        self.seen = 0       # up to here expect() has matched

    def send(self, text):
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.popen.stdout], [], [], left)[0]:
            return None
        chunk = os.read(self.popen.stdout.fileno(), 65536)
        self.text += chunk.decode(errors="replace")
        return bool(chunk)

    def expect(self, pattern, timeout=30):
        """Wait for text that matches; returns the match. What came before it is skipped."""
        deadline = time.monotonic() + timeout
        while True:
            m = re.compile(pattern, re.M | re.S).search(self.text, self.seen)
            if m:
                self.seen = m.end()
                return m
            if not self._read(deadline):
                raise AssertionError(f"no {pattern!r} on the terminal; it shows:\n{self.text[self.seen:]}")

    def wait(self, timeout=30):
        """Wait for the end; returns the command's exit status."""
        status = int(self.expect(r"\[exit (\d+)\]\r?\n", timeout)[1])
        self.close()
        return status

    def close(self):
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Host:
    """A running test host. `kind` is "ns" or "vm", `suite` the Debian in it."""

    kind = ""
    tool = ""

    def __init__(self, name, suite):
        self.name = name
        self.suite = suite
        self.other_suite = "forky" if suite == "bookworm" else "bookworm"
        self.systemd = SYSTEMD_VERSION[suite]
        self._serial = 0

    # ---- commands ----

    #: Variables that every command of the host gets, its services too (as DefaultEnvironment= of the installed tree).
    environment = {}

    #: What to put before a command to run it in the host, where there is a faster way than the tool's `exec`.
    words = ()

    def argv(self, args):
        """The command line, on this machine, that runs `args` in the host."""
        env = ["env", *(f"{k}={v}" for k, v in self.environment.items())] if self.environment else []
        return [*(self.words or [str(HOST_TOOLS / self.tool), "exec", self.name]), *env, *args]

    def run(self, *args, check=True, timeout=60, input=None, env=None):
        """Run a command; a single string is given to sh. `check` raises CommandFailed on failure."""
        args = ["sh", "-c", args[0]] if len(args) == 1 and isinstance(args[0], str) else [str(a) for a in args]
        if env:
            args = ["env", *(f"{k}={v}" for k, v in env.items()), *args]
        if isinstance(input, str):
            input = input.encode()
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        # a group of its own, so that a timeout ends the whole line of wrappers
        with subprocess.Popen(self.argv(args), stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, start_new_session=True) as p:
            try:
                out, err = p.communicate(input, timeout)
            except subprocess.TimeoutExpired as e:
                os.killpg(p.pid, signal.SIGKILL)
                out, err = p.communicate()
                text = Result(args, -1, out.decode(errors="replace"), err.decode(errors="replace"))
                raise AssertionError(f"no end after {timeout} s: {text}") from e
        result = Result(args, p.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        if check and result.returncode:
            raise CommandFailed(result)
        return result

    def berth(self, *args, **kwargs):
        return self.run("berth", *args, **kwargs)

    def systemctl(self, *args, **kwargs):
        return self.run("systemctl", *args, **kwargs)

    def spawn(self, *args, **kwargs):
        """Start a command and do not wait for it; returns a Popen. End it with host.end(popen)."""
        args = ["sh", "-c", args[0]] if len(args) == 1 else [str(a) for a in args]
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.STDOUT)
        return subprocess.Popen(self.argv(args), start_new_session=True, **kwargs)

    @staticmethod
    def end(popen):
        # not poll(), which would reap a wrapper that has ended before what it ran: its group holds the pipe
        if popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(popen.pid, signal.SIGKILL)
        popen.communicate()
        return popen.returncode

    def python(self, script, *args, **kwargs):
        """Run a script, the text of one or a file beside this one, with all that dbus_client.py has."""
        return self.run("python3", "-", *args, input=self.script(script), **kwargs)

    @staticmethod
    def script(script):
        text = (HERE / script).read_text() if script.endswith(".py") else script
        return (HERE / "dbus_client.py").read_text() + "\n" + text

    def terminal(self, *args, rows=24, columns=80, term="xterm"):
        """A command on a pseudo-terminal of the host, without a pager; a Terminal."""
        command = args[0] if len(args) == 1 else shlex.join(str(a) for a in args)
        # the shell outlives the command, to tell its exit status, and the telling: what is still in a terminal
        # when its last process ends may be lost, and so may what a command says after Ctrl-C when its shell dies of that;
        # socat relays the terminal
        inner = f'trap : INT QUIT\nstty rows {rows} cols {columns}\n({command}\n)\nprintf "\\n[exit %s]\\n" "$?"\nsleep 60'
        script = f"/run/terminal-{self.name}-{self._next()}"
        self.write(script, f"rm -f {script}\nexport TERM={term} SYSTEMD_PAGER=\n{inner}\n")
        return Terminal(self.spawn("socat", "-t0.2", "-", f"EXEC:sh {script},pty,setsid,ctty,stderr",
                                   stdin=subprocess.PIPE, stderr=subprocess.DEVNULL))

    def _next(self):
        self._serial += 1
        return self._serial

    # ---- files ----

    def write(self, path, text, mode="644"):
        path = str(path)
        self.run(f'mkdir -p "$(dirname {shlex.quote(path)})" && cat >{shlex.quote(path)} && '
                 f"chmod {mode} {shlex.quote(path)}", input=text)

    def read(self, path):
        return self.run("cat", path).stdout

    def exists(self, path):
        return self.run("test", "-e", path, check=False).returncode == 0

    # ---- waiting and looking ----

    #: Seconds between two looks of wait_for.
    every = 0.05

    def wait_for(self, command, timeout=60, every=None):
        """Repeat a shell command until it succeeds; returns its last Result."""
        deadline = time.monotonic() + timeout
        while True:
            result = self.run(command, check=False)
            if result.returncode == 0:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(f"not true within {timeout} s: {result}")
            time.sleep(every or self.every)

    def properties(self, unit, *names):
        """Properties of a unit, as a dict of strings."""
        out = self.systemctl("show", *(f"-p{n}" for n in names), unit).stdout
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def journal(self, *args):
        return self.run(f"journalctl --sync && exec journalctl -o cat --no-pager {shlex.join(str(a) for a in args)}").stdout

    # ---- trees for containers ----

    def copy_tree(self, tree, path):
        """A writable copy of a payload tree ("bookworm", "forky", "busybox"), on a real file system."""
        self.run(f"mkdir -p \"$(dirname {path})\" && rm -rf --one-file-system {path} && "
                 f"cp -a --reflink=auto /lab/{tree} {path}", timeout=180)
        return path

    def remove_tree(self, path):
        self.run(f"chattr -R -f -i {path} 2>/dev/null; rm -rf --one-file-system {path}", timeout=120)

    # ---- what was left behind ----

    def snapshot(self):
        """What exists in the host now, as a set of (kind, thing)."""
        script = (HERE / "snapshot.py").read_text()
        out = self.run("python3", "-c", script, timeout=60).stdout
        return {tuple(line.split("\t", 1)) for line in out.splitlines()}

    def leaks(self, before, timeout=30, ignore=None):
        """What is there now and was not there `before`; waits a while for things to go."""
        deadline = time.monotonic() + timeout
        while True:
            left = sorted(self.snapshot() - before)
            if ignore:
                left = [x for x in left if not re.search(ignore, f"{x[0]} {x[1]}")]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.2)

    @contextlib.contextmanager
    def no_leaks(self, timeout=5, ignore=None):
        """The block must leave the host as it was: mounts, cgroups, processes, loops, descriptors, files."""
        before = self.snapshot()
        yield
        self.nothing_left(self.leaks(before, timeout, ignore))

    @staticmethod
    def nothing_left(left):
        assert not left, "left behind:\n" + "\n".join(f"  {kind} {thing}" for kind, thing in left)

    # ---- life ----

    def log(self):
        return local(HOST_TOOLS / self.tool, "log", self.name).stdout

    def stop(self):
        local(HOST_TOOLS / self.tool, "stop", self.name)


class NamespaceHost(Host):
    """A systemd in namespaces of this machine's kernel, with the project installed from its first moment on."""

    kind = "ns"
    tool = "host-ns"

    def start(self, stage, lab, options=()):
        local(HOST_TOOLS / self.tool, "start", self.name, "--root", self.suite, "--layer", stage,
              "--bind-ro", f"{lab}:/lab", *options)
        self.words = local(HOST_TOOLS / self.tool, "words", self.name).stdout.splitlines()
        return self

    @property
    def pid(self):
        return int(local(HOST_TOOLS / self.tool, "pid", self.name).out)


class VirtualHost(Host):
    """A VM with Debian's own kernel and every cgroup controller; slow, for what a namespace host cannot do."""

    kind = "vm"
    tool = "host-vm"
    every = 0.5     # each look takes the VM from what is waited for

    def start(self, stage, lab, options=()):
        del lab     # on the VM's disk already
        with tempfile.TemporaryDirectory(dir="/var/tmp") as small:
            # whatever is copied takes its time there: no symbols, nothing to read
            local("cp", "-a", f"{stage}/.", small)
            local("sh", "-c", f"cd {small} && rm -rf usr/share/man usr/share/doc && {{ find usr/bin usr/lib -type f -perm -100 -exec strip {{}} + 2>/dev/null || :; }}")
            local(HOST_TOOLS / self.tool, "start", self.name, "--suite", self.suite, "--share", small, *options)
            # preset-all and its second reload would look at every unit
            self.run("cp -a /mnt/share/. / && cd /usr/lib/systemd/system && "
                     "systemctl preset -q --no-reload --preset-mode=enable-only $(ls | grep '^berth' | grep -v @) && "
                     "systemctl daemon-reload && systemctl reload dbus && "
                     "systemctl start berthd.socket berthd-control.socket 2>/dev/null || :", timeout=300)
        return self

    def copy_tree(self, tree, path):
        # copying an OS takes half a minute here; the VM's disk is its own, so a Debian is lent instead
        if tree == "busybox":
            return super().copy_tree(tree, path)
        self.run(f"mkdir -p \"$(dirname {path})\" && mv /lab/{tree} {path} && echo {path} >/lab/{tree}.lent")
        return path

    def remove_tree(self, path):
        for tree in SYSTEMD_VERSION:
            lent = self.run(f"cat /lab/{tree}.lent 2>/dev/null || :").out
            if lent == path:
                self.run(f"mv {path} /lab/{tree} && rm /lab/{tree}.lent")
                return
        super().remove_tree(path)


HOST_CLASSES = {"ns": NamespaceHost, "vm": VirtualHost}
