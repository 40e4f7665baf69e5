/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Microseconds, and how people write them. */
#include "basic/time.h"

#include "basic/str.h"

/* The units and their spelling are those of systemd.time(7): a month is 30.44 days, a year 365.25. */
static const struct {
        const char *name;
        usec_t usec;
} span_units[] = {
        /* clang-format off */
        { "y",     31557600 * USEC_PER_SEC },
        { "month",  2629800 * USEC_PER_SEC },
        { "w",                  7 * USEC_PER_DAY },
        { "d",                      USEC_PER_DAY },
        { "h",                      USEC_PER_HOUR },
        { "min",                    USEC_PER_MINUTE },
        { "s",                      USEC_PER_SEC },
        { "ms",                     USEC_PER_MSEC },
        { "us",                     1 },
        /* clang-format on */
};

static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

usec_t now_usec(clockid_t clock) {
        struct timespec ts;

        /* Fails for an unknown clock only. */
        if (clock_gettime(clock, &ts) < 0)
                return 0;
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / NSEC_PER_USEC;
}

usec_t usec_add(usec_t a, usec_t b) {
        usec_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

char *format_timespan(usec_t t, usec_t accuracy) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char *text;

        if (t == USEC_INFINITY)
                return strdup("infinity");
        if (accuracy > 1)
                t -= t % accuracy;
        for (size_t i = 0; i < ELEMENTSOF(span_units) && t > 0; i++) {
                usec_t n = t / span_units[i].usec;

                if (n == 0)
                        continue;
                strbuf_addf(&b, "%s%llu%s", b.size > 0 ? " " : "", (unsigned long long) n,
                            span_units[i].name);
                t -= n * span_units[i].usec;
        }
        if (b.size == 0)
                strbuf_add(&b, "0");
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

char *format_timestamp(usec_t realtime) {
        time_t seconds = (time_t) (realtime / USEC_PER_SEC);
        char zone[32] = "";
        struct tm tm;

        if (realtime == USEC_INFINITY || !localtime_r(&seconds, &tm))
                return strdup("n/a");
        /* Too long a name of a zone is left out. */
        if (strftime(zone, sizeof(zone), " %Z", &tm) == 0)
                zone[0] = '\0';
        return strf("%s %04d-%02d-%02d %02d:%02d:%02d%s", weekdays[tm.tm_wday], tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, zone);
}
