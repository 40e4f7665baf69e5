/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: users and groups of a machine and of the host, by the maps of its leader's user namespace. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "bus/names.h"
#include "manager/machine1.h"

#define MAP_SIZE_MAX (64U << 10) /* 340 lines is the kernel's limit */
#define HOST_USERS 65536U        /* below are the host's own */

typedef struct Range {
        uint32_t inside, outside, count;
} Range;

/* /proc/PID/uid_map needs no privileges. Calls `each` until it returns true; returns that, or negative. */
static int map_search(const Container *c, bool groups, bool (*each)(const Range *, void *),
                      void *userdata) {
        char path[64];
        _cleanup_free_ char *text = NULL;
        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) c->leader.pid,
                        groups ? "gid_map" : "uid_map");
        int r = file_read_all(AT_FDCWD, path, MAP_SIZE_MAX, &text, NULL);
        if (r < 0)
                return r;
        if (!pidref_is_alive(&c->leader)) /* the number may be another's by now */
                return -ESRCH;
        for (const char *line = text; line && line[0] != '\0'; line = strchr(line, '\n')) {
                Range range;
                line += strspn(line, "\n");
                if (line[0] == '\0')
                        break;
                if (sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNu32, &range.inside, &range.outside,
                           &range.count) != 3)
                        return -EIO;
                if (each(&range, userdata))
                        return 1;
        }
        return 0;
}

/* ---- the shift ---- */

typedef struct Shift {
        uint32_t shift;
        unsigned n;
        bool whole;
} Shift;

static bool each_shift(const Range *range, void *userdata) {
        Shift *s = userdata;
        s->n++;
        s->shift = range->outside;
        /* one range, from 0 on; a host's own has all ids, others at least 64K */
        s->whole = s->n == 1 && range->inside == 0 && range->count >= HOST_USERS;
        return false;
}

static int no_mapping(sd_bus_message *call, bool groups, const char *text) {
        return machine1_reply_error(call,
                                    groups ? MACHINE1_PREFIX "NoSuchGroupMapping"
                                           : MACHINE1_PREFIX "NoSuchUserMapping",
                                    "%s", text);
}

static int read_failed(int r, const Container *c, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_FAILED, "Reading the users of '%s' failed",
                               c->name);
}

int body_machine_uid_shift(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        Shift users = { 0 }, groups = { 0 };
        int r = map_search(c, false, each_shift, &users);
        if (r >= 0)
                r = map_search(c, true, each_shift, &groups);
        if (r < 0)
                return read_failed(r, c, reterr);
        if (!users.whole || !groups.whole || users.shift != groups.shift)
                return no_mapping(call, false,
                                  "The users of the machine are not shifted as a whole");
        r = sd_bus_reply_method_return(call, "u", users.shift);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

/* ---- one id ---- */

typedef struct Search {
        uint32_t id, found;
} Search;

static bool each_to_outside(const Range *range, void *userdata) {
        Search *s = userdata;
        if (s->id < range->inside || s->id - range->inside >= range->count)
                return false;
        s->found = s->id - range->inside + range->outside;
        return true;
}

static bool each_to_inside(const Range *range, void *userdata) {
        Search *s = userdata;
        if (s->id < range->outside || s->id - range->outside >= range->count)
                return false;
        s->found = s->id - range->outside + range->inside;
        return true;
}

static bool is_about_groups(sd_bus_message *call) {
        return endswith(strempty(sd_bus_message_get_member(call)), "Group") != NULL;
}

static int read_id(sd_bus_message *call, uint32_t *ret, Error *reterr) {
        int r = sd_bus_message_read(call, "u", ret);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_PROTOCOL, "The call cannot be read");
        if (*ret == UINT32_MAX || *ret == UINT16_MAX)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Invalid user or group %" PRIu32, *ret);
        return 0;
}

int body_map_from_machine(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const bool groups = is_about_groups(call);
        Search search = { 0 };
        const Container *c = machine1_find(m, container, reterr);
        if (!c)
                return -ENXIO;
        int r = read_id(call, &search.id, reterr);
        if (r < 0)
                return r;
        r = map_search(c, groups, each_to_outside, &search);
        if (r < 0)
                return read_failed(r, c, reterr);
        if (r == 0)
                return no_mapping(call, groups, "The machine has no such user or group");
        r = sd_bus_reply_method_return(call, "u", search.found);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed") : 0;
}

int body_map_to_machine(Manager *m, sd_bus_message *call, const char *container, Error *reterr) {
        const bool groups = is_about_groups(call);
        Search search = { 0 };
        int r = read_id(call, &search.id, reterr);
        if (r < 0)
                return r;
        if (search.id < HOST_USERS)
                return no_mapping(call, groups, "That is a user or group of the host itself");
        Container *c;
        HASHMAP_FOREACH(c, m->containers) {
                if (!c->shown)
                        continue;
                search.found = search.id;
                /* one that has the host's own users has none to be found */
                if (map_search(c, groups, each_to_inside, &search) <= 0 ||
                    search.found == search.id)
                        continue;
                _cleanup_free_ char *path = NULL;
                r = machine1_path(c->name, &path);
                if (r >= 0)
                        r = sd_bus_reply_method_return(call, "sou", c->name, path, search.found);
                return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Writing the reply failed")
                             : 0;
        }
        return no_mapping(call, groups, "No machine has such a user or group");
}
