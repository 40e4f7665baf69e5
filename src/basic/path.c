/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Path syntax only; nothing here touches a file system. */
#include "basic/path.h"

#include <limits.h>

#include "basic/str.h"

#define LABEL_LENGTH_MAX 63 /* RFC 1035 */

static const char *skip_slashes(const char *p) {
        while (*p == '/')
                p++;
        return p;
}

static bool is_dot(const char *component, size_t n) {
        return n == 1 && component[0] == '.';
}

static bool is_dot_dot(const char *component, size_t n) {
        return n == 2 && component[0] == '.' && component[1] == '.';
}

/* To the next component that is not "."; its length in *ret_n, 0 at the end. */
static const char *next_component(const char *p, size_t *ret_n) {
        for (;;) {
                size_t n;

                p = skip_slashes(p);
                n = strcspn(p, "/");
                if (!is_dot(p, n)) {
                        *ret_n = n;
                        return p;
                }
                p += n;
        }
}

bool path_is_valid(const char *p) {
        size_t n, component = 0;

        if (isempty(p))
                return false;
        n = strnlen(p, PATH_MAX);
        if (n >= PATH_MAX || !utf8_is_valid(p, n))
                return false;
        for (; *p; p++) {
                if (ascii_is_control(*p))
                        return false;
                component = *p == '/' ? 0 : component + 1;
                if (component > NAME_MAX)
                        return false;
        }
        return true;
}

bool path_is_normalized(const char *p) {
        if (isempty(p))
                return false;
        if (streq(p, "/"))
                return true;
        if (*p == '/')
                p++;
        for (;;) {
                size_t n = strcspn(p, "/");

                if (n == 0 || is_dot(p, n) || is_dot_dot(p, n))
                        return false;
                if (p[n] == '\0')
                        return true;
                p += n + 1;
        }
}

char *path_simplify(const char *p) {
        bool absolute = path_is_absolute(p);
        char *copy, *out;
        size_t n;

        copy = out = malloc(strlen(p) + 2);
        if (!copy)
                return NULL;
        if (absolute)
                *out++ = '/';
        for (const char *c = next_component(p, &n); n > 0; c = next_component(c + n, &n)) {
                if (out > copy && out[-1] != '/')
                        *out++ = '/';
                memcpy(out, c, n);
                out += n;
        }
        if (out == copy && *p)
                *out++ = '.';
        *out = '\0';
        return copy;
}

char *path_join(const char *a, const char *b) {
        size_t n = a ? strlen(a) : 0, n_b;
        char *joined;

        if (n == 0 || isempty(b))
                return strdup(n == 0 ? strempty(b) : a);
        while (n > 0 && a[n - 1] == '/')
                n--;
        b = skip_slashes(b);
        n_b = strlen(b);
        joined = malloc(n + n_b + 2);
        if (!joined)
                return NULL;
        memcpy(joined, a, n);
        joined[n] = '/';
        memcpy(joined + n + 1, b, n_b + 1);
        return joined;
}

const char *path_startswith(const char *p, const char *prefix) {
        if (!p || !prefix || path_is_absolute(p) != path_is_absolute(prefix))
                return NULL;
        for (;;) {
                size_t n_p, n_prefix;

                p = next_component(p, &n_p);
                prefix = next_component(prefix, &n_prefix);
                if (n_prefix == 0)
                        return p;
                if (n_p != n_prefix || memcmp(p, prefix, n_p) != 0)
                        return NULL;
                p += n_p;
                prefix += n_prefix;
        }
}

const char *path_last_component(const char *p) {
        const char *slash = strrchr(p, '/');

        return slash ? slash + 1 : p;
}

int path_extract_directory(const char *p, char **ret) {
        size_t n = strlen(p);
        char *directory;

        while (n > 0 && p[n - 1] == '/')
                n--;
        if (n == 0)
                return -EINVAL; /* "" and "/" are in no directory */
        while (n > 0 && p[n - 1] != '/')
                n--;
        if (n == 0)
                directory = strdup(".");
        else {
                while (n > 1 && p[n - 1] == '/')
                        n--;
                directory = strndup(p, n);
        }
        if (!directory)
                return -ENOMEM;
        *ret = directory;
        return 0;
}

static bool name_is_valid(const char *s, size_t label_max) {
        char previous = '.';
        size_t n = 0, label = 0;

        for (; s && s[n]; n++) {
                char c = s[n];

                if (n >= CONTAINER_NAME_MAX)
                        return false;
                /* Labels are not empty, and neither begin nor end with a dash. */
                if (c == '.' && (previous == '.' || previous == '-'))
                        return false;
                if (c == '-' && previous == '.')
                        return false;
                if (!ascii_is_alnum(c) && c != '.' && c != '-' && c != '_')
                        return false;
                label = c == '.' ? 0 : label + 1;
                if (label > label_max)
                        return false;
                previous = c;
        }
        return n > 0 && previous != '.' && previous != '-';
}

bool container_name_is_valid(const char *s) {
        return name_is_valid(s, CONTAINER_NAME_MAX);
}

bool hostname_is_valid(const char *s) {
        return name_is_valid(s, LABEL_LENGTH_MAX);
}
