/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers, sizes, times, signals, ids from text. */
#include "basic/parse.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include "basic/str.h"

#define NSEC_PER_SEC ((uint64_t) 1000000000)
#define CPU_MAX 8191 /* the kernel's largest NR_CPUS is 8192 */

/* Reads the digits at *p, at least one. -EINVAL, -ERANGE; *p is then unchanged. */
static int digits_read(const char **p, uint64_t *ret) {
        const char *s = *p;
        uint64_t v = 0;

        if (!ascii_is_digit(*s))
                return -EINVAL;
        for (; ascii_is_digit(*s); s++)
                if (__builtin_mul_overflow(v, (uint64_t) 10, &v) ||
                    __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -ERANGE;
        *p = s;
        *ret = v;
        return 0;
}

/* The fraction 0.DIGITS (n of them) of unit, rounded down. unit is at most UINT64_MAX / 10. */
static uint64_t fraction_of(const char *digits, size_t n, uint64_t unit) {
        uint64_t v = 0;

        while (n > 0)
                v = ((uint64_t) (digits[--n] - '0') * unit + v) / 10;
        return v;
}

int parse_boolean(const char *s) {
        static const char words[][2][6] = {
                { "1", "0" },        { "yes", "no" }, { "y", "n" },
                { "true", "false" }, { "t", "f" },    { "on", "off" },
        };

        for (size_t i = 0; s && i < ELEMENTSOF(words); i++)
                for (int no = 0; no < 2; no++)
                        if (strcasecmp(s, words[i][no]) == 0)
                                return !no;
        return -EINVAL;
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v;
        int r;

        if (!s)
                return -EINVAL;
        /* Syntax first: "99999999999999999999x" is no number at all. */
        if (*s == '\0' || s[strspn(s, "0123456789")] != '\0')
                return -EINVAL;
        r = digits_read(&s, &v);
        if (r < 0)
                return r;
        *ret = v;
        return 0;
}

int parse_u32(const char *s, uint32_t *ret) {
        uint64_t v;
        int r;

        r = parse_u64(s, &v);
        if (r < 0)
                return r;
        if (v > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) v;
        return 0;
}

/* Skips a sign; is it a minus? */
static bool sign_take(const char **s) {
        const bool negative = **s == '-';
        *s += negative || **s == '+';
        return negative;
}

int parse_i64(const char *s, int64_t *ret) {
        bool negative;
        uint64_t v;
        int r;

        if (!s)
                return -EINVAL;
        negative = sign_take(&s);
        r = parse_u64(s, &v);
        if (r < 0)
                return r;
        if (v > (uint64_t) INT64_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int64_t) -v : (int64_t) v;
        return 0;
}

int parse_i32(const char *s, int32_t *ret) {
        int64_t v;
        int r;

        r = parse_i64(s, &v);
        if (r < 0)
                return r;
        if (v < INT32_MIN || v > INT32_MAX)
                return -ERANGE;
        *ret = (int32_t) v;
        return 0;
}

int parse_uid(const char *s, uid_t *ret) {
        uint32_t v;
        int r;

        r = parse_u32(s, &v);
        if (r < 0)
                return r;
        /* "010" might be meant as octal. */
        if (s[0] == '0' && s[1] != '\0')
                return -EINVAL;
        /* -1 in 16 and in 32 bits: "no id" to the kernel */
        if (v == UINT16_MAX || v == UINT32_MAX)
                return -ENXIO;
        *ret = v;
        return 0;
}

int parse_mode(const char *s, mode_t *ret) {
        mode_t v = 0;

        if (isempty(s) || s[strspn(s, "01234567")] != '\0')
                return -EINVAL;
        for (; *s; s++) {
                v = v << 3 | (mode_t) (*s - '0');
                if (v > 07777)
                        return -ERANGE;
        }
        *ret = v;
        return 0;
}

/* The integer at *p and, behind a dot, its fraction's digits. */
static int decimal_read(const char **p, uint64_t *ret_whole, const char **ret_digits,
                        size_t *ret_n) {
        const char *s = *p, *digits = "";
        size_t n = 0;
        int r;

        r = digits_read(&s, ret_whole);
        if (r < 0)
                return r;
        if (*s == '.') {
                digits = ++s;
                n = strspn(s, "0123456789");
                if (n == 0)
                        return -EINVAL;
                s += n;
        }
        *ret_digits = digits;
        *ret_n = n;
        *p = s;
        return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes) {
        static const char suffixes[] = "BKMGTPE";
        const char *digits, *suffix;
        uint64_t v, unit;
        size_t n;
        int r;

        if (!s)
                return -EINVAL;
        r = decimal_read(&s, &v, &digits, &n);
        if (r < 0)
                return r;
        suffix = *s ? strchr(suffixes, *s) : suffixes;
        if (!suffix || (*s && s[1] != '\0'))
                return -EINVAL;
        unit = UINT64_C(1) << (10 * (suffix - suffixes));
        if (n > 0 && unit == 1)
                return -EINVAL; /* half a byte */
        if (__builtin_mul_overflow(v, unit, &v) ||
            __builtin_add_overflow(v, fraction_of(digits, n, unit), &v))
                return -ERANGE;
        *ret_bytes = v;
        return 0;
}

/* systemd.time(7) */
static const struct {
        const char *name;
        uint64_t nsec;
} span_units[] = {
        /* clang-format off */
        { "seconds", NSEC_PER_SEC },       { "second", NSEC_PER_SEC },      { "sec", NSEC_PER_SEC },     { "s", NSEC_PER_SEC },
        { "minutes", 60 * NSEC_PER_SEC },  { "minute", 60 * NSEC_PER_SEC }, { "min", 60 * NSEC_PER_SEC }, { "m", 60 * NSEC_PER_SEC },
        { "hours", 3600 * NSEC_PER_SEC },  { "hour", 3600 * NSEC_PER_SEC }, { "hr", 3600 * NSEC_PER_SEC }, { "h", 3600 * NSEC_PER_SEC },
        { "days", 86400 * NSEC_PER_SEC },  { "day", 86400 * NSEC_PER_SEC }, { "d", 86400 * NSEC_PER_SEC },
        { "weeks", 604800 * NSEC_PER_SEC }, { "week", 604800 * NSEC_PER_SEC }, { "w", 604800 * NSEC_PER_SEC },
        { "months", 2629800 * NSEC_PER_SEC }, { "month", 2629800 * NSEC_PER_SEC }, { "M", 2629800 * NSEC_PER_SEC },
        { "years", 31557600 * NSEC_PER_SEC }, { "year", 31557600 * NSEC_PER_SEC }, { "y", 31557600 * NSEC_PER_SEC },
        { "msec", 1000000 }, { "ms", 1000000 },
        { "usec", 1000 },    { "us", 1000 },    { "µs", 1000 }, { "μs", 1000 },
        { "nsec", 1 },       { "ns", 1 },
        /* clang-format on */
};

/* The unit at *p in nanoseconds; seconds if there is none. -EINVAL for a word that is no unit. */
static int unit_read(const char **p, uint64_t *ret_nsec) {
        size_t n = strcspn(*p, "0123456789" WHITESPACE);

        if (n == 0) {
                *ret_nsec = NSEC_PER_SEC;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(span_units); i++)
                if (strlen(span_units[i].name) == n && strncmp(*p, span_units[i].name, n) == 0) {
                        *ret_nsec = span_units[i].nsec;
                        *p += n;
                        return 0;
                }
        return -EINVAL;
}

/* A sum of "NUMBER UNIT" in ticks of tick_nsec each. */
static int span_parse(const char *s, uint64_t tick_nsec, uint64_t *ret) {
        uint64_t sum = 0;

        s += strspn(s, WHITESPACE);
        if (*s == '\0')
                return -EINVAL;
        while (*s) {
                uint64_t v, unit;
                const char *digits;
                size_t n;
                int r;

                r = decimal_read(&s, &v, &digits, &n);
                if (r < 0)
                        return r;
                s += strspn(s, WHITESPACE);
                r = unit_read(&s, &unit);
                if (r < 0)
                        return r;
                unit /= tick_nsec;
                if (unit == 0)
                        return -EINVAL; /* finer than the result can say */
                if (__builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(sum, v, &sum) ||
                    __builtin_add_overflow(sum, fraction_of(digits, n, unit), &sum))
                        return -ERANGE;
                s += strspn(s, WHITESPACE);
        }
        *ret = sum;
        return 0;
}

int parse_usec(const char *s, usec_t *ret) {
        usec_t v;
        int r;

        if (!s)
                return -EINVAL;
        if (streq(s, "infinity")) {
                *ret = USEC_INFINITY;
                return 0;
        }
        r = span_parse(s, NSEC_PER_USEC, &v);
        if (r < 0)
                return r;
        if (v == USEC_INFINITY)
                return -ERANGE;
        *ret = v;
        return 0;
}

int parse_nsec_offset(const char *s, int64_t *ret_nsec) {
        bool negative;
        uint64_t v;
        int r;

        if (!s)
                return -EINVAL;
        negative = sign_take(&s);
        r = span_parse(s, 1, &v);
        if (r < 0)
                return r;
        if (v > INT64_MAX)
                return -ERANGE;
        *ret_nsec = negative ? -(int64_t) v : (int64_t) v;
        return 0;
}

int parse_permyriad(const char *s, unsigned *ret) {
        const char *digits;
        uint64_t v;
        size_t n;
        int r;

        if (!s)
                return -EINVAL;
        r = decimal_read(&s, &v, &digits, &n);
        if (r < 0)
                return r;
        if (n > 2 || !streq(s, "%"))
                return -EINVAL;
        if (v > UINT_MAX / 100 - 1)
                return -ERANGE;
        *ret = (unsigned) (v * 100 + fraction_of(digits, n, 100));
        return 0;
}

static const char *const signal_names[] = {
        /* clang-format off */
        [SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",   [SIGTRAP] = "TRAP",     [SIGABRT] = "ABRT",
        [SIGBUS] = "BUS",   [SIGFPE] = "FPE",       [SIGKILL] = "KILL", [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV",     [SIGUSR2] = "USR2",
        [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",     [SIGSTOP] = "STOP",
        [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",     [SIGTTOU] = "TTOU", [SIGURG] = "URG",   [SIGXCPU] = "XCPU",     [SIGXFSZ] = "XFSZ",
        [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGIO] = "IO",   [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
#ifdef SIGSTKFLT
        [SIGSTKFLT] = "STKFLT",
#endif
        /* clang-format on */
};

/* "RTMIN", "RTMIN+N", "RTMAX-N" */
static int parse_realtime_signal(const char *name) {
        const char *offset;
        uint32_t n = 0;
        char sign;

        offset = startswith(name, "RTMIN");
        sign = '+';
        if (!offset) {
                offset = startswith(name, "RTMAX");
                sign = '-';
        }
        if (!offset || (*offset && (*offset != sign || parse_u32(offset + 1, &n) < 0)))
                return -EINVAL;
        if (n > (uint32_t) (SIGRTMAX - SIGRTMIN))
                return -EINVAL;
        return sign == '+' ? SIGRTMIN + (int) n : SIGRTMAX - (int) n;
}

int parse_signal(const char *s) {
        const char *name;
        uint32_t n;

        if (isempty(s))
                return -EINVAL;
        if (parse_u32(s, &n) >= 0)
                return n > 0 && n <= (uint32_t) SIGRTMAX ? (int) n : -EINVAL;
        name = startswith(s, "SIG");
        name = name ? name : s;
        for (size_t i = 0; i < ELEMENTSOF(signal_names); i++)
                if (signal_names[i] && streq(signal_names[i], name))
                        return (int) i;
        return parse_realtime_signal(name);
}

const char *signal_to_string(int sig, char buf[static 16]) {
        if (sig > 0 && (size_t) sig < ELEMENTSOF(signal_names) && signal_names[sig])
                (void) snprintf(buf, 16, "SIG%s", signal_names[sig]);
        else if (sig == SIGRTMIN)
                (void) snprintf(buf, 16, "SIGRTMIN");
        else if (sig > SIGRTMIN && sig <= SIGRTMAX)
                (void) snprintf(buf, 16, "SIGRTMIN+%d", sig - SIGRTMIN);
        else
                (void) snprintf(buf, 16, "%d", sig);
        return buf;
}

int parse_pid(const char *s, pid_t *ret) {
        uint32_t v;
        int r;

        r = parse_u32(s, &v);
        if (r < 0)
                return r;
        if (v == 0 || v > INT_MAX)
                return -ERANGE;
        *ret = (pid_t) v;
        return 0;
}

static int cpu_read(const char **p, unsigned *ret) {
        uint64_t v;
        int r;

        r = digits_read(p, &v);
        if (r < 0)
                return r;
        if (v > CPU_MAX)
                return -ERANGE;
        *ret = (unsigned) v;
        return 0;
}

static int cpu_set_format(const uint8_t cpus[static CPU_MAX / 8 + 1], char **ret) {
        StrBuf b = { 0 };

        for (unsigned i = 0; i <= CPU_MAX; i++) {
                unsigned first = i;

                if (!(cpus[i / 8] & 1U << i % 8))
                        continue;
                while (i < CPU_MAX && cpus[(i + 1) / 8] & 1U << (i + 1) % 8)
                        i++;
                strbuf_addf(&b, "%s%u", b.size > 0 ? " " : "", first);
                if (i > first)
                        strbuf_addf(&b, "-%u", i);
        }
        return strbuf_finish(&b, ret);
}

int parse_cpu_set(const char *s, char **ret_canonical) {
        uint8_t cpus[CPU_MAX / 8 + 1] = { 0 };
        bool any = false;

        for (; s && *(s += strspn(s, WHITESPACE ",")); any = true) {
                unsigned first, last;
                int r;

                r = cpu_read(&s, &first);
                if (r < 0)
                        return r;
                last = first;
                if (*s == '-') {
                        s++;
                        r = cpu_read(&s, &last);
                        if (r < 0)
                                return r;
                }
                if (last < first || (*s && !strchr(WHITESPACE ",", *s)))
                        return -EINVAL;
                for (unsigned i = first; i <= last; i++)
                        cpus[i / 8] |= (uint8_t) (1U << i % 8);
        }
        return any ? cpu_set_format(cpus, ret_canonical) : -EINVAL;
}
