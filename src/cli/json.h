/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing JSON. Only writing: a buffer, commas and escapes, so no library is needed.
 *
 * Inside an object every call names its key; inside an array and at the top the key is NULL. Text that is not UTF-8 is
 * written with U+FFFD in place of what is not. Errors stick; json_finish() tells. */
#pragma once

#include "basic/macros.h"
#include "basic/str.h"

#define JSON_DEPTH_MAX 16U

typedef struct JsonWriter {
        StrBuf out;
        bool pretty;
        unsigned depth;
        bool is_object[JSON_DEPTH_MAX];
        bool has_items[JSON_DEPTH_MAX];
} JsonWriter;

void json_begin_object(JsonWriter *w, const char *key);
void json_begin_array(JsonWriter *w, const char *key);
void json_end(JsonWriter *w);
void json_add_string(JsonWriter *w, const char *key, const char *value); /* NULL: null */
void json_add_number(JsonWriter *w, const char *key, uint64_t value);
void json_add_boolean(JsonWriter *w, const char *key, bool value);
void json_add_strv(JsonWriter *w, const char *key, char *const *values);
/* Ends with a newline. -ENOMEM, or -EINVAL if something was left open. */
int json_finish(JsonWriter *w, char **ret);
void json_writer_done(JsonWriter *w);
