/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Path syntax only; nothing here touches a file system. */
#pragma once

#include "basic/macros.h"

static inline bool path_is_absolute(const char *p) {
        return p && p[0] == '/';
}
/* Non-empty, shorter than PATH_MAX, components at most NAME_MAX, no control characters or invalid UTF-8. */
bool path_is_valid(const char *p);
/* No "//", "/./", trailing slash (but "/") and no ".." component. */
bool path_is_normalized(const char *p);
/* Copy without double slashes, "." components and trailing slashes; ".." is kept. Allocated or NULL. */
char *path_simplify(const char *p);
/* "a" + "b" → "a/b", with one slash between. b may begin with one. */
char *path_join(const char *a, const char *b);
/* p below (or equal to) prefix? Returns the rest ("" if equal) without leading slash, or NULL. */
const char *path_startswith(const char *p, const char *prefix);
static inline bool path_equal(const char *a, const char *b) {
        const char *r = path_startswith(a, b);
        return r && r[0] == '\0';
}
/* Last component ("/" has none: ""), pointer into p. Trailing slashes are not stripped. */
const char *path_last_component(const char *p);
int path_extract_directory(const char *p, char **ret); /* "/a/b" → "/a", "b" → "." */

/* A container (or image) name: labels of [a-zA-Z0-9_-] with single dots between, none beginning or ending with a dash, at
 * most 64 characters together. systemd-machined takes the same, but not the underscore. */
#define CONTAINER_NAME_MAX 64U /* bytes: HOST_NAME_MAX, and what systemd-machined takes */
bool container_name_is_valid(const char *s);
/* A host name for the payload: like a container name, labels at most 63 characters. */
bool hostname_is_valid(const char *s);
