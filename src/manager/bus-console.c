/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AttachContainer: one end of a socket for its supervisor, which has the console, one for the caller. No byte of it passes here. */
#include <sys/socket.h>

#include "basic/fd.h"
#include "bus/names.h"
#include "manager/access.h"
#include "manager/container.h"
#include "manager/supervisor-link.h"

#define ATTACH_HISTORY_ONLY UINT64_C(1)

static int check(const Container *c, Error *reterr) {
        if (c->foreign)
                return error_set(
                        reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED,
                        "Machine '%s' was started by another program, which has its console",
                        c->name);
        if (IN_SET(c->state, STATE_RUNNING, STATE_STOPPING) && c->link)
                return 0;
        int r = error_set(reterr, -ENOTCONN, ERROR_FAILED, "Container '%s' is %s", c->name,
                          c->link ? container_state_to_string(c->state)
                                  : "not connected to the manager");
        error_hint(reterr, "try again in a moment");
        return r;
}

int body_attach(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        _cleanup_close_pair_ int pair[2] = PAIR_EBADF;
        uint64_t flags;
        int r = sd_bus_message_read(call, "t", &flags);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL,
                                       "The arguments of the call cannot be read");
        if (flags & ~ATTACH_HISTORY_ONLY)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING, "Unknown flags 0x%llx",
                                 (unsigned long long) flags);
        Container *c = container_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        r = check(c, reterr);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED, "Making a socket failed");
        r = link_attach(c->link, pair[0], flags & ATTACH_HISTORY_ONLY);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED,
                                       "The supervisor of '%s' cannot be reached", c->name);
        r = sd_bus_reply_method_return(call, "h", pair[1]);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}
