/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of files in HTTP. */
#include "basic/http-part.h"

#include <strings.h>

#include "basic/parse.h"
#include "basic/str.h"

#define UNIT "bytes "

/* Digits up to something else, to which *p is moved. */
static int take_number(const char **p, uint64_t *ret) {
        char digits[sizeof("18446744073709551615")];
        const size_t n = strspn(*p, "0123456789");
        if (n == 0)
                return -EINVAL;
        if (n >= sizeof(digits))
                return -ERANGE;
        memcpy(digits, *p, n);
        digits[n] = '\0';
        *p += n;
        return parse_u64(digits, ret);
}

int http_part_parse(const char *value, HttpPart *ret) {
        HttpPart part = { .total = UINT64_MAX };
        uint64_t last;
        if (strncasecmp(value, UNIT, STRLEN(UNIT)) != 0)
                return -EINVAL;
        const char *p = value + STRLEN(UNIT);
        int r = take_number(&p, &part.from);
        if (r >= 0)
                r = *p++ == '-' ? take_number(&p, &last) : -EINVAL;
        if (r >= 0 && *p++ != '/')
                r = -EINVAL;
        if (r >= 0 && *p == '*')
                p++;
        else if (r >= 0) {
                r = take_number(&p, &part.total);
                if (r >= 0 && last >= part.total)
                        r = -EINVAL;
        }
        if (r < 0)
                return r;
        if (p[strspn(p, WHITESPACE)] || last < part.from || last == UINT64_MAX)
                return -EINVAL;
        part.end = last + 1;
        *ret = part;
        return 0;
}

bool http_part_continues(const HttpPart *p, uint64_t size, uint64_t total) {
        if (p->from != size || p->end <= p->from)
                return false;
        if (p->total != UINT64_MAX)
                return total == UINT64_MAX || p->total == total;
        return total != UINT64_MAX && p->end <= total;
}
