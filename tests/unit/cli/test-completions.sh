#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2015 # "test && ok || fail": ok never fails
# Completions: the three shells read their file, and offer every verb and every option that the help names.
# Arguments: the program, the source tree.
set -u
berth=$1
tree=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
# no bus, so that there are no containers; nothing of the caller's shells
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent LC_ALL=C.UTF-8 HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work
mkdir "$work/bin"
ln -s "$(realpath "$berth")" "$work/bin/berth"
PATH=$work/bin:$PATH

ok() {
        passed=$((passed + 1))
}

fail() {
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$*"
}

# SHELL_words WORD…: what the shell offers for the last one, a line each
bash_words() {
        (
                # shellcheck source=/dev/null
                . "$tree/completions/berth.bash"
                COMP_WORDS=(berth "$@")
                COMP_CWORD=$#
                _berth
                printf '%s\n' "${COMPREPLY[@]}"
        )
}

# no completion system without a terminal: its functions that ours calls stand here
zsh_words() {
        # shellcheck disable=SC2016 # for zsh
        zsh -f -c '
                compadd() { [[ ${@[-2]} == -a ]] && print -l -- ${(P)@[-1]} }
                _describe() { print -l -- ${${(P)2}%%:*} }
                _files() { print -l -- * }
                file=$1; shift
                words=(berth "$@") CURRENT=$(($# + 1))
                source $file' - "$tree/completions/_berth" "$@"
}

fish_words() {
        # shellcheck disable=SC2016 # for fish
        fish --no-config -c 'source $argv[1]; complete -C "berth $argv[2..-1]"' "$tree/completions/berth.fish" "$@" | cut -f1
}

# expect SHELL WORDS… = EXPECTED: all that is offered
expect() {
        local shell=$1 words=() got
        shift
        while [ "$1" != = ]; do
                words+=("$1")
                shift
        done
        got=$("${shell}_words" "${words[@]}" | sort | xargs)
        [ "$got" = "$2" ] && ok || fail "$shell completes 'berth ${words[*]}' with '$got', not with '$2'"
}

# expect_all SHELL VERB: the options of the verb's help
expect_all() {
        local shell=$1 verb=$2 wanted
        # shellcheck disable=SC2086 # no verb is no argument
        wanted=$("$berth" $verb --help | sed -nE 's/^ +(-[a-zA-Z] )? *(--[a-z0-9-]+).*/\2/p' | sort -u)
        # shellcheck disable=SC2086
        "${shell}_words" $verb -- | grep -oE '^--[a-z0-9-]+' | sort -u >"$work/offered"
        [ "$wanted" ] && ok || fail "no options in the help of '$verb'"
        comm -23 <(echo "$wanted") "$work/offered" >"$work/missing"
        [ -s "$work/missing" ] && fail "$shell lacks options of '$verb': $(xargs <"$work/missing")" || ok
}

file_of() {
        case $1 in
        bash) echo "$tree/completions/berth.bash" ;;
        zsh) echo "$tree/completions/_berth" ;;
        fish) echo "$tree/completions/berth.fish" ;;
        esac
}

verbs=$("$berth" help | sed -nE '/^[A-Z]/!s/^  ([a-z][a-z-]+) .*/\1/p' | sort -u)
[ "$(wc -l <<<"$verbs")" -ge 13 ] && ok || fail "verbs in the help: $verbs"
for shell in bash zsh fish; do
        if ! type -P "$shell" >/dev/null; then
                echo "skipped: there is no $shell here"
                skipped=$((skipped + 1))
                continue
        fi
        "$shell" -n "$(file_of "$shell")" && ok || fail "$shell cannot read its completions"
        if [ "$shell" = bash ]; then        # the others choose among the words themselves
                expect bash sta = 'start stats status'
                expect bash run --time- = '--time-namespace --time-offset-boottime --time-offset-monotonic'
                expect bash kill --wh = --whom
        fi
        expect "$shell" '' = "$(xargs <<<"$verbs")"
        expect "$shell" help '' = "$(xargs <<<"$verbs")"
        expect "$shell" stop w = ''
        expect "$shell" set web TasksM = "$([ "$shell" = zsh ] && "$berth" complete changes | sort | xargs || echo TasksMax=)"
        for verb in $verbs; do
                [ "$verb" = help ] || expect_all "$shell" "$verb"
        done
done

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] || exit 1
[ $skipped = 0 ] || exit 77
