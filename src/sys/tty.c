/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terminals: ptys from a given devpts instance, raw mode, window size.
 *
 * Calls for a pty: openat2(devpts, "ptmx"), ioctl TIOCSPTLCK (unlock), TIOCGPTN (number), TIOCGPTPEER (slave by descriptor,
 * so that no name in somebody's /dev matters). See ioctl_tty(2). */
#include "sys/tty.h"

#include <stdio.h>
#include <sys/ioctl.h>

#include "basic/fd.h"
#include "sys/syscalls.h"

int tty_open_peer(int master_fd, int flags) {
        int fd = ioctl(master_fd, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int tty_open_pty(int devpts_fd, int *ret_master, int *ret_slave, char name[static 16]) {
        unsigned number;
        int unlock = 0;

        _cleanup_close_ int master =
                sys_openat2(devpts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        if (master < 0)
                return -errno;
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
                return -errno;
        _cleanup_close_ int slave = tty_open_peer(master, O_RDWR);
        if (slave < 0)
                return slave;
        snprintf(name, 16, "pts/%u", number);
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

int tty_set_raw(int fd, struct termios *ret_saved) {
        struct termios t, raw;

        if (tcgetattr(fd, &t) < 0)
                return -errno;
        raw = t;
        cfmakeraw(&raw);
        if (tcsetattr(fd, TCSANOW, &raw) < 0)
                return -errno;
        if (ret_saved)
                *ret_saved = t;
        return 0;
}

int tty_restore(int fd, const struct termios *saved) {
        return tcsetattr(fd, TCSANOW, saved) < 0 ? -errno : 0;
}

int tty_get_size(int fd, unsigned *ret_rows, unsigned *ret_columns) {
        struct winsize ws;

        if (ioctl(fd, TIOCGWINSZ, &ws) < 0)
                return -errno;
        *ret_rows = ws.ws_row;
        *ret_columns = ws.ws_col;
        return 0;
}

int tty_set_size(int fd, unsigned rows, unsigned columns) {
        const struct winsize ws = { .ws_row = (unsigned short) MIN(rows, (unsigned) UINT16_MAX),
                                    .ws_col =
                                            (unsigned short) MIN(columns, (unsigned) UINT16_MAX) };

        return ioctl(fd, TIOCSWINSZ, &ws) < 0 ? -errno : 0;
}
