/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which unit a process is in, and which of its properties are to be taken back. */
#include "cli/own-unit.h"

#include "basic/strv.h"

#include "test.h"

TEST(description_of_a_unit) {
        _cleanup_spec_ ContainerSpec *spec = spec_new();
        _cleanup_strv_free_ char **none = NULL, **both = NULL, **own = NULL;

        ASSERT_OK(unit_assignments(spec, &none));
        ASSERT_TRUE(strv_isempty(none));
        spec->description = strdup("Web server");
        ASSERT_OK(strv_extend(&spec->resources.properties, "TasksMax=5"));
        ASSERT_OK(unit_assignments(spec, &both));
        ASSERT_EQ(strv_length(both), 2);
        ASSERT_STREQ(both[0], "TasksMax=5");
        ASSERT_STREQ(both[1], "Description=Web server");
        ASSERT_OK(strv_extend(&spec->resources.properties, "Description=Other"));
        ASSERT_OK(unit_assignments(spec, &own));
        ASSERT_EQ(strv_length(own), 2);
}

TEST(units) {
        static const struct {
                const char *path, *unit;
        } rows[] = {
                { "/machine.slice/berth@web.service", "berth@web.service" },
                { "/machine.slice/berth@web.service/supervisor", "berth@web.service" },
                { "/user.slice/user-0.slice/session-1.scope", "session-1.scope" },
                { "/user.slice/user@1000.service/app.slice/run-1.scope/a/b", "run-1.scope" },
                { "/", NULL },
                { "", NULL },
                { "/machine.slice", NULL },
                { "/.service/.scope", NULL },
                { "/a.services/b.scope1", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *unit = unit_from_cgroup_path(rows[i].path);
                ASSERT_STREQ(unit, rows[i].unit);
        }
}

static void expect_forgotten(const char *before, const char *assignments, const char *expected) {
        _cleanup_strv_free_ char **b = NULL, **a = NULL, **names = NULL;

        ASSERT_OK(strv_split(&b, before, NULL, 0));
        ASSERT_OK(strv_split(&a, assignments, NULL, 0));
        ASSERT_OK(properties_to_forget(b, a, &names));
        _cleanup_free_ char *joined = strv_join(names, " ");
        ASSERT_STREQ(joined, expected);
}

TEST(forgetting) {
        expect_forgotten("MemoryMax TasksMax", "TasksMax=5", "MemoryMax");
        expect_forgotten("MemoryMax", "MemoryMaxScale=1 MemoryMa=2", "MemoryMax");
        expect_forgotten("MemoryMax", "MemoryMax=", "");
        expect_forgotten("", "MemoryMax=1", "");
        expect_forgotten("A B", "", "A B");
}

TEST(slice_is_refused) {
        _cleanup_spec_ ContainerSpec *s = spec_new();
        Error e = ERROR_NULL;

        ASSERT_NOT_NULL(s);
        s->resources.slice = strdup("web.slice");
        ASSERT_ERROR(own_unit_apply(s, &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_CONFLICT);
        ASSERT_CONTAINS(e.message, "Slice 'web.slice' cannot be used");
        error_done(&e);
}

TEST_MAIN
