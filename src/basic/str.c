/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings: comparing, building, escaping. Words are in word.c. */
#include "basic/str.h"

#include <stdarg.h>
#include <stdio.h>

bool streq_ptr(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

int ascii_hex_value(char c) {
        if (ascii_is_digit(c))
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

const char *startswith(const char *s, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

const char *endswith(const char *s, const char *suffix) {
        size_t n = strlen(s), n_suffix = strlen(suffix);

        if (n < n_suffix || !streq(s + n - n_suffix, suffix))
                return NULL;
        return s + n - n_suffix;
}

int free_and_strdup(char **dst, const char *s) {
        char *copy = NULL;

        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*dst);
        *dst = copy;
        return 0;
}

char *strf(const char *format, ...) {
        char *s;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&s, format, ap);
        va_end(ap);
        return r < 0 ? NULL : s;
}

char *strjoin_sentinel(const char *first, ...) {
        StrBuf b = { 0 };
        va_list ap;
        char *s;

        va_start(ap, first);
        for (const char *p = first; p; p = va_arg(ap, const char *))
                strbuf_add(&b, p);
        va_end(ap);
        return strbuf_finish(&b, &s) < 0 ? NULL : s;
}

char *strstrip(char *s) {
        size_t n;

        s += strspn(s, WHITESPACE);
        n = strlen(s);
        while (n > 0 && strchr(WHITESPACE, s[n - 1]))
                n--;
        s[n] = '\0';
        return s;
}

/* Room for n more bytes and the NUL. */
static bool strbuf_reserve(StrBuf *b, size_t n) {
        size_t need, allocated = b->allocated ? b->allocated : 64;
        char *text;

        if (b->failed)
                return false;
        if (__builtin_add_overflow(b->size, n, &need) || need > SIZE_MAX / 2 - 1) {
                b->failed = true;
                return false;
        }
        if (b->text && need < b->allocated)
                return true;
        while (allocated <= need)
                allocated *= 2;
        text = realloc(b->text, allocated);
        if (!text) {
                b->failed = true;
                return false;
        }
        b->text = text;
        b->allocated = allocated;
        return true;
}

void strbuf_add(StrBuf *b, const char *s) {
        strbuf_add_bytes(b, s, strlen(s));
}

void strbuf_add_bytes(StrBuf *b, const char *bytes, size_t n) {
        if (!strbuf_reserve(b, n))
                return;
        if (n > 0)
                memcpy(b->text + b->size, bytes, n);
        b->size += n;
        b->text[b->size] = '\0';
}

void strbuf_addf(StrBuf *b, const char *format, ...) {
        va_list ap, again;
        int n;

        if (!strbuf_reserve(b, 0))
                return;
        va_start(ap, format);
        va_copy(again, ap);
        n = vsnprintf(b->text + b->size, b->allocated - b->size, format, ap);
        if (n >= 0 && (size_t) n >= b->allocated - b->size && strbuf_reserve(b, (size_t) n))
                n = vsnprintf(b->text + b->size, b->allocated - b->size, format, again);
        va_end(again);
        va_end(ap);
        if (n < 0)
                b->failed = true;
        if (b->failed)
                b->text[b->size] = '\0';
        else
                b->size += (size_t) n;
}

int strbuf_finish(StrBuf *b, char **ret) {
        if (!strbuf_reserve(b, 0)) {
                strbuf_done(b);
                return -ENOMEM;
        }
        b->text[b->size] = '\0';
        *ret = b->text;
        *b = (StrBuf){ 0 };
        return 0;
}

void strbuf_done(StrBuf *b) {
        if (b) {
                free(b->text);
                *b = (StrBuf){ 0 };
        }
}

/* The length of the UTF-8 sequence at s (n > 0 bytes are left), or 0 if it is not a valid one. */
static size_t utf8_sequence(const char *s, size_t n, uint32_t *ret_code) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char c = (unsigned char) s[0];
        uint32_t code;
        size_t length;

        if (c < 0x80) {
                *ret_code = c;
                return 1;
        }
        if (c >= 0xc0 && c < 0xe0)
                length = 2, code = c & 0x1f;
        else if (c >= 0xe0 && c < 0xf0)
                length = 3, code = c & 0x0f;
        else if (c >= 0xf0 && c < 0xf8)
                length = 4, code = c & 0x07;
        else
                return 0;
        if (length > n)
                return 0;
        for (size_t i = 1; i < length; i++) {
                if (((unsigned char) s[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | ((unsigned char) s[i] & 0x3f);
        }
        if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return 0;
        *ret_code = code;
        return length;
}

bool utf8_is_valid(const char *s, size_t n) {
        while (n > 0) {
                uint32_t code;
                size_t length = utf8_sequence(s, n, &code);

                if (length == 0 || code == 0)
                        return false;
                s += length;
                n -= length;
        }
        return true;
}

/* C0 and C1 controls, line and paragraph separator, and the characters that override the writing direction. */
static bool code_is_harmful(uint32_t code) {
        return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
               (code >= 0x2066 && code <= 0x2069);
}

static void add_hex(StrBuf *b, const char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                strbuf_addf(b, "\\x%02x", (unsigned) (unsigned char) bytes[i]);
}

bool str_is_harmless(const char *s) {
        size_t n = strlen(s);

        while (n > 0) {
                uint32_t code;
                size_t length = utf8_sequence(s, n, &code);

                if (length == 0 || code_is_harmful(code))
                        return false;
                s += length;
                n -= length;
        }
        return true;
}

char *str_escape_for_display(const char *s) {
        StrBuf b = { 0 };
        size_t n = strlen(s);
        char *text;

        while (n > 0) {
                uint32_t code;
                size_t length = utf8_sequence(s, n, &code);

                if (length == 0 || code_is_harmful(code))
                        add_hex(&b, s, length = MAX(length, (size_t) 1));
                else
                        strbuf_add_bytes(&b, s, length);
                s += length;
                n -= length;
        }
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

/* Escape letters and what they stand for, position by position. */
static const char escape_letters[] = "abfnrtv\\\"'s";
static const char escaped_bytes[] = "\a\b\f\n\r\t\v\\\"' ";

void strbuf_add_escaped(StrBuf *b, const char *s) {
        size_t n = strlen(s);

        while (n > 0) {
                /* Single quotes and spaces need no escape between double quotes or on a line of their own. */
                const char *special = strchr("\a\b\f\n\r\t\v\\\"", *s);
                uint32_t code;
                size_t length = utf8_sequence(s, n, &code);

                if (special)
                        strbuf_add_bytes(
                                b,
                                (char[]){
                                        '\\',
                                        escape_letters[strchr(escaped_bytes, *s) - escaped_bytes] },
                                2);
                else if (length == 0 || code_is_harmful(code))
                        add_hex(b, s, length = MAX(length, (size_t) 1));
                else
                        strbuf_add_bytes(b, s, length);
                s += length;
                n -= length;
        }
}

char *str_escape(const char *s) {
        StrBuf b = { 0 };
        char *text;

        strbuf_add_escaped(&b, s);
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}

/* n digits of a base that is a power of two, at most 32 bits. Nothing but digits matches, so the NUL ends it. */
static bool digits_read(const char *s, size_t n, unsigned bits, uint32_t *ret) {
        uint32_t v = 0;

        for (size_t i = 0; i < n; i++) {
                int digit = ascii_hex_value(s[i]);

                if (digit < 0 || digit >= 1 << bits)
                        return false;
                v = v << bits | (uint32_t) digit;
        }
        *ret = v;
        return true;
}

static bool add_utf8(StrBuf *b, uint32_t code) {
        char s[4];
        size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

        if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return false;
        if (n == 1)
                s[0] = (char) code;
        else {
                for (size_t i = n - 1; i > 0; i--, code >>= 6)
                        s[i] = (char) (0x80 | (code & 0x3f));
                s[0] = (char) ((0xf0 << (4 - n) & 0xff) | code);
        }
        strbuf_add_bytes(b, s, n);
        return true;
}

int strbuf_add_unescaped(StrBuf *b, const char *s) {
        const char *letter = *s ? strchr(escape_letters, *s) : NULL;
        uint32_t v;

        if (letter) {
                strbuf_add_bytes(b, escaped_bytes + (letter - escape_letters), 1);
                return 1;
        }
        if (*s == 'u' || *s == 'U') {
                size_t n = *s == 'u' ? 4 : 8;

                return digits_read(s + 1, n, 4, &v) && add_utf8(b, v) ? (int) n + 1 : -EINVAL;
        }
        if (*s == 'x' ? !digits_read(s + 1, 2, 4, &v) : !digits_read(s, 3, 3, &v))
                return -EINVAL;
        if (v == 0 || v > 0xff)
                return -EINVAL;
        strbuf_add_bytes(b, (char[]){ (char) v }, 1);
        return 3;
}

int str_unescape(const char *s, char **ret) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };

        while (*s) {
                size_t n = strcspn(s, "\\");
                int r;

                strbuf_add_bytes(&b, s, n);
                s += n;
                if (!*s)
                        break;
                r = strbuf_add_unescaped(&b, s + 1);
                if (r < 0)
                        return r;
                s += r + 1;
        }
        return strbuf_finish(&b, ret);
}
