/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terminals: ptys from a given devpts instance, raw mode, window size. */
#pragma once

#include <termios.h>

#include "basic/macros.h"

/* Opens a new pty of the devpts instance whose root directory is devpts_fd: its "ptmx" (no symlink followed), unlocked;
 * the slave by TIOCGPTPEER (Linux 4.13), never by name. */
int tty_open_pty(int devpts_fd, int *ret_master, int *ret_slave,
                 char name[static 16] /* "pts/3" */);
/* The slave of a master once more, with an access mode of its own. */
int tty_open_peer(int master_fd, int flags /* O_RDWR, O_WRONLY */);
int tty_set_raw(int fd, struct termios *ret_saved);
int tty_restore(int fd, const struct termios *saved);
int tty_get_size(int fd, unsigned *ret_rows, unsigned *ret_columns);
int tty_set_size(int fd, unsigned rows, unsigned columns);
