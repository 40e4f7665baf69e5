/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a terminal shows of something that takes long: a process that reads lines "FILES BYTES" or "FILES BYTES TOTAL" of who does it. */
#pragma once

#include "basic/macros.h"
#include "sys/pidfd.h"

/* *ret_fd: a pipe for these lines, for who does it; untouched where nothing is to be shown. Without it all is as with it. */
void progress_start(bool quiet, PidRef *ret, int *ret_fd);
/* The same of a regular file that is read from its beginning to its end through this descriptor's position. -EBADF: there is none. */
void progress_start_of(bool quiet, int position_fd, PidRef *ret, int *ret_fd);
void progress_end(PidRef *p);
