/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Syntax of http and https URLs (RFC 3986), as far as downloads need it. */
#pragma once

#include "basic/macros.h"

#define URL_MAX 4096U /* bytes */

/* "http://HOST…" or "https://HOST…", of printable ASCII without spaces. The functions below are for those that are valid. */
bool url_is_valid(const char *url);
bool url_is_https(const char *url);
/* The last component of the path, with %XX decoded. -EINVAL: there is none, or it is no name of a file. Allocated. */
int url_file(const char *url, char **ret);
/* Of another file beside it; without query and fragment. Allocated or NULL. */
char *url_beside(const char *url, const char *file);
/* With so much more behind the path; the query stays, the fragment goes. Allocated or NULL. */
char *url_append(const char *url, const char *suffix);
/* Without user, password and fragment, for messages. Allocated or NULL. */
char *url_for_display(const char *url);
