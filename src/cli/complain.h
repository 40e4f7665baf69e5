/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where an Error's journey ends in `berth`: one sentence (and a hint) on stderr or in the journal, and an exit status. */
#pragma once

#include "basic/error.h"

typedef enum ExitConvention {
        EXIT_OF_VERB, /* 2: the command line was wrong; 1: anything else */
        EXIT_OF_RUN, /* 2; 127 and 126 about the program to run; 125 for all else: the rest is the payload's own */
} ExitConvention;

/* Shows e (and empties it) and returns the exit status. */
int complain(Error *e, ExitConvention convention);
