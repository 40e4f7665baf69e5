/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of `berth list`. */
#include "cli/container-list.h"

#include "basic/str.h"
#include "basic/strv.h"

#include "test.h"

#define NOW (1700000000 * USEC_PER_SEC)

static char web[] = "web", running[] = "running", unit[] = "machine-web.scope", root[] = "/srv/web",
            db[] = "db", stopped[] = "stopped", failed[] = "failed", empty[] = "";
static char first[] = "192.0.2.2", second[] = "fd00::2", *addresses[] = { first, second, NULL };
static char *autostart[] = { db, NULL };

static ContainerInfo example(void) {
        return (ContainerInfo){
                .name = web,
                .state = running,
                .ready = true,
                .id = empty,
                .unit = unit,
                .root_directory = root,
                .leader = 4194305,
                .supervisor = 4194306,
                .started_usec = NOW - 2 * USEC_PER_HOUR - 10 * USEC_PER_MINUTE,
                .usage = { [USAGE_MEMORY_CURRENT] = 35756442, [USAGE_CPU_NSEC] = 1550000000 },
                .addresses = addresses,
        };
}

static char *format(const ContainerInfo *infos, size_t n, bool full, TableStyle style) {
        Table t = { .columns = container_columns, .n_columns = n_container_columns };
        const RowStyle row = { .full = full, .now_usec = NOW, .autostart = autostart };
        char *text = NULL;

        for (size_t i = 0; i < n; i++)
                container_add_row(&t, infos + i, &row);
        ASSERT_OK(table_format(&t, &style, &text, NULL));
        table_done(&t);
        return text;
}

TEST(people) {
        const ContainerInfo infos[] = { example(), { .name = db, .state = stopped } };
        _cleanup_free_ char *text = format(infos, 2, false, (TableStyle){ .legend = true });

        ASSERT_STREQ(
                text,
                "NAME  STATE    READY  AUTOSTART  UNIT               ROOT      ADDRESSES     MEMORY   CPU  STARTED\n"
                "web   running  yes    no         machine-web.scope  /srv/web  192.0.2.2 +1   34.1M  1.5s  2h 10min ago\n"
                "db    stopped  -      yes        -                  -         -                  -     -  -\n");
        _cleanup_free_ char *full = format(infos, 1, true, (TableStyle){ 0 });
        ASSERT_CONTAINS(full, "  192.0.2.2 fd00::2  ");
        ASSERT_CONTAINS(full, " 2023-11-1");
        /* nothing of what it had is left over */
        ContainerInfo ended = example();
        ended.state = failed;
        ended.leader = ended.supervisor = 0;
        _cleanup_free_ char *end = format(&ended, 1, false, (TableStyle){ 0 });
        ASSERT_NULL(strstr(end, "34.1M"));
        _cleanup_free_ char *coloured = format(&ended, 1, false, (TableStyle){ .color = true });
        ASSERT_CONTAINS(coloured, COLOR_RED "failed" COLOR_OFF);
}

TEST(health) {
        ContainerInfo infos[] = { example(), example() };
        infos[0].health = (char *) "unhealthy";
        infos[1].health = (char *) "none"; /* nobody looks after it: nothing to be said */
        _cleanup_free_ char *text = format(infos, 2, false, (TableStyle){ 0 });
        ASSERT_CONTAINS(text, "web  running  yes, unhealthy  no ");
        ASSERT_CONTAINS(text, "web  running  yes             no ");
        _cleanup_free_ char *json = format(infos, 1, false, (TableStyle){ .json = JSON_SHORT });
        ASSERT_CONTAINS(json, "\"ready\":true,");
        ASSERT_CONTAINS(json, "\"health\":\"unhealthy\"}");
}

TEST(eighty_columns) {
        const ContainerInfo infos[] = { example(), { .name = db, .state = stopped } };
        _cleanup_free_ char *text =
                format(infos, 2, false, (TableStyle){ .legend = true, .width = 80 });
        size_t n = 0;

        for (const char *p = text; *p; p += n + 1) {
                n = strcspn(p, "\n");
                _cleanup_free_ char *line = strndup(p, n);
                ASSERT_TRUE(text_width(line) <= 80);
        }
        ASSERT_CONTAINS(text, "NAME  STATE ");
        ASSERT_CONTAINS(text, " MEMORY   CPU  STARTED\n");
        ASSERT_NULL(strstr(text, "UNIT"));
}

TEST(unknown_amounts) {
        ContainerInfo i = example();

        for (UsageField f = 0; f < _USAGE_MAX; f++)
                i.usage[f] = USAGE_UNKNOWN;
        i.addresses = NULL;
        i.started_usec = NOW + 1; /* a clock that was set back */
        _cleanup_free_ char *text = format(&i, 1, false, (TableStyle){ 0 });
        ASSERT_CONTAINS(text, "/srv/web  -  -  -  ");
        ASSERT_CONTAINS(text, " 2023-11-1");
        _cleanup_free_ char *json = format(&i, 1, false, (TableStyle){ .json = JSON_SHORT });
        ASSERT_CONTAINS(json, "\"addresses\":[],\"memory_bytes\":null,\"cpu_nsec\":null,");
}

TEST(programs) {
        const ContainerInfo infos[] = { example(), { .name = db, .state = stopped } };
        _cleanup_free_ char *json =
                format(infos, 2, false, (TableStyle){ .json = JSON_SHORT, .width = 10 });

        ASSERT_STREQ(json,
                     "[{\"name\":\"web\",\"state\":\"running\",\"ready\":true,\"autostart\":false,"
                     "\"unit\":\"machine-web.scope\",\"root\":\"/srv/web\","
                     "\"addresses\":[\"192.0.2.2\",\"fd00::2\"],\"memory_bytes\":35756442,"
                     "\"cpu_nsec\":1550000000,\"since_usec\":1699992200000000,\"leader\":4194305,"
                     "\"supervisor\":4194306,\"id\":null,\"health\":null},"
                     "{\"name\":\"db\",\"state\":\"stopped\",\"ready\":null,\"autostart\":true,"
                     "\"unit\":null,\"root\":null,\"addresses\":[],\"memory_bytes\":null,"
                     "\"cpu_nsec\":null,\"since_usec\":null,\"leader\":null,\"supervisor\":null,"
                     "\"id\":null,\"health\":null}]\n");
}

TEST(order_of_names) {
        static char c2[] = "c2", c10[] = "c10", upper[] = "C2";
        ContainerInfo a = { .name = c2 }, b = { .name = c10 }, c = { .name = upper };

        ASSERT_TRUE(container_info_compare(&a, &b) < 0);
        ASSERT_TRUE(container_info_compare(&b, &a) > 0);
        ASSERT_TRUE(container_info_compare(&a, &c) != 0);
        ASSERT_EQ(container_info_compare(&a, &a), 0);
}

TEST_MAIN
