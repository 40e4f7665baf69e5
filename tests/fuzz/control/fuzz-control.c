/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control messages, as a peer may send them. What is taken must come out the same when it is sent on. */
#include <stdlib.h>
#include <sys/socket.h>

#include "basic/fd.h"
#include "basic/strv.h"
#include "fuzz.h"
#include "ipc/control.h"

static int take(int from, int to, const void *bytes, size_t size, ControlMessage *m) {
        if (send(from, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) size)
                return -EIO;
        return control_receive(to, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        ControlMessage m = CONTROL_MESSAGE_NULL, again = CONTROL_MESSAGE_NULL;
        int pair[2];

        if (size == 0 || size > 2 * CONTROL_MESSAGE_MAX || socket_pair_seqpacket(pair) < 0)
                return 0;
        if (take(pair[0], pair[1], bytes, size, &m) == 1) {
                if (m.type != _CONTROL_TYPE_MAX) {
                        FUZZ_REQUIRE(control_send(pair[0], m.type, m.fields, NULL, 0) >= 0);
                        FUZZ_REQUIRE(control_receive(pair[1], &again) == 1);
                        FUZZ_REQUIRE(again.type == m.type && strv_equal(again.fields, m.fields));
                        control_message_done(&again);
                }
                for (ContainerState s = 0; s < _CONTAINER_STATE_MAX; s++) {
                        (void) control_check(m.type, TO_SUPERVISOR, s);
                        (void) control_check(m.type, FROM_SUPERVISOR, s);
                }
                control_message_done(&m);
        }
        fd_close_pair(pair);
        return 0;
}
