/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MeasureContainers, and the properties that are measured: what there is when nothing can be measured, and who may ask how often. What the
 * numbers are is seen on real hosts. */
#include "host.h"

#include "basic/alloc.h"
#include "basic/strv.h"
#include "manager/container-usage.h"

static void free_list(ContainerInfo *list, size_t n) {
        for (size_t i = 0; i < n; i++)
                container_info_done(list + i);
        free(list);
}

TEST(names) {
        ASSERT_EQ(measure_bit("MemoryCurrent"), 1U << USAGE_MEMORY_CURRENT);
        ASSERT_EQ(measure_bit("Addresses"), MEASURE_ADDRESSES);
        ASSERT_EQ(measure_bit("Name"), 0);
        ASSERT_EQ(measure_bit(""), 0);
}

TEST(all_at_once) {
        _cleanup_(host_stop) Host h;
        Supervisor s[5];
        ContainerInfo *list = NULL;
        size_t n = 0;
        Error e = ERROR_NULL;
        host_start(&h);
        ASSERT_OK(manager1_measure(h.bus, NULL, &list, &n, &e));
        ASSERT_EQ(n, 0);
        free(list);
        for (size_t i = 0; i < ELEMENTSOF(s); i++) {
                char name[16];
                (void) snprintf(name, sizeof(name), "c%zu", i);
                s[i] = supervisor_start(&h, name, "running");
                expect_state(&h, name, "running");
        }
        char *const some[] = { (char *) "TasksMax", (char *) "Addresses", NULL };
        char *const *const wanted[] = { NULL, some };
        for (size_t k = 0; k < ELEMENTSOF(wanted); k++) {
                ASSERT_OK(manager1_measure(h.bus, wanted[k], &list, &n, &e));
                ASSERT_EQ(n, ELEMENTSOF(s));
                for (size_t i = 0; i < n; i++) {
                        char name[16];
                        (void) snprintf(name, sizeof(name), "c%zu", i);
                        ASSERT_STREQ(list[i].name, name);
                        ASSERT_STREQ(list[i].state, "running");
                        ASSERT_EQ(list[i].supervisor, s[i].pid);
                        /* its group is made up, its network is ours */
                        for (UsageField f = 0; f < _USAGE_MAX; f++)
                                ASSERT_TRUE(list[i].usage[f] == USAGE_UNKNOWN);
                        ASSERT_TRUE(strv_isempty(list[i].addresses));
                }
                free_list(list, n);
        }
        for (size_t i = 0; i < ELEMENTSOF(s); i++)
                supervisor_stop(&s[i]);
}

TEST(unknown_property) {
        _cleanup_(host_stop) Host h;
        ContainerInfo *list = NULL;
        size_t n = 0;
        _cleanup_error_ Error e = ERROR_NULL;
        char *const bad[] = { (char *) "TasksMax", (char *) "Colour", NULL };
        host_start(&h);
        ASSERT_TRUE(manager1_measure(h.bus, bad, &list, &n, &e) < 0);
        ASSERT_EQ(e.id, ERROR_INVALID_SETTING);
        ASSERT_STREQ(e.message, "Property 'Colour' cannot be measured");
}

TEST(properties) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *all = NULL, *addresses = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        const char *path = BERTH_CONTAINER_PATH_PREFIX "/web";
        uint64_t value = 0;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(sd_bus_get_property_trivial(h.bus, BERTH_BUS_NAME, path,
                                              BERTH_CONTAINER_INTERFACE, "MemoryCurrent", &b, 't',
                                              &value));
        ASSERT_TRUE(value == USAGE_UNKNOWN);
        ASSERT_OK(sd_bus_get_property(h.bus, BERTH_BUS_NAME, path, BERTH_CONTAINER_INTERFACE,
                                      "Addresses", &b, &addresses, "a(iay)"));
        /* whoever asks for everything does not have files read */
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, path, "org.freedesktop.DBus.Properties",
                                     "GetAll", &b, &all, "s", BERTH_CONTAINER_INTERFACE));
        bool found = false;
        ASSERT_OK(sd_bus_message_enter_container(all, 'a', "{sv}"));
        while (sd_bus_message_enter_container(all, 'e', "sv") > 0) {
                const char *key;
                ASSERT_OK(sd_bus_message_read(all, "s", &key));
                found = found || streq(key, "Leader");
                ASSERT_EQ(measure_bit(key), 0);
                ASSERT_OK(sd_bus_message_skip(all, "v"));
                ASSERT_OK(sd_bus_message_exit_container(all));
        }
        ASSERT_TRUE(found);
}

typedef struct Answers {
        unsigned lists, refused, others;
} Answers;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Answers *a = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (!e)
                a->lists++;
        else if (streq(e->name, "org.berth.Error.LimitExceeded"))
                a->refused++;
        else
                a->others++;
        return 0;
}

/* Each call is answered, with a list or the error that says why not; one who leaves takes nothing along. */
TEST(flood) {
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        Answers a = { 0 };
        sd_bus *other = NULL;
        Error e = ERROR_NULL;
        const unsigned calls = 300;
        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        ASSERT_OK(bus_connect_system(&other, &e));
        for (unsigned i = 0; i < calls; i++)
                ASSERT_OK(sd_bus_call_method_async(i % 2 ? other : h.bus, NULL, BERTH_BUS_NAME,
                                                   BERTH_MANAGER_PATH, BERTH_MANAGER_INTERFACE,
                                                   "MeasureContainers", on_answer, &a, "as", 0));
        ASSERT_OK(sd_bus_flush(other));
        sd_bus_close_unref(other);
        for (unsigned i = 0; i < 1000 && a.lists + a.refused + a.others < calls / 2; i++) {
                ASSERT_OK(sd_bus_wait(h.bus, 10 * USEC_PER_MSEC));
                while (sd_bus_process(h.bus, NULL) > 0)
                        ;
        }
        ASSERT_EQ(a.lists + a.refused, calls / 2);
        ASSERT_EQ(a.others, 0);
        ASSERT_TRUE(a.lists > 0);
        expect_state(&h, "web", "running");
}

typedef struct Watched {
        bool told[100]; /* that it is stopping */
        size_t n_told, n_lists, n_wrong;
} Watched;

static size_t container_number(const char *name) {
        unsigned i = 0;
        ASSERT_EQ(sscanf(name, "c%u", &i), 1);
        return i;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Watched *w = userdata;
        const char *interface;
        ASSERT_OK(sd_bus_message_read(m, "s", &interface));
        if (!streq(interface, BERTH_CONTAINER_INTERFACE))
                return 0;
        bool *told = &w->told[container_number(strrchr(sd_bus_message_get_path(m), '/') + 1)];
        w->n_told += !*told;
        *told = true;
        return 0;
}

static void check_listed(sd_bus_message *m, Watched *w, bool told) {
        const char *key, *state;
        ASSERT_OK(sd_bus_message_enter_container(m, 'a', "{sv}"));
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                ASSERT_OK(sd_bus_message_read(m, "s", &key));
                if (streq(key, "State")) {
                        ASSERT_OK(sd_bus_message_read(m, "v", "s", &state));
                        w->n_wrong += streq(state, "stopping") != told;
                } else
                        ASSERT_OK(sd_bus_message_skip(m, "v"));
                ASSERT_OK(sd_bus_message_exit_container(m));
        }
        ASSERT_OK(sd_bus_message_exit_container(m));
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Watched *w = userdata;
        const char *name;
        ASSERT_FALSE(sd_bus_message_is_method_error(m, NULL));
        ASSERT_OK(sd_bus_message_enter_container(m, 'a', "(sa{sv}o)"));
        while (sd_bus_message_enter_container(m, 'r', "sa{sv}o") > 0) {
                ASSERT_OK(sd_bus_message_read(m, "s", &name));
                check_listed(m, w, w->told[container_number(name)]);
                ASSERT_OK(sd_bus_message_skip(m, "o"));
                ASSERT_OK(sd_bus_message_exit_container(m));
        }
        w->n_lists++;
        return 0;
}

/* A list is made in slices, and has exactly those changes in it that were told before. */
TEST(lists_are_of_one_moment) {
        _cleanup_(host_stop) Host h;
        Supervisor s[100];
        Watched w = { 0 };
        size_t stopped = 0, asked = 0;
        host_start(&h);
        for (size_t i = 0; i < ELEMENTSOF(s); i++) {
                char name[16];
                (void) snprintf(name, sizeof(name), "c%zu", i);
                s[i] = supervisor_start(&h, name, "running");
        }
        expect_state(&h, "c99", "running");
        ASSERT_OK(sd_bus_match_signal(h.bus, NULL, BERTH_BUS_NAME, NULL,
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                      on_changed, &w));
        while (w.n_told < ELEMENTSOF(s) || w.n_lists < asked) {
                for (; asked < w.n_lists + 5 && w.n_told < ELEMENTSOF(s); asked++)
                        ASSERT_OK(sd_bus_call_method_async(
                                h.bus, NULL, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                BERTH_MANAGER_INTERFACE, "ListContainers", on_list, &w, NULL));
                if (stopped < ELEMENTSOF(s) && stopped < w.n_lists + 5) {
                        ASSERT_OK(sd_bus_flush(h.bus));
                        ASSERT_EQ(write(s[stopped++].command_fd, "s", 1), 1);
                }
                if (sd_bus_process(h.bus, NULL) == 0)
                        ASSERT_OK(sd_bus_wait(h.bus, 30 * USEC_PER_SEC));
        }
        ASSERT_EQ(w.n_wrong, 0);
        ASSERT_TRUE(w.n_lists > 10);
        for (size_t i = 0; i < ELEMENTSOF(s); i++)
                supervisor_stop(&s[i]);
}

int main(int argc, char **argv) {
        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root\n");
                return 77;
        }
        return test_run_all(argc, argv);
}
