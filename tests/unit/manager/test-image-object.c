/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects of images below org.berth.Containers1. This test stands in for the workers; those of machine1 are test-machine1.c's. */
#include "host.h"

#include <sys/prctl.h>

#include "basic/fd.h"
#include "ipc/worker.h"

/* Of "web" it tells. */
static int stand_in(void) {
        static const char row[] = "web\0raw\0/var/lib/machines/web.raw\0no\0"
                                  "1\0"
                                  "2\0"
                                  "3\0"
                                  "4\0"
                                  "5\0"
                                  "6"; /* and its NUL */
        _cleanup_(worker_request_done) WorkerRequest r = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        if (worker_request_read(WORKER_REQUEST_FD, &r) < 0)
                return 1;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (r.operation.type == OPERATION_IMAGE_DESCRIBE && streq(r.name, "web")) {
                int fd = memfd_new_sealed("row", row, sizeof(row));
                return fd < 0 || worker_answer(WORKER_LINK_FD, "", 0, &fd, 1) < 0;
        }
        (void) error_set(&e, -ENOENT, ERROR_ROOT_NOT_FOUND, "There is no image '%s'", r.name);
        return worker_answer_error(WORKER_LINK_FD, &e) < 0;
}

static int get_ours(Host *h, const char *path, const char *property, sd_bus_error *e) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        return sd_bus_call_method(h->bus, BERTH_BUS_NAME, path, "org.freedesktop.DBus.Properties",
                                  property ? "Get" : "GetAll", e, &reply, property ? "ss" : "s",
                                  BERTH_IMAGE_INTERFACE, property);
}

TEST(objects) {
        static const char *const methods[] = { "Remove",       "Describe",     "Measure",
                                               "GetHostname",  "GetMachineID", "GetMachineInfo",
                                               "GetOSRelease", "ListSnapshots" };
        static const char web[] = BERTH_IMAGE_PATH_PREFIX "/web",
                          missing[] = BERTH_IMAGE_PATH_PREFIX "/no_2dsuch";
        _cleanup_(host_stop) Host h;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL, *described = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *kind = NULL;
        const char *path, *name;
        uint64_t usage;
        int read_only;
        host_start(&h);
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                     BERTH_MANAGER_INTERFACE, "GetImage", NULL, &reply, "s",
                                     "web"));
        ASSERT_OK(sd_bus_message_read(reply, "o", &path));
        ASSERT_STREQ(path, web);
        ASSERT_OK(sd_bus_get_property_string(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE,
                                             "Type", NULL, &kind));
        ASSERT_STREQ(kind, "raw");
        ASSERT_OK(sd_bus_get_property_trivial(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE,
                                              "Usage", NULL, 't', &usage));
        ASSERT_EQ(usage, 3);
        ASSERT_OK(sd_bus_get_property_trivial(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE,
                                              "ReadOnly", NULL, 'b', &read_only));
        ASSERT_FALSE(read_only);
        ASSERT_OK(get_ours(&h, web, NULL, NULL));
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE, "Describe",
                                     NULL, &described, NULL));
        ASSERT_OK(sd_bus_message_enter_container(described, 'a', "{sv}"));
        ASSERT_OK(sd_bus_message_read(described, "{sv}", &name, "s", &path));
        ASSERT_STREQ(name, "Name");
        ASSERT_STREQ(path, "web");

        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                sd_bus_error_free(&e);
                ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, missing,
                                               BERTH_IMAGE_INTERFACE, methods[i], &e, NULL,
                                               NULL) < 0);
                ASSERT_STREQ(e.name, "org.berth.Error.RootNotFound");
                ASSERT_CONTAINS(e.message, "'no-such'");
        }
        for (size_t i = 0; i < 2; i++) {
                sd_bus_error_free(&e);
                ASSERT_TRUE(get_ours(&h, missing, i == 0 ? "Path" : NULL, &e) < 0);
                ASSERT_STREQ(e.name, "org.berth.Error.RootNotFound");
        }
        /* names are the path's, arguments are checked as those of the manager's methods */
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE, "Rename",
                                       &e, NULL, "s", "a/b") < 0);
        ASSERT_STREQ(e.name, "org.berth.Error.InvalidName");
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE, "Clone",
                                       &e, NULL, "sta(sh)", "b", UINT64_C(64), 0) < 0);
        ASSERT_CONTAINS(e.message, "Unknown flags 0x40");
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_IMAGE_PATH_PREFIX "/a_2fb",
                                       BERTH_IMAGE_INTERFACE, "Remove", &e, NULL, NULL) < 0);
        ASSERT_STREQ(e.name, SD_BUS_ERROR_UNKNOWN_METHOD);
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, web, BERTH_IMAGE_INTERFACE,
                                       "CreateSnapshot", &e, NULL, "sta(sh)", "", UINT64_C(64),
                                       0) < 0);
        ASSERT_CONTAINS(e.message, "Unknown flags 0x40");
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, missing, BERTH_IMAGE_INTERFACE,
                                       "PruneSnapshots", &e, NULL, "tt", UINT64_C(3),
                                       UINT64_C(0)) < 0);
        ASSERT_CONTAINS(e.message, "'no-such'");
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, missing, BERTH_IMAGE_INTERFACE,
                                       "RollBack", &e, NULL, "sa(sh)", "a", 0) < 0);
        ASSERT_CONTAINS(e.message, "'no-such'");
        /* a container's methods are none of an image's, nor the other way round */
        sd_bus_error_free(&e);
        ASSERT_TRUE(sd_bus_call_method(h.bus, BERTH_BUS_NAME, web, BERTH_CONTAINER_INTERFACE,
                                       "Terminate", &e, NULL, NULL) < 0);
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                     "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                     NULL, NULL, NULL));
}

int main(int argc, char **argv) {
        char self[PATH_MAX] = "";
        if (argc > 0 && streq(argv[0], "berth-worker"))
                return stand_in();
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
            setenv("BERTH_WORKER", self, 1) < 0)
                return 1;
        return test_run_all(argc, argv);
}
