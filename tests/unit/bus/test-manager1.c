/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of bus/manager1.c against a manager that means harm, as one in a container may. */
#include "bus/manager1.h"

#include <stdio.h>

#include "basic/fd.h"
#include "bus/bus.h"
#include "bus/manager1-image.h"
#include "bus/names.h"
#include "fake/private-bus.h"

#define HOSTILE "\x1b]0;gone\x07\nweb"
#define SAFE "\\x1b]0;gone\\x07\\x0aweb"

#define SLOW_USEC (500 * USEC_PER_MSEC)

/* "bare": nothing is said of it; "slow": somebody types his password */
static int describe(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *name;
        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (streq(name, "slow"))
                usleep(SLOW_USEC);
        return streq(name, "bare")
                       ? sd_bus_reply_method_return(m, "a{sv}", 1, "Ready", "b", 1)
                       : sd_bus_reply_method_return(m, "a{sv}", 3, "Name", "s", HOSTILE, "State",
                                                    "s", HOSTILE, "StatusText", "s", HOSTILE);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("DescribeContainer", "s", "a{sv}", describe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

TEST(hostile_manager) {
        _cleanup_(private_bus_stop) PrivateBus daemon;
        _cleanup_(private_child_stop) pid_t manager = 0;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(container_info_done) ContainerInfo info = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        private_bus_start(&daemon);
        manager = private_service_start(BERTH_BUS_NAME, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                        vtable, NULL);
        ASSERT_OK(manager);
        ASSERT_OK(bus_connect_system(&bus, &e));
        ASSERT_OK(manager1_get(bus, "web", &info, &e));
        ASSERT_STREQ(info.name, SAFE);
        ASSERT_STREQ(info.state, SAFE);
        ASSERT_STREQ(info.status_text, SAFE);
        container_info_done(&info);
        ASSERT_TRUE(manager1_get(bus, "bare", &info, &e) < 0);
        ASSERT_CONTAINS(e.message, "description of 'bare' cannot be read");
}

static int describe_slow(sd_bus *bus, usec_t timeout_usec) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        ASSERT_OK(manager1_new_call(bus, "DescribeContainer", &m, NULL));
        ASSERT_OK(sd_bus_message_append(m, "s", "slow"));
        return manager1_call(bus, m, timeout_usec, &reply, NULL);
}

/* A limit for the work of a call is none for the question whether it may be done: the connection's holds for both. */
TEST(questions_have_their_time) {
        _cleanup_(private_bus_stop) PrivateBus daemon;
        _cleanup_(private_child_stop) pid_t manager = 0;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        private_bus_start(&daemon);
        manager = private_service_start(BERTH_BUS_NAME, BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                        vtable, NULL);
        ASSERT_OK(manager);
        ASSERT_OK(bus_connect_system(&bus, NULL));
        ASSERT_OK(sd_bus_set_method_call_timeout(bus, 30 * USEC_PER_SEC));
        ASSERT_OK(describe_slow(bus, SLOW_USEC / 10));
        ASSERT_OK(describe_slow(bus, 0));
        ASSERT_OK(sd_bus_set_method_call_timeout(bus, SLOW_USEC / 10));
        ASSERT_OK(describe_slow(bus, 30 * USEC_PER_SEC));
        ASSERT_TRUE(describe_slow(bus, 0) < 0);
}

typedef struct Heard {
        size_t n;
        char change, kind, path[64]; /* of the last one */
} Heard;

static int hear(char change, char kind, const char *path, void *userdata) {
        Heard *h = userdata;
        h->n++;
        h->change = change;
        h->kind = kind;
        (void) snprintf(h->path, sizeof(h->path), "%s", path); /* may be cut */
        return h->n == 5 && streq(path, "/stop") ? -ECANCELED : 0;
}

static int changes_file(const char *bytes, size_t n) {
        const int fd = memfd_new_sealed("test", bytes, n);
        ASSERT_OK(fd);
        return fd;
}

/* Twice as many as a message of the bus could have. */
TEST(changes_of_a_large_image) {
        enum {
                N = 1500000
        };
        _cleanup_free_ char *text = malloc(N * STRLEN("Af/usr/share/doc/0000000 ") + 1);
        Heard heard = { 0 };
        size_t size = 0;
        ASSERT_TRUE(text);
        for (unsigned i = 0; i < N; i++)
                size += (size_t) sprintf(text + size, "Af/usr/share/doc/%07u", i) + 1;
        _cleanup_close_ int fd = changes_file(text, size);
        ASSERT_OK(snapshot_changes_read(fd, hear, &heard));
        ASSERT_EQ(heard.n, (size_t) N);
        ASSERT_EQ(heard.change, 'A');
        ASSERT_EQ(heard.kind, 'f');
        ASSERT_STREQ(heard.path, "/usr/share/doc/1499999");
}

TEST(changes_that_are_none) {
#define BYTES(s) \
        { s, sizeof(s) - 1 }
        static const struct {
                const char *bytes;
                size_t size;
        } bad[] = { BYTES("Af/a"), BYTES("\0"), BYTES("A\0"), BYTES("Af\0"), BYTES("Af/a\0\0") };
        Heard heard = { 0 };
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_close_ int fd = changes_file(bad[i].bytes, bad[i].size);
                ASSERT_ERROR(snapshot_changes_read(fd, hear, &heard), EBADMSG);
        }
        _cleanup_close_ int none = changes_file("", 0), open_fd = memfd_new("test"),
                            two = changes_file("Dd/\x1b\xff\0Ml/b\0", 11),
                            stop = changes_file("Af/\0Af/\0Af/stop\0Af/\0", 20);
        heard.n = 0;
        ASSERT_OK(snapshot_changes_read(none, hear, &heard));
        ASSERT_EQ(heard.n, 0U);
        ASSERT_OK(snapshot_changes_read(two, hear, &heard));
        ASSERT_EQ(heard.n, 2U);
        ASSERT_STREQ(heard.path, "/b");
        ASSERT_ERROR(snapshot_changes_read(stop, hear, &heard), ECANCELED); /* the fifth */
        ASSERT_EQ(heard.n, 5U);
        /* who has sent it could still change it */
        ASSERT_OK(fd_write_full(open_fd, "Af/a", 5));
        ASSERT_ERROR(snapshot_changes_read(open_fd, hear, &heard), EBADMSG);
        ASSERT_ERROR(snapshot_changes_read(STDIN_FILENO, hear, &heard), EBADMSG);
}

TEST_MAIN
