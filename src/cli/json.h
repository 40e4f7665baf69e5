/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing JSON, by jansson, which is opened on demand.
 *
 * Inside an object every call names its key; inside an array and at the top the key is NULL. Text that is not UTF-8 is
 * written with U+FFFD in place of what is not. Errors stick; json_finish() tells. */
#pragma once

#include "basic/error.h"
#include "basic/macros.h"

#define JSON_DEPTH_MAX 16U

struct json_t;

typedef struct JsonWriter {
        bool pretty;
        int error;                            /* the first one, negative errno */
        void *library;                        /* NULL until the first value */
        struct json_t *root;                  /* owns all others */
        struct json_t *stack[JSON_DEPTH_MAX]; /* what is open, outermost first */
        unsigned depth;
} JsonWriter;

void json_begin_object(JsonWriter *w, const char *key);
void json_begin_array(JsonWriter *w, const char *key);
void json_end(JsonWriter *w);
void json_add_string(JsonWriter *w, const char *key, const char *value); /* NULL: null */
/* Above INT64_MAX the next number that a double has: jansson, like most readers, knows no others. */
void json_add_number(JsonWriter *w, const char *key, uint64_t value);
/* With `digits` behind the point; for percentages and rates. */
void json_add_decimal(JsonWriter *w, const char *key, uint64_t scaled, unsigned digits);
void json_add_boolean(JsonWriter *w, const char *key, bool value);
void json_add_strv(JsonWriter *w, const char *key, char *const *values);
/* Ends with a newline. -ENOMEM, -EOPNOTSUPP (no jansson), or -EINVAL if something was left open. */
int json_finish(JsonWriter *w, char **ret, Error *reterr);
void json_writer_done(JsonWriter *w);
