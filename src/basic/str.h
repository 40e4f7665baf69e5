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
/* For showing hostile text: control characters and invalid UTF-8 become \xHH, backslash is kept. Allocated. */
char *str_escape_for_display(const char *s);

typedef enum WordFlags {
        WORD_UNQUOTE = 1 << 0,      /* '…' and "…" group and are removed; C escapes are decoded outside '…' */
        WORD_KEEP_ESCAPES = 1 << 1, /* only quotes are treated, backslashes stay */
} WordFlags;
/* Takes the next word off *p. separators NULL means white space. Returns 1 and an allocated *ret_word, 0 at the end,
 * -EINVAL for unbalanced quotes or a bad escape, -ENOMEM. Grammar of words: systemd.syntax(7), "Quoting". */
int extract_word(const char **p, const char *separators, WordFlags flags, char **ret_word);

/* Quotes a word so that extract_word(WORD_UNQUOTE) gives it back; plain words stay as they are. Allocated. */
char *quote_word(const char *s);
