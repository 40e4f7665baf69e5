/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.*, cpu.*, pids.*, io.stat → numbers.
 *
 * Calls: openat, pread, close for each file; the kernel makes these in one piece. Their format: Documentation/admin-guide/cgroup-v2.rst. */
#include "sys/cgroup-usage.h"

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"

#define FILE_MAX (64U << 10) /* io.stat has a line a device */

typedef struct UsageRow {
        const char *name;
        const char *file;
        /* Adds one line to *value, which begins as USAGE_UNKNOWN. */
        void (*read)(const char *line, const char *key, uint64_t *value);
        const char *key;
} UsageRow;

/* "4096", "max" */
static void read_number(const char *line, const char *key, uint64_t *value) {
        uint64_t n;

        if (parse_u64(line, &n) >= 0)
                *value = n;
}

/* "usage_usec 1234" */
static void read_usec_as_nsec(const char *line, const char *key, uint64_t *value) {
        const char *p = startswith(line, key);
        uint64_t n;

        if (p && p[0] == ' ' && parse_u64(p + 1, &n) >= 0 &&
            __builtin_mul_overflow(n, 1000U, value))
                *value = USAGE_UNKNOWN;
}

/* "50000 100000": quota and period; "max 100000" */
static void read_quota(const char *line, const char *key, uint64_t *value) {
        const size_t n = strcspn(line, " ");
        char quota_text[24];
        uint64_t quota, period;

        if (n >= sizeof(quota_text) || line[n] != ' ')
                return;
        memcpy(quota_text, line, n);
        quota_text[n] = '\0';
        if (parse_u64(quota_text, &quota) >= 0 && parse_u64(line + n + 1, &period) >= 0 &&
            period > 0 && !__builtin_mul_overflow(quota, 1000000U, &quota))
                *value = quota / period;
}

/* "8:0 rbytes=90112 wbytes=0 rios=…": a device a line */
static void add_device(const char *line, const char *key, uint64_t *value) {
        const size_t n = strlen(key);

        for (const char *p = strchr(line, ' '); p; p = strchr(p, ' ')) {
                char text[24];
                uint64_t bytes;
                p++;
                if (strncmp(p, key, n) != 0 || p[n] != '=')
                        continue;
                const char *number = p + n + 1;
                const size_t length = strcspn(number, " ");
                if (length >= sizeof(text))
                        return;
                memcpy(text, number, length);
                text[length] = '\0';
                if (parse_u64(text, &bytes) < 0)
                        return;
                if (*value == USAGE_UNKNOWN)
                        *value = 0;
                if (__builtin_add_overflow(*value, bytes, value))
                        *value = USAGE_UNKNOWN - 1;
                return;
        }
}

/* Rows of one file stand together. */
static const UsageRow rows[_USAGE_MAX] = {
        [USAGE_MEMORY_CURRENT] = { "MemoryCurrent", "memory.current", read_number, NULL },
        [USAGE_MEMORY_PEAK] = { "MemoryPeak", "memory.peak", read_number, NULL },
        [USAGE_MEMORY_MAX] = { "MemoryMax", "memory.max", read_number, NULL },
        [USAGE_CPU_NSEC] = { "CPUUsageNSec", "cpu.stat", read_usec_as_nsec, "usage_usec" },
        [USAGE_CPU_QUOTA] = { "CPUQuotaPerSecUSec", "cpu.max", read_quota, NULL },
        [USAGE_TASKS_CURRENT] = { "TasksCurrent", "pids.current", read_number, NULL },
        [USAGE_TASKS_MAX] = { "TasksMax", "pids.max", read_number, NULL },
        [USAGE_IO_READ_BYTES] = { "IOReadBytes", "io.stat", add_device, "rbytes" },
        [USAGE_IO_WRITE_BYTES] = { "IOWriteBytes", "io.stat", add_device, "wbytes" },
};

const char *usage_field_to_string(UsageField f) {
        return f >= 0 && f < _USAGE_MAX ? rows[f].name : NULL;
}

UsageField usage_field_from_string(const char *s) {
        for (UsageField f = 0; f < _USAGE_MAX; f++)
                if (streq(rows[f].name, s))
                        return f;
        return _USAGE_INVALID;
}

static void read_lines(const char *text, const UsageRow *row, uint64_t *value) {
        char line[512];

        for (const char *p = text; *p;) {
                const size_t n = strcspn(p, "\n");
                if (n < sizeof(line)) { /* else it is none that we know */
                        memcpy(line, p, n);
                        line[n] = '\0';
                        row->read(line, row->key, value);
                }
                p += n + (p[n] == '\n');
        }
}

void cgroup_read_usage(int fd, uint32_t wanted, uint64_t values[static _USAGE_MAX]) {
        _cleanup_free_ char *text = NULL;
        const char *file = NULL;

        for (UsageField f = 0; f < _USAGE_MAX; f++) {
                values[f] = USAGE_UNKNOWN;
                if (fd < 0 || !(wanted & (1U << f)))
                        continue;
                if (!file || !streq(file, rows[f].file)) {
                        text = mfree(text);
                        file = rows[f].file;
                        if (file_read_regular(fd, file, FILE_MAX, &text) < 0)
                                text = mfree(text);
                }
                if (text)
                        read_lines(text, rows + f, values + f);
                /* a group that has done no input or output has an empty file, not none */
                if (text && text[0] == '\0' && rows[f].read == add_device)
                        values[f] = 0;
        }
}
