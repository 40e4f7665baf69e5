/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs. */
#include "basic/url.h"

#include <limits.h>
#include <strings.h>

#include "basic/str.h"

/* Behind "https://"; NULL: it is no such URL. */
static const char *authority(const char *url) {
        const size_t n = strncasecmp(url, "http://", 7) == 0    ? 7
                         : strncasecmp(url, "https://", 8) == 0 ? 8
                                                                : 0;
        return n > 0 ? url + n : NULL;
}

/* The host in it, or an address in brackets. */
static const char *host(const char *begin, const char *end) {
        const char *at = memrchr(begin, '@', (size_t) (end - begin));
        return at ? at + 1 : begin;
}

bool url_is_https(const char *url) {
        return strncasecmp(url, "https://", 8) == 0;
}

bool url_is_valid(const char *url) {
        const char *begin = authority(url);
        if (!begin || strlen(url) > URL_MAX)
                return false;
        for (const char *p = url; *p; p++)
                if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p))
                        return false;
        const char *end = begin + strcspn(begin, "/?#"), *h = host(begin, end);
        return h < end && *h != ':';
}

/* Where the path begins and ends. */
static void find_path(const char *url, const char **ret_begin, const char **ret_end) {
        const char *begin = authority(url);
        *ret_begin = begin + strcspn(begin, "/?#");
        *ret_end = *ret_begin + strcspn(*ret_begin, "?#");
}

int url_file(const char *url, char **ret) {
        char name[NAME_MAX + 1];
        const char *begin, *end, *slash;
        size_t n = 0;
        find_path(url, &begin, &end);
        slash = memrchr(begin, '/', (size_t) (end - begin));
        if (!slash)
                return -EINVAL;
        for (const char *p = slash + 1; p < end; p++) {
                const int high = *p == '%' && end - p > 2 ? ascii_hex_value(p[1]) : -EINVAL,
                          low = high >= 0 ? ascii_hex_value(p[2]) : -EINVAL;
                char c = *p;
                if (low >= 0) {
                        c = (char) (high << 4 | low);
                        p += 2;
                }
                if (ascii_is_control(c) || c == '/' || n >= NAME_MAX)
                        return -EINVAL;
                name[n++] = c;
        }
        name[n] = '\0';
        if (n == 0 || streq(name, ".") || streq(name, ".."))
                return -EINVAL;
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

char *url_beside(const char *url, const char *file) {
        const char *begin, *end, *slash;
        find_path(url, &begin, &end);
        slash = memrchr(begin, '/', (size_t) (end - begin));
        return slash ? strf("%.*s%s", (int) (slash + 1 - url), url, file)
                     : strf("%.*s/%s", (int) (end - url), url, file);
}

char *url_append(const char *url, const char *suffix) {
        const char *begin, *end;
        find_path(url, &begin, &end);
        return strf("%.*s%s%.*s", (int) (end - url), url, suffix, (int) strcspn(end, "#"), end);
}

char *url_for_display(const char *url) {
        const char *begin = authority(url), *end = begin + strcspn(begin, "/?#"),
                   *h = host(begin, end);
        return strf("%.*s%.*s", (int) (begin - url), url, (int) strcspn(h, "#"), h);
}
