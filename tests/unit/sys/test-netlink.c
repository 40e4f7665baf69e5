/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/netlink.c: the loopback device of network namespaces made for it. */
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "sandbox.h"
#include "sys/caps.h"

static int loopback_works(int family) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htobe16(9) };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                                   .sin6_port = htobe16(9),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT };

        v4.sin_addr.s_addr = htobe32(INADDR_LOOPBACK);
        _cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (family == AF_INET)
                return connect(fd, (struct sockaddr *) &v4, sizeof(v4)) < 0 ? -errno : 0;
        return connect(fd, (struct sockaddr *) &v6, sizeof(v6)) < 0 ? -errno : 0;
}

static int loopback_flags(void) {
        struct ifreq request = { .ifr_name = "lo" };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -errno : request.ifr_flags;
}

static int bring_up(void *arg) {
        if (unshare(CLONE_NEWNET) < 0)
                return 1;
        if (loopback_flags() < 0 || (loopback_flags() & IFF_UP) ||
            loopback_works(AF_INET) != -ENETUNREACH)
                return 2;
        int before = count_fds();
        if (net_loopback_up() < 0)
                return 3;
        int flags = loopback_flags();
        if (!(flags & IFF_UP) || !(flags & IFF_LOOPBACK) || loopback_works(AF_INET) < 0)
                return 4;
        if (access("/proc/net/if_inet6", F_OK) >= 0 && loopback_works(AF_INET6) < 0)
                return 5;
        if (net_loopback_up() < 0) /* again: no harm */
                return 6;
        return count_fds() == before ? 0 : 7;
}

TEST(up_in_a_fresh_namespace) {
        ASSERT_EQ(in_child(bring_up, NULL), 0);
}

static int without_privileges(void *arg) {
        if (unshare(CLONE_NEWNET) < 0)
                return 1;
        if (caps_set(0, 0, 0) < 0)
                return 2;
        return net_loopback_up() == -EPERM ? 0 : 3;
}

TEST(needs_net_admin) {
        ASSERT_EQ(in_child(without_privileges, NULL), 0);
}

TEST_MAIN
