/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of checksums. */
#include "basic/checksums.h"

#include "basic/str.h"

#define HEX_LENGTH (2 * SHA256_SIZE)
#define BSD_BEGIN "SHA256 ("
#define BSD_MIDDLE ") = "

static bool take_hex(const char *p, size_t n, uint8_t ret[static SHA256_SIZE]) {
        char hex[SHA256_HEX_SIZE];
        if (n != HEX_LENGTH)
                return false;
        memcpy(hex, p, HEX_LENGTH);
        hex[HEX_LENGTH] = '\0';
        return sha256_from_hex(hex, ret) >= 0;
}

static bool is_name(const char *p, size_t n, const char *file) {
        if (n > 2 && p[0] == '.' && p[1] == '/') {
                p += 2;
                n -= 2;
        }
        return n == strlen(file) && memcmp(p, file, n) == 0;
}

/* A line of n bytes: is it that of the file? */
static bool read_line(const char *p, size_t n, const char *file, bool only,
                      uint8_t ret[static SHA256_SIZE]) {
        const size_t begin = STRLEN(BSD_BEGIN), middle = STRLEN(BSD_MIDDLE);
        while (n > 0 && strchr(WHITESPACE, p[n - 1]) && p[n - 1])
                n--;
        if (only && take_hex(p, n, ret))
                return true;
        if (n > HEX_LENGTH + 2 && p[HEX_LENGTH] == ' ' &&
            (p[HEX_LENGTH + 1] == ' ' || p[HEX_LENGTH + 1] == '*'))
                return is_name(p + HEX_LENGTH + 2, n - HEX_LENGTH - 2, file) &&
                       take_hex(p, HEX_LENGTH, ret);
        if (n <= begin + middle + HEX_LENGTH || memcmp(p, BSD_BEGIN, begin) != 0)
                return false;
        const char *at = p + n - HEX_LENGTH - middle;
        return memcmp(at, BSD_MIDDLE, middle) == 0 &&
               is_name(p + begin, (size_t) (at - p) - begin, file) &&
               take_hex(at + middle, HEX_LENGTH, ret);
}

int checksums_find(const char *text, size_t size, const char *file, bool only,
                   uint8_t ret[static SHA256_SIZE]) {
        uint8_t found[SHA256_SIZE], another[SHA256_SIZE];
        bool any = false;
        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                const size_t n = end ? (size_t) (end - text) : size;
                if (read_line(text, n, file, only, another)) {
                        if (any && memcmp(found, another, sizeof(found)) != 0)
                                return -EBADMSG;
                        memcpy(found, another, sizeof(found));
                        any = true;
                }
                text += n + (end != NULL);
                size -= n + (end != NULL);
        }
        if (!any)
                return -ENOENT;
        memcpy(ret, found, sizeof(found));
        return 0;
}
