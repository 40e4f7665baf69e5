/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions, part by part. */
#include "basic/version.h"

#include "basic/str.h"

static bool counts(char c) {
        return ascii_is_alnum(c) || IN_SET(c, '~', '-', '^', '.');
}

static const char *skip_separators(const char *s) {
        while (*s && !counts(*s))
                s++;
        return s;
}

/* Both begin with digits, or one does and the other one counts as 0. */
static int compare_numbers(const char **a, const char **b) {
        size_t n = 0, m = 0;
        for (; **a == '0'; (*a)++)
                ;
        for (; **b == '0'; (*b)++)
                ;
        for (; ascii_is_digit((*a)[n]); n++)
                ;
        for (; ascii_is_digit((*b)[m]); m++)
                ;
        int r = n != m ? (n > m ? 1 : -1) : strncmp(*a, *b, n);
        *a += n;
        *b += m;
        return r;
}

static int compare_letters(const char **a, const char **b) {
        for (; ascii_is_alpha(**a) && ascii_is_alpha(**b); (*a)++, (*b)++)
                if (**a != **b)
                        return **a > **b ? 1 : -1;
        if (ascii_is_alpha(**a) || ascii_is_alpha(**b))
                return ascii_is_alpha(**a) ? 1 : -1;
        return 0;
}

int version_compare(const char *a, const char *b) {
        for (;;) {
                int r = 0;
                a = skip_separators(a);
                b = skip_separators(b);
                if (*a == '~' || *b == '~') { /* less than nothing at all */
                        if (*a != *b)
                                return *a == '~' ? -1 : 1;
                        a++;
                        b++;
                        continue;
                }
                if (!*a || !*b)
                        return *a ? 1 : *b ? -1 : 0;
                static const char separators[] = "-^.";
                const char *lower = separators; /* the first one that either begins with */
                for (; *lower && *a != *lower && *b != *lower; lower++)
                        ;
                if (*lower) {
                        if (*a != *b)
                                return *a == *lower ? -1 : 1;
                        a++;
                        b++;
                        continue;
                }
                r = ascii_is_digit(*a) || ascii_is_digit(*b) ? compare_numbers(&a, &b)
                                                             : compare_letters(&a, &b);
                if (r != 0)
                        return r;
        }
}
