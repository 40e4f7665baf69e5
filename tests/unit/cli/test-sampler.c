/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of cli/sampler.c: rates, order, rows. */
#include "cli/sampler.h"

#include "basic/alloc.h"
#include "basic/str.h"

#include "test.h"

typedef struct Numbers {
        const char *name;
        usec_t started;
        uint64_t cpu_nsec, memory, tasks, read, written;
} Numbers;

static void take(Sampler *s, const Numbers *list, size_t n, usec_t now) {
        ContainerInfo *infos = new0(ContainerInfo, n + 1);
        size_t left = n;

        ASSERT_TRUE(infos != NULL);
        for (size_t i = 0; i < n; i++) {
                for (UsageField f = 0; f < _USAGE_MAX; f++)
                        infos[i].usage[f] = USAGE_UNKNOWN;
                infos[i].name = strdup(list[i].name);
                infos[i].started_usec = list[i].started;
                infos[i].usage[USAGE_CPU_NSEC] = list[i].cpu_nsec;
                infos[i].usage[USAGE_MEMORY_CURRENT] = list[i].memory;
                infos[i].usage[USAGE_TASKS_CURRENT] = list[i].tasks;
                infos[i].usage[USAGE_IO_READ_BYTES] = list[i].read;
                infos[i].usage[USAGE_IO_WRITE_BYTES] = list[i].written;
        }
        ASSERT_OK(sampler_take(s, &infos, &left, now));
        ASSERT_NULL(infos);
        ASSERT_EQ(left, 0);
        ASSERT_EQ(s->n, n);
}

static char *names(const Sampler *s) {
        StrBuf b = { 0 };
        char *text;

        for (size_t i = 0; i < s->n; i++)
                strbuf_addf(&b, "%s%s", i > 0 ? " " : "", s->samples[i].info.name);
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

static void expect_order(Sampler *s, SampleOrder order, const char *expected) {
        sampler_sort(s, order);
        _cleanup_free_ char *got = names(s);
        ASSERT_STREQ(got, expected);
}

TEST(rates) {
        _cleanup_(sampler_done) Sampler s = { 0 };
        const uint64_t none = USAGE_UNKNOWN;
        const Numbers first[] = {
                { "web", 5, 1000000000, 1, 1, 1000, 0 },
                { "again", 5, 100, 1, 1, 100, 100 },
                { "back", 5, 1000, 1, 1, 1000, 1000 },
                { "gone", 5, 1, 1, 1, 1, 1 },
                { "uncounted", 5, none, none, none, none, none },
        },
                      second[] = {
                              { "uncounted", 5, none, none, none, none, none },
                              { "new", 9, 7, 1, 1, 7, 7 },
                              { "back", 5, 999, 1, 1, 999, 999 },
                              { "again", 8, 200, 1, 1, 200, 200 },
                              { "web", 5, 4000000000, 1, 1, 5000, 1 },
                      };

        take(&s, first, ELEMENTSOF(first), 10 * USEC_PER_SEC);
        for (size_t i = 0; i < s.n; i++) {
                ASSERT_TRUE(s.samples[i].cpu_permyriad == none);
                ASSERT_TRUE(s.samples[i].read_rate == none);
        }
        take(&s, second, ELEMENTSOF(second), 12 * USEC_PER_SEC);
        /* only one of them is known from before, counts, and has counted on */
        for (size_t i = 0; i < s.n - 1; i++) {
                ASSERT_TRUE(s.samples[i].cpu_permyriad == none);
                ASSERT_TRUE(s.samples[i].read_rate == none);
                ASSERT_TRUE(s.samples[i].write_rate == none);
        }
        const Sample *web = s.samples + s.n - 1;
        ASSERT_EQ(web->cpu_permyriad, 15000); /* 3 s in 2 s: one and a half processors */
        ASSERT_EQ(web->read_rate, 2000);
        ASSERT_EQ(web->write_rate, 0);

        /* no time has passed, or the clock stood still: no rates, and no division */
        take(&s, second, ELEMENTSOF(second), 12 * USEC_PER_SEC);
        ASSERT_TRUE(s.samples[s.n - 1].cpu_permyriad == none);
        /* counters of any size */
        const Numbers huge[] = { { "web", 5, UINT64_MAX - 1, 1, 1, UINT64_MAX - 1, 1 } };
        take(&s, huge, 1, 12 * USEC_PER_SEC + 1);
        ASSERT_TRUE(s.samples[0].read_rate == USAGE_UNKNOWN - 1);
        take(&s, NULL, 0, 13 * USEC_PER_SEC);
        sampler_sort(&s, ORDER_CPU);
}

TEST(order) {
        _cleanup_(sampler_done) Sampler s = { 0 };
        const uint64_t none = USAGE_UNKNOWN;
        Numbers list[] = {
                { "c10", 1, 0, 10, 3, 0, 0 },
                { "c2", 1, 0, 30, none, 0, 0 },
                { "a", 1, none, none, 1, none, 0 },
                { "b", 1, 0, 10, 0, 0, none },
        };

        expect_order(&s, ORDER_NAME, "");
        take(&s, list, ELEMENTSOF(list), USEC_PER_SEC);
        expect_order(&s, ORDER_NAME, "a b c2 c10");
        expect_order(&s, ORDER_MEMORY, "c2 b c10 a");
        expect_order(&s, ORDER_TASKS, "c10 a b c2");
        expect_order(&s, ORDER_CPU, "a b c2 c10"); /* nobody has a rate yet */
        list[0].cpu_nsec = 500;
        list[1].cpu_nsec = 1000000;
        list[0].written = 100;
        list[2].written = 300;
        list[3].read = 200;
        take(&s, list, ELEMENTSOF(list), 2 * USEC_PER_SEC);
        expect_order(&s, ORDER_CPU, "c2 b c10 a");
        expect_order(&s, ORDER_IO, "a b c10 c2");
        for (SampleOrder o = 0; o < _ORDER_MAX; o++)
                ASSERT_EQ(sample_order_from_string(sample_order_to_string(o)), o);
        ASSERT_EQ(sample_order_from_string("size"), _ORDER_INVALID);
}

TEST(rows) {
        _cleanup_(sampler_done) Sampler s = { 0 };
        Table t = { .columns = sampler_columns, .n_columns = n_sampler_columns };
        const Numbers first[] = { { "web", 1, 0, 1536, 3, 0, 0 } },
                      second[] = { { "web", 1, 123400000, 1536, 3, 1 << 20, 0 },
                                   { "db", 2, 5, USAGE_UNKNOWN, USAGE_UNKNOWN, 0, 0 } };
        _cleanup_free_ char *text = NULL, *json = NULL;

        take(&s, first, 1, USEC_PER_SEC);
        take(&s, second, 2, 2 * USEC_PER_SEC);
        sampler_add_rows(&t, &s, 1700000000000000);
        ASSERT_OK(table_format(&t, &(TableStyle){ .legend = true }, &text, NULL));
        ASSERT_STREQ(text, "NAME   CPU%    CPU  MEMORY  MAX  PEAK  TASKS  READ/S  WRITE/S\n"
                           "web   12.3%  123ms    1.5K    -     -      3      1M       0B\n"
                           "db        -      0       -    -     -      -       -        -\n");
        ASSERT_OK(table_format(&t, &(TableStyle){ .json = JSON_SHORT }, &json, NULL));
        ASSERT_CONTAINS(json,
                        "[{\"time_usec\":1700000000000000,\"name\":\"web\",\"cpu_percent\":12.34");
        ASSERT_CONTAINS(json, "\"cpu_nsec\":123400000,\"memory_bytes\":1536,"
                              "\"memory_max_bytes\":null,\"memory_peak_bytes\":null,\"tasks\":3,"
                              "\"tasks_max\":null,\"io_read_bytes_per_sec\":1048576,"
                              "\"io_write_bytes_per_sec\":0,\"io_read_bytes\":1048576,"
                              "\"io_write_bytes\":0}");
        ASSERT_CONTAINS(json, "\"name\":\"db\",\"cpu_percent\":null,");
        table_done(&t);
}

TEST_MAIN
