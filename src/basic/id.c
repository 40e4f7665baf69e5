/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 128-bit ids: machine ids and boot ids. */
#include "basic/id.h"

#include <sys/random.h>

#include "basic/siphash.h"
#include "basic/str.h"

static const char hex_digits[] = "0123456789abcdef";

/* Where a UUID has its dashes, counted in bytes of the id. */
static bool dash_before(size_t i) {
        return i == 4 || i == 6 || i == 8 || i == 10;
}

/* RFC 4122: version 4, variant 1 */
static Id128 make_version_4(Id128 id) {
        id.bytes[6] = (uint8_t) ((id.bytes[6] & 0x0f) | 0x40);
        id.bytes[8] = (uint8_t) ((id.bytes[8] & 0x3f) | 0x80);
        return id;
}

int id128_random(Id128 *ret) {
        Id128 id;
        size_t n = 0;

        while (n < sizeof(id.bytes)) {
                ssize_t k = getrandom(id.bytes + n, sizeof(id.bytes) - n, 0);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                n += (size_t) k;
        }
        *ret = make_version_4(id);
        return 0;
}

Id128 id128_derive(Id128 base, const char *text) {
        Id128 id;

        siphash128(base.bytes, text, strlen(text), id.bytes);
        return make_version_4(id);
}

int id128_parse(const char *s, Id128 *ret) {
        bool dashes;
        Id128 id;

        if (!s)
                return -EINVAL;
        dashes = strlen(s) == ID128_UUID_MAX - 1;
        if (!dashes && strlen(s) != ID128_STRING_MAX - 1)
                return -EINVAL;
        for (size_t i = 0; i < sizeof(id.bytes); i++) {
                int high, low;

                if (dashes && dash_before(i) && *s++ != '-')
                        return -EINVAL;
                high = ascii_hex_value(s[0]);
                low = high < 0 ? high : ascii_hex_value(s[1]);
                if (low < 0)
                        return -EINVAL;
                id.bytes[i] = (uint8_t) (high << 4 | low);
                s += 2;
        }
        *ret = id;
        return 0;
}

static char *id128_format(Id128 id, bool dashes, char *buf) {
        char *p = buf;

        for (size_t i = 0; i < sizeof(id.bytes); i++) {
                if (dashes && dash_before(i))
                        *p++ = '-';
                *p++ = hex_digits[id.bytes[i] >> 4];
                *p++ = hex_digits[id.bytes[i] & 15];
        }
        *p = '\0';
        return buf;
}

char *id128_to_string(Id128 id, char buf[static ID128_STRING_MAX]) {
        return id128_format(id, false, buf);
}

char *id128_to_uuid(Id128 id, char buf[static ID128_UUID_MAX]) {
        return id128_format(id, true, buf);
}
