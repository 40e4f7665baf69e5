/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's pager, for what is longer than the terminal: with the editor the one program of the host that berth runs, because its user has a
 * terminal and did not say otherwise.
 *
 * What is written to stdout is kept, and shown when it is complete: at once if it fits, else by the pager. Until then stdout's descriptor stays the
 * terminal, whose width and colours are asked for, and questions and errors are seen. So this is only for what comes to an end. */
#pragma once

#include <stdio.h>

#include "basic/error.h"

typedef struct Pager {
        FILE *terminal; /* what stdout was; NULL: nothing is kept */
        char *text;
        size_t size;
} Pager;

/* Nothing is kept where stdout is no terminal, or a dumb one, or $SYSTEMD_PAGER, or else $PAGER, is empty or "cat". */
void pager_begin(Pager *p);
/* Shows it. What cannot be run as a pager is passed over. */
int pager_end(Pager *p, Error *reterr);

/* Rows that a text takes on a terminal of so many columns: long lines wrap, sequences of colours take no room. */
size_t pager_count_rows(const char *text, size_t columns);
