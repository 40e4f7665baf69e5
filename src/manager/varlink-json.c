/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing JSON with jansson's values. In the manager nobody else knows the library. */
#include "manager/varlink-json.h"

#include <dlfcn.h>
#include <jansson.h>

#include "basic/str.h"

#define LIBRARY "libjansson.so.4"

/* A function of the library, typed as the header has it. Opening it again and again costs a look-up; messages are few. */
#define CALL(name) ((__typeof__(&(name))) library_function(#name))

static void *library(void) {
        void *l = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        if (l) {
                (void) dlclose(l); /* it was open before, and stays so */
                return l;
        }
        return dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

static void *library_function(const char *name) {
        void *l = library();
        return l ? dlsym(l, name) : NULL;
}

int vjson_parse(const char *text, size_t n, Json **ret) {
        if (!library())
                return -EOPNOTSUPP;
        json_t *j = CALL(json_loadb)(text, n, JSON_REJECT_DUPLICATES, NULL);
        if (!j)
                return -EBADMSG;
        if (!json_is_object(j)) {
                vjson_free(j);
                return -EBADMSG;
        }
        *ret = j;
        return 0;
}

Json *vjson_new(void) {
        return library() ? CALL(json_object)() : NULL;
}

Json *vjson_new_array(void) {
        return library() ? CALL(json_array)() : NULL;
}

Json *vjson_free(Json *j) {
        /* json_decref(), whose inline form calls the library directly */
        if (j && j->refcount != (size_t) -1 && JSON_INTERNAL_DECREF(j) == 0)
                CALL(json_delete)(j);
        return NULL;
}

int vjson_print(const Json *j, char **ret) {
        char *text = CALL(json_dumps)(j, JSON_COMPACT);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/* ---- members ---- */

static const json_t *member(const Json *object, const char *key) {
        const json_t *j = object ? CALL(json_object_get)(object, key) : NULL;
        return !j || json_is_null(j) ? NULL : j;
}

int vjson_get_string(const Json *object, const char *key, const char **ret) {
        const json_t *j = member(object, key);
        if (!j)
                return 0;
        if (!json_is_string(j))
                return -EINVAL;
        *ret = CALL(json_string_value)(j);
        return 1;
}

int vjson_get_integer(const Json *object, const char *key, int64_t *ret) {
        const json_t *j = member(object, key);
        if (!j)
                return 0;
        if (!json_is_integer(j))
                return -EINVAL;
        *ret = CALL(json_integer_value)(j);
        return 1;
}

int vjson_get_boolean(const Json *object, const char *key, bool *ret) {
        const json_t *j = member(object, key);
        if (!j)
                return 0;
        if (!json_is_boolean(j))
                return -EINVAL;
        *ret = json_is_true(j);
        return 1;
}

int vjson_get_object(const Json *object, const char *key, const Json **ret) {
        const json_t *j = member(object, key);
        if (!j)
                return 0;
        if (!json_is_object(j))
                return -EINVAL;
        *ret = j;
        return 1;
}

int vjson_get_integers(const Json *object, const char *key, int32_t *ret, size_t max,
                       size_t *ret_n) {
        const json_t *j = member(object, key);
        *ret_n = 0;
        if (!j)
                return 0;
        if (!json_is_array(j))
                return -EINVAL;
        const size_t n = CALL(json_array_size)(j);
        if (n > max)
                return -E2BIG;
        for (size_t i = 0; i < n; i++) {
                const json_t *item = CALL(json_array_get)(j, i);
                const json_int_t v = json_is_integer(item) ? CALL(json_integer_value)(item) : -1;
                if (v < 0 || v > INT32_MAX)
                        return -EINVAL;
                ret[i] = (int32_t) v;
        }
        *ret_n = n;
        return 1;
}

/* ---- writing ---- */

void vjson_add_take(Json *object, const char *key, Json *value, int *r) {
        if (*r < 0 || !value) {
                vjson_free(value);
                *r = *r < 0 ? *r : -ENOMEM;
                return;
        }
        if (CALL(json_object_set_new_nocheck)(object, key, value) < 0)
                *r = -ENOMEM;
}

void vjson_add_string(Json *object, const char *key, const char *value, int *r) {
        if (!isempty(value))
                vjson_add_take(object, key, CALL(json_string)(value), r);
}

void vjson_add_integer(Json *object, const char *key, uint64_t value, int *r) {
        vjson_add_take(object, key,
                       CALL(json_integer)((json_int_t) MIN(value, (uint64_t) INT64_MAX)), r);
}

void vjson_add_boolean(Json *object, const char *key, bool value, int *r) {
        vjson_add_take(object, key, value ? CALL(json_true)() : CALL(json_false)(), r);
}

void vjson_append_string(Json *array, const char *value, int *r) {
        json_t *j = *r < 0 ? NULL : CALL(json_string)(value);
        if (*r >= 0 && (!j || CALL(json_array_append_new)(array, j) < 0))
                *r = -ENOMEM;
}
