/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two samples → rates → rows. */
#include "cli/sampler.h"

#include "basic/alloc.h"
#include "basic/format.h"
#include "basic/hashmap.h"
#include "basic/str.h"
#include "cli/container-list.h"

static const char *const sample_order_table[_ORDER_MAX] = {
        [ORDER_NAME] = "name",   [ORDER_CPU] = "cpu", [ORDER_MEMORY] = "memory",
        [ORDER_TASKS] = "tasks", [ORDER_IO] = "io",
};
DEFINE_STRING_TABLE_LOOKUP(sample_order, SampleOrder)

const char *const sampler_measured[] = {
        "MemoryCurrent", "MemoryPeak",  "MemoryMax",    "CPUUsageNSec", "TasksCurrent",
        "TasksMax",      "IOReadBytes", "IOWriteBytes", NULL,
};

void sampler_done(Sampler *s) {
        for (size_t i = 0; i < s->n; i++)
                container_info_done(&s->samples[i].info);
        free(s->samples);
        *s = (Sampler){ 0 };
}

/* (now - before) * scale / passed; counters that have gone back are another's. */
static uint64_t rate(uint64_t before, uint64_t now, uint64_t scale, usec_t passed) {
        if (before == USAGE_UNKNOWN || now == USAGE_UNKNOWN || now < before || passed == 0)
                return USAGE_UNKNOWN;
        const unsigned __int128 scaled = (unsigned __int128) (now - before) * scale / passed;
        return scaled >= USAGE_UNKNOWN ? USAGE_UNKNOWN - 1 : (uint64_t) scaled;
}

static void fill_rates(Sample *s, const Sample *before, usec_t passed) {
        const uint64_t *new = s->info.usage;

        s->cpu_permyriad = s->read_rate = s->write_rate = USAGE_UNKNOWN;
        if (!before || before->info.started_usec != s->info.started_usec)
                return;
        const uint64_t *old = before->info.usage;
        /* nanoseconds in microseconds: 1000 is one processor, which is to be 10000 */
        s->cpu_permyriad = rate(old[USAGE_CPU_NSEC], new[USAGE_CPU_NSEC], 10, passed);
        s->read_rate =
                rate(old[USAGE_IO_READ_BYTES], new[USAGE_IO_READ_BYTES], USEC_PER_SEC, passed);
        s->write_rate =
                rate(old[USAGE_IO_WRITE_BYTES], new[USAGE_IO_WRITE_BYTES], USEC_PER_SEC, passed);
}

int sampler_take(Sampler *s, ContainerInfo **infos, size_t *n, usec_t now_usec) {
        _cleanup_(hashmap_freep) Hashmap *before = hashmap_new();
        _cleanup_free_ Sample *samples = new0(Sample, *n + 1);

        if (!before || !samples)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
                if (hashmap_put(before, s->samples[i].info.name, s->samples + i) == -ENOMEM)
                        return -ENOMEM;
        const usec_t passed =
                s->taken_usec > 0 && now_usec > s->taken_usec ? now_usec - s->taken_usec : 0;
        for (size_t i = 0; i < *n; i++) {
                samples[i].info = (*infos)[i];
                fill_rates(samples + i, hashmap_get(before, samples[i].info.name), passed);
        }
        free(TAKE_PTR(*infos));
        sampler_done(s);
        s->samples = TAKE_PTR(samples);
        s->n = TAKE_GENERIC(*n, size_t, 0);
        s->taken_usec = now_usec;
        return 0;
}

/* ---- order ---- */

static uint64_t sum_of_known(uint64_t a, uint64_t b) {
        uint64_t sum;

        if (a == USAGE_UNKNOWN || b == USAGE_UNKNOWN)
                return a == USAGE_UNKNOWN ? b : a;
        return __builtin_add_overflow(a, b, &sum) ? USAGE_UNKNOWN - 1 : sum;
}

/* Unknown is 0, all else one more than it is. */
static uint64_t weight(const Sample *s, SampleOrder order) {
        const uint64_t *u = s->info.usage;

        switch (order) {
        case ORDER_CPU:
                return s->cpu_permyriad + 1;
        case ORDER_MEMORY:
                return u[USAGE_MEMORY_CURRENT] + 1;
        case ORDER_TASKS:
                return u[USAGE_TASKS_CURRENT] + 1;
        case ORDER_IO:
                return sum_of_known(s->read_rate, s->write_rate) + 1;
        default:
                return 0;
        }
}

static int compare(const Sample *a, const Sample *b, SampleOrder order) {
        const uint64_t x = weight(a, order), y = weight(b, order);

        return x != y ? (x < y ? 1 : -1) : container_info_compare(&a->info, &b->info);
}

/* One function a column, for qsort(3) hands nothing on. */
static int compare_name(const void *a, const void *b) {
        return compare(a, b, ORDER_NAME);
}
static int compare_cpu(const void *a, const void *b) {
        return compare(a, b, ORDER_CPU);
}
static int compare_memory(const void *a, const void *b) {
        return compare(a, b, ORDER_MEMORY);
}
static int compare_tasks(const void *a, const void *b) {
        return compare(a, b, ORDER_TASKS);
}
static int compare_io(const void *a, const void *b) {
        return compare(a, b, ORDER_IO);
}

void sampler_sort(Sampler *s, SampleOrder order) {
        static int (*const comparers[_ORDER_MAX])(const void *, const void *) = {
                [ORDER_NAME] = compare_name,     [ORDER_CPU] = compare_cpu,
                [ORDER_MEMORY] = compare_memory, [ORDER_TASKS] = compare_tasks,
                [ORDER_IO] = compare_io,
        };

        if (s->n > 0)
                qsort(s->samples, s->n, sizeof(Sample), comparers[order]);
}

/* ---- rows ---- */

/* clang-format off */
/*        title         key                        right  json   rank width begin */
const TableColumn sampler_columns[] = {
        { "TIME",       "time_usec",               true,  true,  0,   0,    false },
        { "NAME",       "name",                    false, false, 0,   12,   false },
        { "CPU%",       "cpu_percent",             true,  false, 0,   0,    false },
        { "CPU",        "cpu_nsec",                true,  false, 3,   0,    false },
        { "MEMORY",     "memory_bytes",            true,  false, 0,   0,    false },
        { "MAX",        "memory_max_bytes",        true,  false, 4,   0,    false },
        { "PEAK",       "memory_peak_bytes",       true,  false, 5,   0,    false },
        { "TASKS",      "tasks",                   true,  false, 0,   0,    false },
        { "TASKSMAX",   "tasks_max",               true,  true,  0,   0,    false },
        { "READ/S",     "io_read_bytes_per_sec",   true,  false, 1,   0,    false },
        { "WRITE/S",    "io_write_bytes_per_sec",  true,  false, 2,   0,    false },
        { "READ",       "io_read_bytes",           true,  true,  0,   0,    false },
        { "WRITTEN",    "io_write_bytes",          true,  true,  0,   0,    false },
};
/* clang-format on */
const size_t n_sampler_columns = ELEMENTSOF(sampler_columns);

char *format_permyriad(uint64_t permyriad) {
        return strf("%llu.%llu%%", (unsigned long long) permyriad / 100,
                    (unsigned long long) permyriad / 10 % 10);
}

static void add_count(Table *t, uint64_t n) {
        if (n == USAGE_UNKNOWN)
                table_add_string(t, NULL);
        else
                table_add_number(t, n);
}

static void add_permyriad(Table *t, uint64_t n) {
        if (n == USAGE_UNKNOWN)
                table_add_string(t, NULL);
        else
                table_cell_take_text(t, table_add_decimal(t, n, 2), format_permyriad(n));
}

void sampler_add_rows(Table *t, const Sampler *s, usec_t time_usec) {
        for (size_t i = 0; i < s->n; i++) {
                const Sample *x = s->samples + i;
                const uint64_t *u = x->info.usage;
                table_add_number(t, time_usec);
                table_add_string(t, x->info.name);
                add_permyriad(t, x->cpu_permyriad);
                table_add_cpu_time(t, u[USAGE_CPU_NSEC]);
                table_add_bytes(t, u[USAGE_MEMORY_CURRENT]);
                table_add_bytes(t, u[USAGE_MEMORY_MAX]);
                table_add_bytes(t, u[USAGE_MEMORY_PEAK]);
                add_count(t, u[USAGE_TASKS_CURRENT]);
                add_count(t, u[USAGE_TASKS_MAX]);
                table_add_bytes(t, x->read_rate);
                table_add_bytes(t, x->write_rate);
                table_add_bytes(t, u[USAGE_IO_READ_BYTES]);
                table_add_bytes(t, u[USAGE_IO_WRITE_BYTES]);
        }
}
