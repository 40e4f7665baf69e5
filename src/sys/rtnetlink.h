/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Links of a network namespace, by rtnetlink(7). A socket belongs to the namespace in which it was opened, whatever its
 * process does later. One request at a time, and the kernel's answer to it: 0 or negative errno. */
#pragma once

#include "basic/macros.h"

struct mnl_socket;

/* A socket to rtnetlink in the calling thread's network namespace; owned by the caller. */
int rtnl_open(struct mnl_socket **ret);
struct mnl_socket *rtnl_close(struct mnl_socket *nl); /* NULL is fine; returns NULL */
void rtnl_closep(struct mnl_socket **nl);

/* The index (> 0) of the link of that name or altname. -ENODEV: there is none. */
int rtnl_link_index(struct mnl_socket *nl, const char *name);
/* Makes a veth pair: the near end here, the far end in the namespace of netns_fd, both down. -EEXIST: a name is taken. */
int rtnl_link_new_veth(struct mnl_socket *nl, const char *name, const char *peer, int netns_fd);
/* -ENODEV: it is gone already. */
int rtnl_link_delete(struct mnl_socket *nl, int ifindex);
int rtnl_link_up(struct mnl_socket *nl, int ifindex);
