/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of files, as answers 206 of HTTP have them (RFC 9110, 14.4). */
#pragma once

#include "basic/macros.h"

typedef struct HttpPart {
        uint64_t from, end; /* bytes: the first, and the one behind the last; from < end */
        uint64_t total;     /* of the file; UINT64_MAX: not said */
} HttpPart;

/* The value of Content-Range: "bytes FROM-LAST/TOTAL", "bytes FROM-LAST/ *" (without the space); white space may follow. -EINVAL: it is anything else, also
 * "bytes * /TOTAL"; -ERANGE: a number is too large. */
int http_part_parse(const char *value, HttpPart *ret);
/* Does the part go on with a file of which `size` bytes are there, and `total` are to come in all (UINT64_MAX: not known)? How long the file is must be known by
 * one of them, else the part's end could be taken for the file's. */
bool http_part_continues(const HttpPart *p, uint64_t size, uint64_t total);
