/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An entry of a directory in which somebody else is at work. It is pinned first, which opens nothing, and is looked at by its descriptor; only then it is
 * opened, and is what was looked at, whatever has its name by then. Opening by name what was a file a moment ago may open a device, and that can be harm:
 * a watchdog starts, a tape rewinds. */
#pragma once

/* dir_fd/name, a single component, itself: no link is followed. An O_PATH descriptor; -EXDEV: something is mounted there. */
int pin_entry(int dir_fd, const char *name);
/* Opens for reading what was pinned and is a regular file, or with O_DIRECTORY a directory. flags: O_NOATIME, O_DIRECTORY. Needs /proc for files. */
int pin_open(int pin_fd, int flags);
