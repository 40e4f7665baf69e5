#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2015,SC2013 # "test && ok || fail": ok never fails
# What a user meets first: help, exit statuses, error texts, manual pages of `berth`.
# Arguments: the program, the source tree.
set -u
berth=$1
tree=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
# no bus and no colours, whatever machine this is
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent LC_ALL=C.UTF-8
unset NO_COLOR BERTH_LOG_LEVEL

ok() {
        passed=$((passed + 1))
}

fail() {
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$*"
}

# expect STATUS TEXT ARGS…: the exit status, nothing on stdout, and TEXT is all of stderr
expect() {
        local status=$1 text=$2 got
        shift 2
        "$berth" "$@" >"$work/out" 2>"$work/err" </dev/null
        got=$?
        if [ "$got" != "$status" ]; then
                fail "berth $*: exit status $got, not $status"
        elif [ -s "$work/out" ]; then
                fail "berth $*: something on stdout"
        elif [ "$(cat "$work/err")" != "$text" ]; then
                fail "berth $*: said"$'\n'"$(cat "$work/err")"$'\n'"and not"$'\n'"$text"
        else
                ok
        fi
}

# expect_help ARGS…: help on stdout, nothing on stderr, at most 80 columns; -h gives the same
expect_help() {
        "$berth" "$@" --help >"$work/long" 2>"$work/err" || fail "berth $* --help: exit status $?"
        "$berth" "$@" -h >"$work/short" 2>>"$work/err" || fail "berth $* -h: exit status $?"
        if [ -s "$work/err" ]; then
                fail "berth $* --help: something on stderr: $(cat "$work/err")"
        elif ! cmp -s "$work/long" "$work/short"; then
                fail "berth $*: -h and --help differ"
        elif ! [ -s "$work/long" ]; then
                fail "berth $*: no help"
        elif grep -nE '^.{81,}' "$work/long" || grep -n '[[:space:]]$' "$work/long"; then
                fail "berth $* --help: lines over 80 columns, or with spaces at the end"
        else
                ok
        fi
}

# ---- help ----
expect_help
expect_help run
expect_help verify
verbs=$("$berth" complete verbs | cut -f1)
[ "$(echo "$verbs" | wc -l)" -ge 13 ] || fail "verbs: $verbs"
for verb in $verbs; do
        expect_help "$verb"
        "$berth" help "$verb" >"$work/out" 2>&1 || fail "berth help $verb"
        "$berth" help | grep -q "^  $verb" && ok || fail "berth help does not name '$verb'"
done
[ "$("$berth" --version)" = "$("$berth" run --version)" ] && ok || fail "versions differ"
ln -s "$(realpath "$berth")" "$work/systemd-nspawn"
"$work/systemd-nspawn" --help | head -1 | grep -q '^systemd-nspawn \[' && ok || fail "systemd-nspawn --help"

# what others have written does not steer the terminal
mkdir "$work/root"
printf '[Exec]\nWorkingDirectory=/a\302\2331mb\342\200\256c\n' >"$work/root.nspawn"
"$berth" verify -D "$work/root" true >"$work/out" 2>"$work/err" || fail "verify of a file beside a root: $(cat "$work/err")"
grep -q "$(printf '\302\233\|\342\200\256')" "$work/out" && fail "verify shows control characters" || ok
grep -qF 'WorkingDirectory=/a\xc2\x9b1mb\xe2\x80\xaec' "$work/out" && ok || fail "verify: $(cat "$work/out")"

# ---- error texts and exit statuses ----
expect 2 "berth: Containers have no property 'Nope'
Hint: they have Name, Id, State, Ready, Health, Leader, Supervisor, Unit, ControlGroup, RootDirectory, StatusText, Result, StartTimestamp, MemoryCurrent, MemoryPeak, MemoryMax, CPUUsageNSec, CPUQuotaPerSecUSec, TasksCurrent, TasksMax, IOReadBytes, IOWriteBytes, Addresses" \
        show -p Nope
expect 2 "berth: Unknown option '-y' in '-aly'" list -aly
expect 1 "berth: Option '--runner' is not supported yet" list --runner=x
expect 1 "berth: Option '-V' is not supported yet" list -V
expect 2 "berth: Invalid value 'tty' for '--console=': auto, interactive, read-only, passive or pipe is expected" \
        run --console=tty -D / true
expect 2 "berth: Invalid value 'tty' for '--console=': auto, interactive, read-only, passive or pipe is expected" \
        verify --console=tty -D / true
expect 2 "berth: Boot= and ProcessTwo= (--boot and --as-pid2) exclude each other" run -ba -D / true
expect 125 "berth: Option '--personality' is not supported yet" run --personality=x86 true
expect 125 "berth: Image '/nonexistent' cannot be used: No such file or directory" run -i /nonexistent true
expect 125 "berth: Image '/dev/null' is no file and no block device" run -i /dev/null true
expect 125 "berth: Image '/usr' is no file and no block device
Hint: start directories with --directory=" run -i /usr true
expect 125 "berth: Invalid image policy 'root=x': 'x' is no word of an image policy" run -i /etc/passwd --image-policy=root=x true
expect 125 "berth: ImagePolicy= is for disk images, not for directory '/usr'" run -D /usr --image-policy='*' true
expect 125 "berth: RootHash= is for disk images, not for directory '/usr'" run -D /usr --root-hash=00112233445566778899aabbccddeeff true
expect 2 "berth: Invalid value '0011' for '--root-hash=': 32 to 128 hexadecimal digits is expected" run -i /etc/passwd --root-hash=0011 true
expect 125 "berth: Directory '/nonexistent' cannot be used as a container's root: No such file or directory
Hint: check the path; it must hold a system or a program already" run -D /nonexistent true
hint="Hint: 'berth --help' lists the verbs"
expect 2 "berth: Unknown verb 'lsit' (did you mean 'list'?)"$'\n'"$hint" lsit
expect 2 "berth: Unknown verb 'frobnicate'"$'\n'"$hint" frobnicate
expect 2 "berth: Unknown option '--jsno' (did you mean '--json'?)
Hint: 'berth list --help' lists the options" list --jsno=short
expect 2 "berth: Unknown option '--frobnicate'
Hint: 'berth --help' lists the options" --frobnicate list
expect 2 "berth: Option '--now' does not go with 'kill'
Hint: 'berth kill --help' lists the options that do" kill --now web
expect 2 "berth: Option '--now' does not go with 'list'
Hint: 'berth list --help' lists the options that do" --now list
expect 2 "berth: Option '-s' does not go with 'stop'
Hint: 'berth stop --help' lists the options that do" stop -s TERM web
expect 2 "berth: Verb 'stop' needs the name of a container
Hint: 'berth stop --help' shows how it is used" stop
expect 2 "berth: Verb 'list' takes no argument 'web'
Hint: 'berth list --help' shows how it is used" list web
expect 2 "berth: Option '--signal' needs an argument: SIGNAL" kill --signal
expect 2 "berth: Invalid value 'SIGFOO' for '--signal': a signal's name or number is expected" kill -s SIGFOO web
expect 2 "berth: Invalid value 'me' for '--whom': leader, supervisor or all is expected" kill --whom=me web
expect 2 "berth: Invalid value 'often' for '--lines': a number from 0 to 1000 is expected" status -n often
expect 2 "berth: Invalid value '10ms' for '--delay': a time from 100ms to 1d is expected" top -d 10ms
expect 2 "berth: Invalid value '0' for '--iterations': a number above 0 is expected" stats -n 0
expect 2 "berth: Invalid value 'size' for '--order': name, cpu, memory, tasks or io is expected" top --order=size
expect 2 "berth: Invalid value 'x' for '--json': short, pretty or off is expected" list --json x
expect 2 "berth: Invalid value 'xml' for '--output': table, json or json-pretty is expected" list -o xml
expect 1 "berth: Verb 'pull' is not supported yet" pull web
expect 1 "berth: Verb 'pull' is not supported yet" pull http://localhost/
expect 2 "berth: What shall be run? No container was named
Hint: give the NAME of an image, a directory with -D DIRECTORY, or a disk image with --image=FILE" run
expect 2 "berth: Unknown option '--privat-network' (did you mean '--private-network'?)
Hint: 'berth run --help' lists the options" run --privat-network
expect 2 "berth: Option '--quiet' takes no argument" run --quiet=yes -D /
expect 1 "berth: Directory '/nonexistent' cannot be used as a container's root: No such file or directory
Hint: check the path; it must hold a system or a program already" verify -D /nonexistent true
[ -d /run/systemd/system ] || for verb in start enable disable; do
        expect 1 "berth: systemd is not running on this system: there are no units to start
Hint: 'berth run NAME' works without systemd" $verb web
done
for verb in list status top stats show 'stop web' 'kill web' 'terminate web' 'reboot web'; do
        # shellcheck disable=SC2086
        "$berth" $verb >"$work/out" 2>"$work/err"
        status=$?
        if [ $status = 1 ] && [ ! -s "$work/out" ] && grep -q '^berth: .*bus' "$work/err"; then
                ok
        else
                fail "berth $verb without a bus: exit status $status, $(cat "$work/err")"
        fi
done
"$berth" --help >/dev/full 2>"$work/err"
[ $? = 1 ] && grep -q 'Writing the output failed' "$work/err" && ok || fail "a full disk is not noticed"

# an ordinary user is told so, after the command line was understood; libraries of a sanitized build may be out of his reach
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups test -x "$berth"; then
        run_as_nobody() {
                setpriv --reuid=65534 --clear-groups "$berth" "$@" >"$work/out" 2>"$work/err"
        }
        run_as_nobody run -D / --read-only true
        [ $? = 125 ] && grep -q 'Only root can run a container' "$work/err" && ok || fail "nobody: $(cat "$work/err")"
        run_as_nobody run --frobnicate
        [ $? = 2 ] && ok || fail "nobody, bad option: $(cat "$work/err")"
fi

# without a library (in a mount namespace of its own) only what needs it fails; where libsystemd is linked nothing could even start
if [ "$(id -u)" = 0 ] && unshare -m true && ! ldd "$berth" | grep -q libsystemd; then
        without_library() {
                local path
                path=$(ldconfig -p | sed -n "s/.*$1 (.*x86-64.*=> //p" | head -n 1)
                shift
                # shellcheck disable=SC2016 # for the inner shell
                unshare -m sh -c 'mount --bind /dev/null "$0" && exec "$@"' "$path" "$berth" "$@" >"$work/out" 2>"$work/err"
        }
        without_library libjansson.so.4 verify --json=short -D / --read-only true
        [ $? = 1 ] && [ ! -s "$work/out" ] && [ "$(cat "$work/err")" = "berth: libjansson.so.4, which writes JSON, cannot be opened
Hint: install libjansson4, or leave --json= out" ] && ok || fail "JSON without jansson: $(cat "$work/err")"
        without_library libjansson.so.4 verify -D / --read-only true && ok || fail "verify without jansson: $(cat "$work/err")"
        without_library libsystemd.so.0 list
        [ $? = 1 ] && [ "$(cat "$work/err")" = "berth: libsystemd.so.0, which talks to systemd, cannot be opened
Hint: install libsystemd0, version 252 or newer" ] && ok || fail "list without libsystemd: $(cat "$work/err")"
        without_library libsystemd.so.0 verify -D / --read-only true && ok || fail "verify without libsystemd: $(cat "$work/err")"
fi

# ---- verify ----
mkdir "$work/web"
printf '[Exec]\nHostname=inside\nBogus=1\n[Files]\nBind=/etc\n' >"$work/web.nspawn"
"$berth" verify -D "$work/web" --memory-max=1G -E 'A=b c' -- cmd 'x y' >"$work/out" 2>"$work/err" || fail "verify: $(cat "$work/err")"
cat >"$work/expected" <<EOF
# settings file: $work/web.nspawn
[Container]
Name=web
Directory=$work/web

[Exec]
Parameters=cmd "x y"
Environment="A=b c"
Hostname=inside

[Resources]
MemoryMax=1073741824

EOF
head -n "$(wc -l <"$work/expected")" "$work/out" | diff -u "$work/expected" - && ok || fail "verify's text"
grep -qE "^\[Exec\] Hostname= +inside +$work/web.nspawn:2\$" "$work/out" && ok || fail "verify's origins: $(cat "$work/out")"
[ "$(grep -c '^berth: ' "$work/err")" = 2 ] && grep -q Bogus "$work/err" && grep -q 'Bind=' "$work/err" && ok ||
        fail "verify's warnings: $(cat "$work/err")"
"$berth" verify --json=short -D "$work/web" 2>"$work/err" | python3 -c '
import json, sys
v = json.load(sys.stdin)
rows = {s["section"] + "." + s["key"]: s["value"] for s in v["settings"]}
assert rows["Exec.Hostname"] == "inside", v
assert len(v["warnings"]) == 2, v
assert v["settings_file"].endswith("/web.nspawn"), v
assert "Hostname=inside" in v["spec"], v' && [ ! -s "$work/err" ] && ok || fail "verify --json: $(cat "$work/err")"
"$berth" verify -D / -M rootfs --read-only >"$work/out" 2>"$work/err" && grep -qx 'Directory=/' "$work/out" && ok || fail "verify -D /: $(cat "$work/err")"
# what it prints is a settings file that gives the same again
mkdir "$work/again"
grep -v -e '^#' -e '^Name=' -e '^Directory=' "$work/expected" >"$work/again.berth"
"$berth" verify --settings=trusted -D "$work/again" 2>&1 | sed -n '/^\[Exec\]$/,/^SECTION\|^SETTING/p' | grep -v SETTING >"$work/second"
sed -n '/^\[Exec\]$/,$p' "$work/expected" | diff -u - "$work/second" && ok || fail "verify's text is no settings file"

# ---- manual pages: each option is there, and nothing else ----
for option in $("$berth" complete options run) $("$berth" complete options verify); do
        pattern=${option//-/\\\\-}
        grep -qE -- "${pattern}([^a-z\\\\]|\$)" "$tree/man/berth-run.1" "$tree/man/berth.1" && ok || fail "$option is not in berth-run(1)"
done
for verb in $verbs ''; do
        [ "$verb" = run ] && continue
        for option in $("$berth" complete options "$verb"); do
                [ "$verb" = verify ] && continue
                pattern=${option//-/\\\\-}
                grep -qE -- "${pattern}([^a-z\\\\]|\$)" "$tree/man/berth.1" && ok || fail "$option is not in berth(1)"
        done
        [ -z "$verb" ] || grep -q "fB$verb\\\\fR\|^\.B $verb\$" "$tree/man/berth.1" && ok || fail "verb '$verb' is not in berth(1)"
done
known=$({ "$berth" complete options run; "$berth" complete options ''; echo --register; echo --uid; echo --private-users-chown; } | sort -u)
for option in $(sed -n '/^\.SH OPTIONS/,/^\.SH "EXIT/p' "$tree/man/berth-run.1" "$tree/man/berth.1" |
        grep -A1 -e '^\.TP' -e '^\.TQ' | sed -e 's/\\f.//g' -e 's/\\-/-/g' | grep -oE -- '--[a-z0-9-]+' | grep -vx -e -- | sort -u); do
        echo "$known" | grep -qxe "$option" && ok || fail "the manual has '$option', which is unknown"
done

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
