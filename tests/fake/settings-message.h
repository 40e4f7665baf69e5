/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings as a{sv}, written as text: a line "KEY SIGNATURE VALUE" is an entry, elements of arrays are separated by "|". What a
 * message cannot hold is replaced by something that it can. */
#pragma once

#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "basic/strv.h"

#define SETTINGS_SIGNATURE_MAX 32U

static inline int settings_append_value(sd_bus_message *m, const char *signature,
                                        const char *value) {
        const char type[] = { signature[0], '\0' };
        _cleanup_strv_free_ char **elements = NULL;
        uint64_t number = strtoull(value, NULL, 0);
        double real = strtod(value, NULL);
        int boolean = number != 0, r;

        switch (type[0]) {
        case 'o':
        case 'g':
        case 's':
                r = sd_bus_message_append_basic(m, type[0], value);
                return r >= 0 ? r
                              : sd_bus_message_append_basic(m, type[0], type[0] == 'o' ? "/" : "");
        case 'b':
                return sd_bus_message_append_basic(m, 'b', &boolean);
        case 'd':
                return sd_bus_message_append_basic(m, 'd', &real);
        case 'y':
        case 'n':
        case 'q':
        case 'i':
        case 'u':
        case 'x':
        case 't': /* little endian: the low bytes come first */
                return sd_bus_message_append_basic(m, type[0], &number);
        case 'v':
                r = sd_bus_message_open_container(m, 'v', signature[1] ? signature + 1 : "s");
                if (r < 0)
                        return sd_bus_message_append(m, "v", "s", value);
                r = settings_append_value(m, signature[1] ? signature + 1 : "s", value);
                return r < 0 ? r : sd_bus_message_close_container(m);
        case 'a':
                r = sd_bus_message_open_container(m, 'a', signature + 1);
                if (r < 0)
                        return r;
                if (strv_split(&elements, value, "|", 0) < 0)
                        return -ENOMEM;
                STRV_FOREACH(e, elements)
                        if (r >= 0 && !strchr("({", signature[1])) /* those stay empty */
                                r = settings_append_value(m, signature + 1, *e);
                return r < 0 ? r : sd_bus_message_close_container(m);
        default:
                return -EINVAL;
        }
}

/* A signature that one value can have, or that of a string. */
static inline const char *settings_signature(const char *text) {
        static const char basic[] = "ogsbdynqiuxt";
        const char *p = text;

        if (strlen(text) > SETTINGS_SIGNATURE_MAX)
                return "s";
        if (strchr("{(", text[strspn(text, "av")]) && text[0] == 'a') /* "a{sv}" and its like */
                return streq(text, "a{sv}") || streq(text, "a(sh)") ? text : "s";
        while (*p == 'v' || *p == 'a')
                p++;
        if (*p == '\0')
                return p > text && p[-1] == 'v' ? text : "s";
        return strchr(basic, *p) && p[1] == '\0' ? text : "s";
}

static inline int settings_append_line(sd_bus_message *m, char *line) {
        char *signature = strchr(line, ' '), *value = signature ? strchr(signature + 1, ' ') : NULL;

        if (signature)
                *signature++ = '\0';
        if (value)
                *value++ = '\0';
        int r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = settings_append_value(m, "s", line);
        const char *type = settings_signature(signature ?: "s");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0)
                r = settings_append_value(m, type, strempty(value));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* A sealed message of one a{sv}, at its start, on a bus that leads nowhere. */
static inline int settings_message_new(const char *text, sd_bus **ret_bus, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *copy = strdup(text);

        int r = copy ? sd_bus_new(&bus) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_set_address(bus, "unix:path=/nonexistent");
        if (r < 0)
                return r;
        (void) sd_bus_start(bus); /* a message needs a bus that was started, if in vain */
        r = sd_bus_message_new_method_call(bus, &m, "a.b", "/", "a.b", "C");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (char *rest = copy, *line; r >= 0 && (line = strsep(&rest, "\n"));)
                if (*line)
                        r = settings_append_line(m, line);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_seal(m, 1, 0);
        if (r >= 0)
                r = sd_bus_message_rewind(m, /* complete= */ true);
        if (r < 0)
                return r;
        *ret_bus = TAKE_PTR(bus);
        *ret = TAKE_PTR(m);
        return 0;
}
