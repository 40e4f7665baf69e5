/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth status`: all about one container, for people. */
#pragma once

#include "basic/str.h"
#include "cli/stopped.h"

typedef struct StatusStyle {
        unsigned log_lines;
        bool color;
        usec_t now_usec;  /* CLOCK_REALTIME */
        char **autostart; /* autostart_list(); borrowed */
} StatusStyle;

/* Several lines, a tree of processes, the end of the log. */
void container_format_status(const ContainerInfo *i, const StatusStyle *style, StrBuf *out);
/* The same of one that does not run. */
void stopped_format_status(const StoppedContainer *c, const StatusStyle *style, StrBuf *out);
