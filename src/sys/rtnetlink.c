/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door to libmnl: links are made, found, set up and deleted.
 *
 * Calls: socket(AF_NETLINK), bind, sendto, recvmsg; RTM_NEWLINK, RTM_GETLINK, RTM_DELLINK, each with NLM_F_ACK. */
#include "sys/rtnetlink.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

int rtnl_open(struct mnl_socket **ret) {
        struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

        if (!nl)
                return -errno;
        if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
                int r = -errno;
                (void) rtnl_close(nl);
                return r;
        }
        *ret = nl;
        return 0;
}

struct mnl_socket *rtnl_close(struct mnl_socket *nl) {
        if (nl)
                (void) mnl_socket_close(nl); /* nothing is written late */
        return NULL;
}

void rtnl_closep(struct mnl_socket **nl) {
        *nl = rtnl_close(*nl);
}

static int note_index(const struct nlmsghdr *message, void *ret_index) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

        if (message->nlmsg_type == RTM_NEWLINK)
                *(int *) ret_index = link->ifi_index;
        return MNL_CB_OK;
}

static int talk(struct mnl_socket *nl, struct nlmsghdr *request, int *ret_index) {
        _cleanup_free_ char *answer = malloc(32768); /* a description of a link may be long */
        static const unsigned sequence = 1;          /* there is never more than one request */
        ssize_t n;
        int r = MNL_CB_OK;

        if (!answer)
                return -ENOMEM;
        request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
        request->nlmsg_seq = sequence;
        if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
                return -errno;
        while (r > MNL_CB_STOP) {
                n = mnl_socket_recvfrom(nl, answer, 32768);
                if (n < 0)
                        return -errno;
                r = mnl_cb_run(answer, (size_t) n, sequence, mnl_socket_get_portid(nl),
                               ret_index ? note_index : NULL, ret_index);
        }
        return r < 0 ? -errno : 0;
}

static struct ifinfomsg *link_request(void *buffer, uint16_t type, uint16_t flags) {
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

        request->nlmsg_type = type;
        request->nlmsg_flags = flags;
        return mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
}

int rtnl_link_index(struct mnl_socket *nl, const char *name) {
        char buffer[512];
        int index = 0;

        if (strlen(name) >= 128) /* ALTIFNAMSIZ */
                return -ENODEV;
        (void) link_request(buffer, RTM_GETLINK, 0);
        mnl_attr_put_strz((struct nlmsghdr *) buffer,
                          strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
        int r = talk(nl, (struct nlmsghdr *) buffer, &index);
        return r < 0 ? r : index > 0 ? index : -ENODEV;
}

int rtnl_link_new_veth(struct mnl_socket *nl, const char *name, const char *peer, int netns_fd) {
        char buffer[512];
        struct nlmsghdr *request = (struct nlmsghdr *) buffer;

        if (strlen(name) >= IFNAMSIZ || strlen(peer) >= IFNAMSIZ)
                return -ENAMETOOLONG;
        (void) link_request(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        mnl_attr_put_strz(request, IFLA_IFNAME, name);
        struct nlattr *about = mnl_attr_nest_start(request, IFLA_LINKINFO);
        mnl_attr_put_str(request, IFLA_INFO_KIND, "veth");
        struct nlattr *details = mnl_attr_nest_start(request, IFLA_INFO_DATA);
        struct nlattr *far = mnl_attr_nest_start(request, VETH_INFO_PEER);
        (void) mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(request, IFLA_IFNAME, peer);
        mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t) netns_fd);
        mnl_attr_nest_end(request, far);
        mnl_attr_nest_end(request, details);
        mnl_attr_nest_end(request, about);
        return talk(nl, request, NULL);
}

int rtnl_link_delete(struct mnl_socket *nl, int ifindex) {
        char buffer[512];

        link_request(buffer, RTM_DELLINK, 0)->ifi_index = ifindex;
        return talk(nl, (struct nlmsghdr *) buffer, NULL);
}

int rtnl_link_up(struct mnl_socket *nl, int ifindex) {
        char buffer[512];
        struct ifinfomsg *link = link_request(buffer, RTM_NEWLINK, 0);

        link->ifi_index = ifindex;
        link->ifi_flags = link->ifi_change = IFF_UP;
        return talk(nl, (struct nlmsghdr *) buffer, NULL);
}
