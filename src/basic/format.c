/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Amounts as systemd's programs write them. */
#include "basic/format.h"

#include "basic/str.h"

char *format_bytes(uint64_t n) {
        static const char suffixes[] = { 'K', 'M', 'G', 'T', 'P', 'E' };
        uint64_t factor = 1024;
        size_t i = 0;

        if (n == UINT64_MAX)
                return strdup("infinity");
        if (n < 1024)
                return strf("%lluB", (unsigned long long) n);
        while (i + 1 < ELEMENTSOF(suffixes) && n / factor >= 1024) {
                factor *= 1024;
                i++;
        }
        /* below 2^60: ten times that does not overflow */
        const unsigned tenth = (unsigned) (n % factor * 10 / factor);
        return tenth > 0 ? strf("%llu.%u%c", (unsigned long long) (n / factor), tenth, suffixes[i])
                         : strf("%llu%c", (unsigned long long) (n / factor), suffixes[i]);
}

#define USEC_PER_WEEK (7 * USEC_PER_DAY)
#define USEC_PER_MONTH (2629800 * USEC_PER_SEC) /* as in basic/time.c */
#define USEC_PER_YEAR (31557600 * USEC_PER_SEC)

/* From the longest time on: what is counted, and what the rest of it is counted in. */
static const struct {
        usec_t from, unit, rest;
        const char *one, *many, *rest_one, *rest_many; /* behind the numbers */
} ages[] = {
        /* clang-format off */
        { USEC_PER_YEAR,         USEC_PER_YEAR,   USEC_PER_MONTH,  " year",  " years",  " month", " months" },
        { USEC_PER_MONTH,        USEC_PER_MONTH,  USEC_PER_DAY,    " month", " months", " day",   " days" },
        { USEC_PER_WEEK,         USEC_PER_WEEK,   USEC_PER_DAY,    " week",  " weeks",  " day",   " days" },
        { 2 * USEC_PER_DAY,      USEC_PER_DAY,    0,               " day",   " days",   "",       "" },
        { USEC_PER_DAY,          USEC_PER_DAY,    USEC_PER_HOUR,   " day",   " days",   "h",      "h" },
        { 6 * USEC_PER_HOUR,     USEC_PER_HOUR,   0,               "h",      "h",       "",       "" },
        { USEC_PER_HOUR,         USEC_PER_HOUR,   USEC_PER_MINUTE, "h",      "h",       "min",    "min" },
        { 10 * USEC_PER_MINUTE,  USEC_PER_MINUTE, 0,               "min",    "min",     "",       "" },
        { USEC_PER_MINUTE,       USEC_PER_MINUTE, USEC_PER_SEC,    "min",    "min",     "s",      "s" },
        { USEC_PER_SEC,          USEC_PER_SEC,    0,               "s",      "s",       "",       "" },
        { USEC_PER_MSEC,         USEC_PER_MSEC,   0,               "ms",     "ms",      "",       "" },
        /* clang-format on */
};

char *format_ago(usec_t passed) {
        for (size_t i = 0; i < ELEMENTSOF(ages); i++) {
                if (passed < ages[i].from)
                        continue;
                const unsigned long long n = passed / ages[i].unit,
                                         rest = ages[i].rest > 0
                                                        ? passed % ages[i].unit / ages[i].rest
                                                        : 0;
                const char *words = n == 1 ? ages[i].one : ages[i].many;
                if (rest == 0)
                        return strf("%llu%s ago", n, words);
                return strf("%llu%s %llu%s ago", n, words, rest,
                            rest == 1 ? ages[i].rest_one : ages[i].rest_many);
        }
        return strdup("now");
}

char *format_cpu_time(uint64_t nsec) {
        const usec_t t = nsec / NSEC_PER_USEC;
        const unsigned tenth = (unsigned) (t % USEC_PER_SEC / (USEC_PER_SEC / 10));

        if (t >= USEC_PER_DAY)
                return format_timespan(t, USEC_PER_HOUR);
        if (t >= USEC_PER_HOUR)
                return format_timespan(t, USEC_PER_MINUTE);
        if (t >= USEC_PER_MINUTE)
                return format_timespan(t, USEC_PER_SEC);
        if (t >= USEC_PER_SEC && tenth > 0)
                return strf("%llu.%us", (unsigned long long) (t / USEC_PER_SEC), tenth);
        return format_timespan(t, t >= USEC_PER_SEC ? USEC_PER_SEC : USEC_PER_MSEC);
}
