/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON of Varlink messages, by jansson, which is opened when the first message comes. A Json is a value with an owner; what json_get
 * functions return is borrowed. */
#pragma once

#include "basic/macros.h"

typedef struct json_t Json;

/* -EOPNOTSUPP: no jansson here; -EBADMSG: not an object. */
int vjson_parse(const char *text, size_t n, Json **ret);
Json *vjson_new(void); /* an empty object; NULL: out of memory, or no jansson */
Json *vjson_new_array(void);
Json *vjson_free(Json *j); /* returns NULL */
DEFINE_TRIVIAL_CLEANUP_FUNC(Json *, vjson_free)
int vjson_print(const Json *j, char **ret); /* one line */

/* The member if it is there and not null: 1; 0: it is not; -EINVAL: it has another type. */
int vjson_get_string(const Json *object, const char *key, const char **ret);
int vjson_get_integer(const Json *object, const char *key, int64_t *ret);
int vjson_get_boolean(const Json *object, const char *key, bool *ret);
int vjson_get_object(const Json *object, const char *key, const Json **ret);
/* Integers; at most max: else -E2BIG. */
int vjson_get_integers(const Json *object, const char *key, int32_t *ret, size_t max,
                       size_t *ret_n);

/* Take what they add. Errors stick to the caller's r: nothing is done when it is negative. */
void vjson_add_string(Json *object, const char *key, const char *value,
                      int *r); /* NULL, "": left out */
void vjson_add_integer(Json *object, const char *key, uint64_t value, int *r);
void vjson_add_boolean(Json *object, const char *key, bool value, int *r);
void vjson_add_take(Json *object, const char *key, Json *value, int *r);
void vjson_append_string(Json *array, const char *value, int *r);
