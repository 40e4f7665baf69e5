/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SetProperties on a private bus: what is refused before systemd is asked, and that it is asked. */
#include "host.h"

#include "basic/strv.h"
#include "bus/unit-change.h"

/* The message of the error. Allocated; *ret_id says which. */
static char *refused(Host *h, const char *name, char *const *changes, ErrorId *ret_id) {
        _cleanup_error_ Error e = ERROR_NULL;

        if (manager1_set_properties(h->bus, name, changes, &e) >= 0)
                TEST_FAIL("'%s' was set", changes ? changes[0] : "nothing");
        *ret_id = e.id;
        return TAKE_PTR(e.message);
}

TEST(refusals) {
        static const struct {
                const char *changes[3], *message;
                ErrorId id;
        } cases[] = {
                { { NULL }, "Nothing is to be changed", ERROR_INVALID_SETTING },
                { { "TasksMax=5", "MemoryMax=lots" },
                  "Invalid value 'lots' for MemoryMax=",
                  ERROR_INVALID_SETTING },
                { { "Nope=1" }, "Unknown unit property 'Nope'", ERROR_INVALID_SETTING },
                { { "Nope" }, "Unknown unit property 'Nope'", ERROR_INVALID_SETTING },
                { { "DeviceAllow" },
                  "'DeviceAllow' cannot be taken back while a container runs",
                  ERROR_UNSUPPORTED },
                { { "" }, "'' is not KEY=VALUE", ERROR_INVALID_SETTING },
                { { "Slice=a" }, "'Slice' cannot be changed", ERROR_UNSUPPORTED },
                { { "\x1b[31m=1" }, "Unknown unit property '\\x1b[31m'", ERROR_INVALID_SETTING },
                /* there is no systemd here */
                { { "TasksMax=5", "MemoryMax=" }, "Changing limits of '", ERROR_BUS_FAILED },
        };
        _cleanup_(host_stop) Host h;
        _cleanup_(supervisor_stop) Supervisor s = { .command_fd = -EBADF };
        ErrorId id;

        host_start(&h);
        s = supervisor_start(&h, "web", "running");
        expect_state(&h, "web", "running");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *message =
                        refused(&h, "web", (char *const *) cases[i].changes, &id);
                ASSERT_CONTAINS(message, cases[i].message);
                ASSERT_STREQ(error_id_to_string(id), error_id_to_string(cases[i].id));
        }

        _cleanup_strv_free_ char **many = NULL;
        for (unsigned i = 0; i <= UNIT_CHANGES_MAX; i++)
                ASSERT_OK(strv_extend(&many, "TasksMax=5"));
        _cleanup_free_ char *limit = refused(&h, "web", many, &id),
                            *nobody = refused(&h, "nosuch", many + UNIT_CHANGES_MAX, &id);
        ASSERT_STREQ(limit, "More than 64 changes are in one call");
        ASSERT_CONTAINS(nobody, "'nosuch'");
        ASSERT_EQ(id, ERROR_NO_SUCH_CONTAINER);
        expect_state(&h, "web", "running");
}

TEST_MAIN
