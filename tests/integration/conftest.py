# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures for tests on real hosts.

    host          a running host with the project installed; each test runs on every host that its markers name
    machine       machine("web", "busybox") -> path of a writable tree in /var/lib/machines, removed afterwards
    busybox       a writable busybox tree            debian         a writable Debian of the host's own suite
    clean         the test must leave the host as it was

    @pytest.mark.ns         on the namespace hosts (this is the default)
    @pytest.mark.vm         on the VMs; both marks: on both
    @pytest.mark.suites("bookworm")     only on hosts of these suites
    @pytest.mark.plain      not again with sanitizers: runs no code of ours, or what another test of the sanitized run does

    pytest --hosts ns,vm --suites bookworm,forky --build-dir DIR --stage DIR

Hosts live as long as the pytest session. Nothing is skipped: where a host cannot be started, its tests fail.
"""
import collections
import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from hosts import HOST_CLASSES, HOST_TOOLS, SOURCE, SYSTEMD_VERSION, local

# pytest keeps a fixture for the next test only when its parameter is the very same object
HOSTS = [(kind, suite) for kind in HOST_CLASSES for suite in SYSTEMD_VERSION]


def pytest_addoption(parser):
    group = parser.getgroup("berth")
    group.addoption("--hosts", default="ns,vm", help="kinds of hosts: ns, vm")
    group.addoption("--suites", default="bookworm,forky", help="suites of the hosts: bookworm, forky")
    group.addoption("--build-dir", default=os.environ.get("BERTH_BUILD_DIR", "/var/tmp/berth-build/integration"),
                    help="build directory to install from; set up when it is not there")
    group.addoption("--sanitized", action="store_true", help="what is installed was built with sanitizers: look for their reports")
    group.addoption("--share", default="1/1", metavar="K/N", help="only the K-th of N shares of the files that several suites have")
    group.addoption("--queue", default="", metavar="DIR",
                    help="of the sessions with this folder, each takes the next file that none has taken, for hosts of the same kind and suite")
    group.addoption("--campaign", action="store_true", help="the long form of tests that have one (test_load.py)")
    group.addoption("--stage", default=os.environ.get("BERTH_STAGE", ""),
                    help="an installed tree (DESTDIR) to use instead of building one")


def pytest_configure(config):
    config.addinivalue_line("markers", "ns: runs on the namespace hosts")
    config.addinivalue_line("markers", "vm: runs on the virtual machines")
    config.addinivalue_line("markers", "campaign(*names): takes long, or a machine that does nothing else; runs (on hosts of these suites) with --campaign alone")
    config.addinivalue_line("markers", "suites(*names): runs only on hosts of these suites")
    config.addinivalue_line("markers", "plain: not part of a run with sanitizers")
    if os.geteuid() != 0:
        pytest.exit("the integration tests start hosts, which takes root", returncode=2)


def pytest_sessionstart():
    # hosts that an interrupted session left behind: their names carry the process ID of its pytest
    with open(f"{tempfile.gettempdir()}/berth-test-hosts.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # sessions that begin together must not both clean up
        for cls in HOST_CLASSES.values():
            for line in local(HOST_TOOLS / cls.tool, "list").stdout.splitlines():
                name = line.split()[0]
                m = re.match(r"t(\d+)-", name)
                if m and not Path(f"/proc/{m[1]}").exists():
                    local(HOST_TOOLS / cls.tool, "stop", name)


def pytest_generate_tests(metafunc):
    if "host" not in metafunc.fixturenames:
        return
    kinds = [k for k in HOST_CLASSES if metafunc.definition.get_closest_marker(k)] or ["ns"]
    only = metafunc.definition.get_closest_marker("suites")
    suites = list(only.args) if only else list(SYSTEMD_VERSION)
    wanted_kinds = metafunc.config.getoption("--hosts").split(",")
    wanted_suites = metafunc.config.getoption("--suites").split(",")
    hosts = [h for h in HOSTS if h[0] in kinds and h[0] in wanted_kinds and h[1] in suites and h[1] in wanted_suites]
    metafunc.parametrize("host", hosts, indirect=True, ids=["-".join(h) for h in hosts], scope="session")


def by_size(items):
    """The files of the tests that every suite has, those with many tests first."""
    counts = collections.Counter(i.path.name for i in items if not i.get_closest_marker("suites"))
    return sorted(counts, key=lambda name: (-counts[name], name))


def share(items, order, k, n):
    """Each share has other files; tests of one suite alone are in all."""
    # dealt out to and fro: 1 2 2 1 1 2
    dealt = {name: (i % n if i // n % 2 == 0 else n - 1 - i % n) for i, name in enumerate(order)}
    return [i for i in items if "host" not in i.fixturenames or i.get_closest_marker("suites") or dealt[i.path.name] == k - 1]


def is_campaign(item):
    marker = item.get_closest_marker("campaign")
    return marker is not None and (not marker.args or item.callspec.params["host"][1] in marker.args)


def pytest_collection_modifyitems(config, items):
    k, n = (int(x) for x in config.getoption("--share").split("/"))
    # a test that none of the wanted hosts can run is not part of this session (pytest would call it skipped)
    items[:] = [i for i in items if "host" not in i.fixturenames or i.callspec.params["host"] in HOSTS]
    order = by_size(items)      # before tests are left out that other suites have
    if not config.getoption("--campaign"):
        items[:] = [i for i in items if not is_campaign(i)]
    if config.getoption("--sanitized"):
        items[:] = [i for i in items if not i.get_closest_marker("plain")]
    if n > 1:
        items[:] = share(items, order, k, n)


def taken(queue, who, items):
    """The tests of the files that this session takes, file by file; it takes one when the tests before it are begun."""
    order = by_size(items)
    groups = {}
    for item in items:
        name = item.path.name
        key = (order.index(name) if name in order else -1, "-".join((*item.callspec.params["host"], name)) if "host" in item.fixturenames else name)
        groups.setdefault(key, []).append(item)
    for _, name in sorted(groups):
        with contextlib.suppress(FileExistsError):
            with open(queue / name, "x", encoding="ascii") as claim:
                claim.write(f"{who}\n")
            yield from groups[_, name]


def pytest_runtestloop(session):
    queue = session.config.getoption("--queue")
    if not queue or session.testsfailed or session.config.option.collectonly:
        return None     # pytest's own
    Path(queue).mkdir(parents=True, exist_ok=True)
    tests = taken(Path(queue), session.config.option.xmlpath or os.getpid(), session.items)
    item = next(tests, None)
    while item:
        following = next(tests, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True


def install(build_dir, stage):
    """Build what is to be installed and install it below `stage`, as a package would be."""
    if not (build_dir / "build.ninja").exists():
        local("meson", "setup", "--prefix=/usr", "--sysconfdir=/etc", "-Dtests=false", build_dir, SOURCE)
    local("meson", "install", "-C", build_dir, "--quiet", "--destdir", stage, timeout=1200)


@pytest.fixture(scope="session")
def stage(request):
    """The installed tree that lies over every host's root; it does not change while hosts run."""
    given = request.config.getoption("--stage")
    if given:
        yield Path(given).resolve()
        return
    path = Path(tempfile.mkdtemp(prefix="berth-stage-", dir="/var/tmp"))
    path.chmod(0o755)
    install(Path(request.config.getoption("--build-dir")), path)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def lab():
    """The folder with the trees that containers are made of."""
    return local(HOST_TOOLS / "mkpayload", *SYSTEMD_VERSION).out


# leaks are the unit tests' matter: to look for them a process must be allowed to trace itself, and the supervisor is not
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


@pytest.fixture(scope="session")
def host(request, stage, lab):
    kind, suite = request.param
    h = HOST_CLASSES[kind](f"t{os.getpid()}-{kind}-{suite}", suite)
    if request.config.getoption("--sanitized"):
        h.environment = SANITIZERS
        conf = stage / "etc/systemd/system.conf.d/sanitizers.conf"
        text = "[Manager]\nDefaultEnvironment=" + " ".join(f"{k}={v}" for k, v in SANITIZERS.items()) + "\n"
        if not conf.exists() or conf.read_text() != text:      # nothing changes below a host that runs
            conf.parent.mkdir(parents=True, exist_ok=True)
            conf.with_suffix(f".{os.getpid()}").write_text(text)
            conf.with_suffix(f".{os.getpid()}").rename(conf)
    h.start(stage, lab)
    yield h
    # what ends up in the journal is no test's output
    reports = [line for line in h.journal().splitlines() if re.search("Sanitizer|runtime error:", line)] if h.environment else []
    h.stop()
    assert not reports, "\n".join(reports[:50])


@pytest.fixture(scope="session")
def campaign(request):
    """The long form of a test is wanted."""
    return request.config.getoption("--campaign")


@pytest.fixture
def machine(host):
    """machine(name, tree) makes a writable copy of a payload tree, by default at /var/lib/machines/NAME."""
    made = []

    def make(name, tree=None, path=None):
        path = path or f"/var/lib/machines/{name}"
        made.append((name, path))
        return host.copy_tree(tree or host.suite, path)

    yield make
    for name, path in made:
        # whatever the test left running must not hold the tree
        host.run(f"systemctl stop berth@{name}.service machine-{name}.scope 2>/dev/null; "
                 f"systemctl reset-failed berth@{name}.service machine-{name}.scope 2>/dev/null; :")
        host.remove_tree(path)


@pytest.fixture
def busybox(machine):
    return machine("busybox", "busybox")


@pytest.fixture
def debian(machine, host):
    return machine("debian", host.suite)


@pytest.fixture
def clean(host):
    """Compare the host before and after the test. Ask for it after `machine` and its kin: they clean up later."""
    # the manager and its spawner come on demand; their descriptors count from here on
    host.run("systemctl start berth-spawner.service; berth list >/dev/null 2>&1 || :")
    before = host.snapshot()
    yield
    left = host.leaks(before, ignore="^fd 'systemd")
    if left:    # a test that failed in the middle is one failure, not one for each that follows
        host.run("for name in $(berth list --no-legend 2>/dev/null | cut -d' ' -f1); do berth terminate $name; done; :", check=False)
    host.nothing_left(left)
