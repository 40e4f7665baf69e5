/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/rtnetlink.c: links in network namespaces made for it. */
#include "sys/rtnetlink.h"

#include <net/if.h>

#include "sandbox.h"
#include "sys/caps.h"

static int make_and_delete(void *arg) {
        _cleanup_(rtnl_closep) struct mnl_socket *nl = NULL, *far = NULL;
        int before = count_fds();

        if (unshare(CLONE_NEWNET) < 0 || rtnl_open(&far) < 0)
                return 1;
        _cleanup_close_ int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (unshare(CLONE_NEWNET) < 0 || rtnl_open(&nl) < 0 || count_fds() != before + 3)
                return 2;
        if (rtnl_link_index(nl, "ve-a") != -ENODEV || rtnl_link_index(nl, "lo") != 1)
                return 3;
        if (rtnl_link_new_veth(nl, "ve-a", "host0", netns) < 0)
                return 4;
        int index = rtnl_link_index(nl, "ve-a");
        if (index <= 1 || index != (int) if_nametoindex("ve-a"))
                return 5;
        if (rtnl_link_index(far, "host0") <= 1 || rtnl_link_index(nl, "host0") != -ENODEV)
                return 6;
        if (rtnl_link_new_veth(nl, "ve-a", "host1", netns) != -EEXIST ||
            rtnl_link_new_veth(nl, "ve-b", "host0", netns) != -EEXIST)
                return 7;
        if (rtnl_link_new_veth(nl, "ve-sixteen-chars", "host1", netns) != -ENAMETOOLONG)
                return 8;
        if (rtnl_link_up(nl, index) < 0 || rtnl_link_delete(nl, index) < 0)
                return 9;
        if (rtnl_link_delete(nl, index) != -ENODEV || rtnl_link_up(nl, index) != -ENODEV)
                return 10;
        return rtnl_link_index(far, "host0") == -ENODEV ? 0 : 11; /* the pair goes together */
}

TEST(a_pair_between_namespaces) {
        ASSERT_EQ(in_child(make_and_delete, NULL), 0);
}

static int without_privileges(void *arg) {
        _cleanup_(rtnl_closep) struct mnl_socket *nl = NULL;

        if (unshare(CLONE_NEWNET) < 0 || caps_set(0, 0, 0) < 0 || rtnl_open(&nl) < 0)
                return 1;
        if (rtnl_link_index(nl, "lo") != 1) /* looking is free */
                return 2;
        return rtnl_link_up(nl, 1) == -EPERM ? 0 : 3;
}

TEST(changes_need_net_admin) {
        ASSERT_EQ(in_child(without_privileges, NULL), 0);
}

TEST_MAIN
