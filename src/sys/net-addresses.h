/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The addresses of a process' network namespace, without joining it: from /proc/PID/net. */
#pragma once

#include <sys/types.h>

#include "basic/macros.h"

#define NET_ADDRESSES_MAX 64U

typedef struct NetAddress {
        int family; /* AF_INET, AF_INET6 */
        uint8_t bytes[16];
        bool link_local;
} NetAddress;

static inline size_t net_address_size(const NetAddress *a) {
        return a->family == 2 /* AF_INET */ ? 4 : 16;
}

/* Up to NET_ADDRESSES_MAX addresses: those of wide scope first, without those of the loopback network. *ret may be NULL when there are
 * none. Of files that the process has made large the beginning counts. -ESRCH: no such process. -ENONET: its network is the
 * host's, and it is not process 1, for which that is the answer. */
int net_addresses_read(pid_t pid, NetAddress **ret, size_t *ret_n);
/* The same from the text of these files; proc_fd: of a directory that has them. */
int net_addresses_read_at(int proc_fd, NetAddress **ret, size_t *ret_n);
