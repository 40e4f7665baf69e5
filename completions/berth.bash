# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for berth(1). The words come from the program itself, so this file knows none.

_berth_words() {
        berth complete "$@" 2>/dev/null | cut -f1
}

_berth() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb="" i
        COMPREPLY=()

        for ((i = 1; i < COMP_CWORD; i++)); do
                if [[ ${COMP_WORDS[i]} != -* ]]; then
                        verb=${COMP_WORDS[i]}
                        break
                fi
        done

        case $prev in
        -D | --directory | --template | --mstack | -i | --image | --root-hash-sig | --verity-data | --image-key-file | --bind | --bind-ro)
                compopt -o filenames -o nospace 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        -s | --signal)
                mapfile -t COMPREPLY < <(compgen -A signal -- "$cur")
                return
                ;;
        esac

        if [[ $cur == --*=* ]]; then
                return
        elif [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_berth_words options "$verb")" -- "$cur")
        elif [[ -z $verb ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_berth_words verbs)" -- "$cur")
        elif [[ $verb == copy-to || $verb == copy-from || $verb == bind ]] && ((COMP_CWORD > i + 1)); then
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        elif [[ $verb == import-* ]] || { [[ $verb == export-* ]] && ((COMP_CWORD > i + 1)); }; then
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        elif [[ $verb == exec || $verb == shell ]] && ((COMP_CWORD > i + 1)); then
                return
        elif [[ $verb == set ]] && ((COMP_CWORD > i + 1)); then
                compopt -o nospace 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -W "$(_berth_words changes)" -- "$cur")
        elif [[ $verb == help ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_berth_words verbs)" -- "$cur")
        else
                mapfile -t COMPREPLY < <(compgen -W "$(_berth_words arguments "$verb")" -- "$cur")
        fi
}

complete -F _berth berth
