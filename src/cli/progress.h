/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far something is that berthd does for us, on a terminal. */
#pragma once

#include <stdbool.h>

#include "sys/pidfd.h"

/* *ret_fd: a pipe for lines "FILES BYTES"; untouched when nothing is to be shown. Without it a copy is a copy, too. */
void progress_start(bool quiet, PidRef *ret, int *ret_fd);
void progress_end(PidRef *p);
