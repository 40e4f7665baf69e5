/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings: comparing, building, quoting, splitting into words. */
#pragma once

#include "basic/macros.h"

#define WHITESPACE " \t\n\r"

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}
/* Equal, where NULL equals only NULL. */
bool streq_ptr(const char *a, const char *b);
static inline bool isempty(const char *s) {
        return !s || s[0] == '\0';
}
static inline const char *strempty(const char *s) {
        return s ? s : "";
}

/* Characters without the locale. */
static inline bool ascii_is_digit(char c) {
        return c >= '0' && c <= '9';
}
static inline bool ascii_is_alpha(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool ascii_is_alnum(char c) {
        return ascii_is_digit(c) || ascii_is_alpha(c);
}
static inline bool ascii_is_control(char c) {
        return (unsigned char) c < 0x20 || c == 0x7f;
}
int ascii_hex_value(char c); /* 0…15, or -EINVAL */

/* The rest of s after prefix, or NULL. */
const char *startswith(const char *s, const char *prefix);
/* Pointer to the suffix within s, or NULL. */
const char *endswith(const char *s, const char *suffix);

/* *dst = copy of s (NULL gives NULL), the old value is freed. 0 or -ENOMEM. */
int free_and_strdup(char **dst, const char *s);

/* Allocated printf; NULL on failure. */
char *strf(const char *format, ...) _printf_(1, 2);
char *strjoin_sentinel(const char *first, ...) _sentinel_;
#define strjoin(...) strjoin_sentinel(__VA_ARGS__, (char *) NULL)

/* Removes white space at both ends, in place; returns the first kept character. */
char *strstrip(char *s);

/* A buffer that text is appended to. Errors stick: check once at the end with strbuf_finish(). */
typedef struct StrBuf {
        char *text; /* always NUL-terminated once something was added */
        size_t size;
        size_t allocated;
        bool failed;
} StrBuf;
void strbuf_add(StrBuf *b, const char *s);
void strbuf_add_bytes(StrBuf *b, const char *bytes, size_t n);
void strbuf_addf(StrBuf *b, const char *format, ...) _printf_(2, 3);
/* Hands the text over ("" if nothing was added). 0 or -ENOMEM. The buffer is empty afterwards. */
int strbuf_finish(StrBuf *b, char **ret);
void strbuf_done(StrBuf *b);

/* Valid UTF-8 without NUL. */
bool utf8_is_valid(const char *s, size_t n);
/* For showing hostile text: control characters, invalid UTF-8 and what turns the writing direction become \xHH, backslash
 * is kept. Allocated. */
bool str_is_harmless(const char *s); /* str_escape_for_display() would change nothing */
char *str_escape_for_display(const char *s);

/* C escapes, so that any string fits in one printable line; and back. Understood are \a \b \f \n \r \t \v \\ \" \' \s
 * (a space) \xHH \OOO \uXXXX \UXXXXXXXX, but no NUL. 0, -EINVAL, -ENOMEM. */
char *str_escape(const char *s);
int str_unescape(const char *s, char **ret);
void strbuf_add_escaped(StrBuf *b, const char *s);
/* Adds what the escape at s (behind its backslash) stands for; returns the length of the escape, or -EINVAL. */
int strbuf_add_unescaped(StrBuf *b, const char *s);

typedef enum WordFlags {
        WORD_UNQUOTE =
                1
                << 0, /* '…' and "…" group and are removed; C escapes are decoded, in quotes too, and a
                                     * backslash makes a separator an ordinary character */
        WORD_KEEP_ESCAPES =
                1 << 1, /* only quotes are treated, backslashes are ordinary characters */
} WordFlags;
/* Takes the next word off *p, which never becomes NULL. separators NULL means white space. Separators with white space
 * among them are skipped in any number; others (":", ",") end one word each, so that "a::b" has an empty word in the
 * middle (but "a:" none at its end). Returns 1 and an allocated *ret_word, 0 and NULL at the end, -EINVAL for unbalanced
 * quotes or a bad escape, -ENOMEM; *p moves on 1 only. Grammar of words: systemd.syntax(7), "Quoting". */
int extract_word(const char **p, const char *separators, WordFlags flags, char **ret_word);

/* Quotes a word so that extract_word(WORD_UNQUOTE) gives it back; plain words stay as they are. Allocated. */
char *quote_word(const char *s);
