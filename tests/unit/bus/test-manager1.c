/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of bus/manager1.c against a manager that means harm, as one in a container may. */
#include "bus/manager1.h"

#include "bus/bus.h"
#include "bus/names.h"
#include "fake/private-bus.h"

#define HOSTILE "\x1b]0;gone\x07\nweb"
#define SAFE "\\x1b]0;gone\\x07\\x0aweb"

/* "bare": nothing is said of it */
static int describe(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *name;
        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
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

TEST_MAIN
