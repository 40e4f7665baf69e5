/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network devices. Today: the loopback device of a fresh network namespace.
 *
 * Calls: socket, ioctl(SIOCSIFFLAGS), close. The ioctl works on any socket (netdevice(7)); an AF_UNIX one needs no protocol
 * family of the kernel. The addresses 127.0.0.1 and ::1 come by themselves when the device goes up. */
#include "sys/netlink.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "basic/fd.h"
#include "basic/macros.h"

int net_loopback_up(void) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}
