# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for berth(1). The words come from the program itself, so this file knows none.

function __berth_verb
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end

function __berth_words
    set -l verb (__berth_verb)
    set -l current (commandline -ct)
    if string match -q -- '-*' $current
        berth complete options "$verb" 2>/dev/null
    else if test -z "$verb"; or test "$verb" = help
        berth complete verbs 2>/dev/null
    else if string match -q 'import-*' -- $verb; or begin; string match -q 'export-*' -- $verb; and not string match -q 'export-*' (commandline -opc)[-1]; end
        __fish_complete_path $current
    else if test "$verb" = set; and not string match -q set (commandline -opc)[-1]
        berth complete changes 2>/dev/null
    else
        berth complete arguments "$verb" 2>/dev/null
    end
end

complete -c berth -f -a '(__berth_words)'
