/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root hashes and their signatures as text: hexadecimal, base64, and the JSON object of a signature partition (UAPI.2). Pure; the JSON is
 * written by anybody, and read in the sandbox alone. */
#include "image/disk-signature.h"

#include "basic/str.h"

int disk_hash_parse(const char *text, uint8_t ret[static DISK_HASH_MAX], size_t *ret_size) {
        const size_t n = strlen(text);
        uint8_t bytes[DISK_HASH_MAX];

        if (n % 2 != 0 || n < 2 * DISK_HASH_MIN || n > 2 * DISK_HASH_MAX)
                return -EINVAL;
        for (size_t i = 0; i < n; i += 2) {
                const int high = ascii_hex_value(text[i]), low = ascii_hex_value(text[i + 1]);
                if (high < 0 || low < 0)
                        return -EINVAL;
                bytes[i / 2] = (uint8_t) (high * 16 + low);
        }
        memcpy(ret, bytes, n / 2);
        *ret_size = n / 2;
        return 0;
}

static int base64_value(char c) {
        return c >= 'A' && c <= 'Z'   ? c - 'A'
               : c >= 'a' && c <= 'z' ? c - 'a' + 26
               : ascii_is_digit(c)    ? c - '0' + 52
               : c == '+'             ? 62
               : c == '/'             ? 63
                                      : -EINVAL;
}

int disk_base64_decode(const char *text, char **ret, size_t *ret_size) {
        const size_t n = strlen(text);
        size_t size = 0, padding = 0;

        while (padding < 2 && padding < n && text[n - padding - 1] == '=')
                padding++;
        if (n == 0 || n % 4 != 0 || n > DISK_BASE64_MAX)
                return -EINVAL;
        _cleanup_free_ char *bytes = malloc(n / 4 * 3);
        if (!bytes)
                return -ENOMEM;
        for (size_t i = 0; i < n; i += 4) {
                uint32_t bits = 0;
                for (size_t k = 0; k < 4; k++) {
                        const int value = i + k >= n - padding ? 0 : base64_value(text[i + k]);
                        if (value < 0)
                                return -EINVAL;
                        bits = bits << 6 | (uint32_t) value;
                }
                for (size_t k = 0; k < 3; k++)
                        bytes[size++] = (char) (bits >> (16 - 8 * k) & 0xff);
        }
        *ret = TAKE_PTR(bytes);
        *ret_size = size - padding;
        return 0;
}

/* ---- the object ---- */

static void skip_space(const char **p) {
        *p += strspn(*p, " \t\r\n");
}

/* A string without escapes: none of those that matter has one. */
static int read_string(const char **p, const char **ret, size_t *ret_size) {
        if (**p != '"')
                return -EBADMSG;
        const char *begin = *p + 1;
        const size_t n = strcspn(begin, "\"\\");
        if (begin[n] != '"')
                return -EBADMSG;
        *p = begin + n + 1;
        *ret = begin;
        *ret_size = n;
        return 0;
}

static bool is_key(const char *key, size_t size, const char *name) {
        return size == strlen(name) && memcmp(key, name, size) == 0;
}

static int take(const char *value, size_t size, char **at) {
        if (*at)
                return -EBADMSG; /* twice */
        *at = strndup(value, size);
        return *at ? 0 : -ENOMEM;
}

/* One "KEY": "VALUE" or "KEY": NUMBER. */
static int read_member(const char **p, char **hash, char **signature) {
        const char *key, *value;
        size_t key_size, size;

        int r = read_string(p, &key, &key_size);
        if (r < 0)
                return r;
        skip_space(p);
        if (*(*p)++ != ':')
                return -EBADMSG;
        skip_space(p);
        if (**p != '"') {
                const size_t n = strspn(*p, "0123456789.-+truefalsnE");
                *p += n;
                return n > 0 ? 0 : -EBADMSG;
        }
        r = read_string(p, &value, &size);
        if (r >= 0 && is_key(key, key_size, "rootHash"))
                r = take(value, size, hash);
        if (r >= 0 && is_key(key, key_size, "signature"))
                r = take(value, size, signature);
        return r;
}

int disk_signature_read(const char *json, char **ret_hash, char **ret_signature) {
        _cleanup_free_ char *hash = NULL, *signature = NULL, *bytes = NULL;
        uint8_t digest[DISK_HASH_MAX];
        size_t size;
        char end;

        skip_space(&json);
        if (*json++ != '{')
                return -EBADMSG;
        do {
                skip_space(&json);
                int r = read_member(&json, &hash, &signature);
                if (r < 0)
                        return r;
                skip_space(&json);
                end = *json;
                json += end != '\0';
        } while (end == ',');
        skip_space(&json);
        if (end != '}' || *json || !hash || !signature ||
            disk_hash_parse(hash, digest, &size) < 0 ||
            disk_base64_decode(signature, &bytes, &size) < 0)
                return -EBADMSG;
        *ret_hash = TAKE_PTR(hash);
        *ret_signature = TAKE_PTR(signature);
        return 0;
}
