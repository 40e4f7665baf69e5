/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 128-bit ids: machine ids and boot ids. */
#pragma once

#include "basic/macros.h"

typedef struct Id128 {
        uint8_t bytes[16];
} Id128;
#define ID128_STRING_MAX 33
#define ID128_UUID_MAX 37

static inline bool id128_is_null(Id128 id) {
        static const Id128 null = { 0 };
        return memcmp(&id, &null, sizeof(id)) == 0;
}
int id128_random(Id128 *ret); /* version 4 */
/* The same for the same text and base, of which it tells nothing. */
Id128 id128_derive(Id128 base, const char *text);
int id128_parse(const char *s, Id128 *ret); /* 32 hex digits or a UUID with dashes */
char *id128_to_string(Id128 id, char buf[static ID128_STRING_MAX]);
char *id128_to_uuid(Id128 id, char buf[static ID128_UUID_MAX]);
