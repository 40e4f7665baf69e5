# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs inside a host, after dbus_client.py: clients act on containers while something is done to the manager, or to its bus.
#
#   argv: HOW (a shell command) ROUNDS CONTAINERS BUS (1: it takes the bus away, and `berth run` needs that, too)
#
# Prints "answered MEDIAN MAX", "complete MEDIAN MAX" (ms after each round: the first answer; the first with all containers in it), then counts
# of what clients did, and "wrong: …" for each thing that is half done or said without a clean sentence.
import collections
import subprocess
import sys
import threading

HOW, ROUNDS, CONTAINERS, BUS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
wrong, counts = [], collections.Counter()
ending = threading.Event()
names = [f"load{i}" for i in range(CONTAINERS)]


def listed(timeout=0.5):
    """The names that a new client sees, or None."""
    try:
        bus = Bus()
    except (OSError, Gone, BusError, TimeoutError):
        return None
    try:
        return {name: properties for name, properties, _ in bus.call("ListContainers", timeout=timeout)[0]}
    except (OSError, Gone, BusError, TimeoutError):
        return None
    finally:
        bus.close()


def identity():
    return {name: (p["Leader"][1], p["Supervisor"][1], p["Unit"][1], p["Id"][1]) if isinstance(p["Leader"], tuple) else
            (p["Leader"], p["Supervisor"], p["Unit"], p["Id"]) for name, p in (listed(10) or {}).items() if name in names}


def run(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)


def act_list(turn):
    r = run("berth", "list", "--no-legend")
    counts["lists", r.returncode] += 1
    if r.returncode != 0 and not r.stderr.startswith("berth: "):
        wrong.append(f"list: {r}")


def act_exec(turn):
    r = run("berth", "exec", names[turn % CONTAINERS], "sh", "-c", "echo begun; exit 3")
    counts["execs", r.returncode] += 1
    # 125: it never ran, and says why; else it ran to its end
    if (r.returncode, r.stdout) != (3, "begun\n") and not (r.returncode == 125 and r.stderr.startswith("berth: ")):
        wrong.append(f"exec: {r}")


def act_copy(turn):
    to = f"/run/load-copy-{turn}"
    r = run("berth", "copy-from", names[turn % CONTAINERS], "/bin/busybox", to)
    counts["copies", r.returncode] += 1
    there = os.path.exists(to)      # one whose manager was killed may go on to its end, and come between
    same = run("cmp", "/lab/busybox/bin/busybox", to).returncode == 0
    # what is there is never half of it
    if there and not same or r.returncode == 0 and not same or r.returncode != 0 and not r.stderr.startswith("berth: "):
        wrong.append(f"copy: {r} {same}")
    run("rm", "-f", to)


def act_create(turn):
    name = f"short{turn}"
    bus = None
    try:
        bus = Bus()
        bus.call("CreateContainer", "sa{sv}a(sh)", name, [("Directory", ("s", "/lab/busybox")), ("ReadOnly", ("b", True)),
                                                           ("Parameters", ("as", ["sleep", "1000"]))], [], timeout=20)
        counts["creates", 0] += 1
    except (OSError, Gone, BusError, TimeoutError) as e:
        counts["creates", type(e).__name__] += 1
        if isinstance(e, TimeoutError):
            wrong.append(f"create: {e}")
    if bus:
        bus.close()
    if turn % 2:
        r = run("berth", "stop", name)
        counts["stops", r.returncode] += 1
        if r.returncode != 0 and not r.stderr.startswith("berth: "):
            wrong.append(f"stop: {r}")


def act_run(turn):
    r = run("berth", "run", "-q", "-P", "-M", f"run{turn}", "--read-only", "-D", "/lab/busybox", "--", "sh", "-c", "echo done; exit 5")
    counts["runs", r.returncode] += 1
    # does not need the manager
    if (r.returncode, r.stdout) != (5, "done\n") and not (BUS and r.returncode == 125 and r.stderr.startswith("berth: ")):
        wrong.append(f"run: {r}")


def actor(act):
    turn = 0
    while not ending.is_set():
        turn += 1
        try:
            act(turn)
        except Exception as e:      # a thread that dies silently would be a test that does nothing
            wrong.append(f"{act.__name__}: {e!r}")
            return


rng = random.Random(ROUNDS)
before = identity()
if len(before) != CONTAINERS:
    wrong.append(f"only {len(before)} containers at the beginning")
threads = [threading.Thread(target=actor, args=(act,)) for act in (act_list, act_exec, act_copy, act_create, act_run)]
for t in threads:
    t.start()
answered, complete = [], []
for i in range(ROUNDS):
    time.sleep(rng.uniform(0, 0.5))
    r = run("sh", "-c", HOW)
    if r.returncode:
        counts["rounds failed", r.stderr.strip()[:80]] += 1
    began = time.monotonic()
    first = None
    while time.monotonic() < began + 30:
        seen = listed()
        if seen is not None and first is None:
            first = time.monotonic() - began
        if seen is not None and set(names) <= set(seen):
            break
    else:
        wrong.append(f"round {i}: not all containers are back after 30 s: {sorted(set(names) - set(seen or ()))}")
        break
    answered.append(first * 1000)
    complete.append((time.monotonic() - began) * 1000)
ending.set()
for t in threads:
    t.join(120)
after = identity()
if before != after:
    wrong.append(f"changed: {before} {after}")
for what, times in (("answered", answered), ("complete", complete)):
    if times:
        print(what, round(percentile(times, 50)), round(max(times)))
for what, n in sorted(counts.items(), key=str):
    print(*what, n)
for w in wrong[:20]:
    print("wrong:", w)
