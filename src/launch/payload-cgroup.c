/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's cgroup: where it comes from, that the payload is born in it, and its end.
 *
 *   CGROUP_WAIT  payload/ in the scope's cgroup, which comes with GO
 *   CGROUP_UNIT  payload/ in our unit's
 *   CGROUP_OWN   berth-NAME/payload/ in the one that we are in
 *
 * Calls: /proc/self/cgroup, openat2 below the hierarchy, mkdir; one write for each attribute. */
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "launch/supervisor.h"
#include "sys/caps.h"
#include "sys/cgroup.h"

static int cgroup_error(int code, const char *what, Error *reterr) {
        int r = error_set_errno(reterr, code, ERROR_CGROUP_FAILED, "%s failed", what);
        error_hint(reterr,
                   "the unit must have Delegate=yes and the cgroup v2 hierarchy must be mounted");
        return r;
}

/* Our own cgroup's directory; for a unit the unit's. parent_is_apart: nobody is in it, so that controllers can be turned on below it. For a
 * booted payload that is made so, with us in the sub-group supervisor/. Others need no controllers of their own: the unit has the
 * limits, and moving a process takes the kernel 13 ms. */
static int open_parent(Supervisor *s, Error *reterr) {
        _cleanup_close_ int root_fd = cgroup_open_root(), own_fd = -EBADF;
        _cleanup_free_ char *path = NULL, *unit = NULL;
        int r = root_fd < 0 ? root_fd : cgroup_get_path(0, &path);
        if (r < 0)
                return cgroup_error(r, "finding our own cgroup", reterr);
        bool split = streq(path_last_component(path), "supervisor");
        if (s->spec->resources.cgroup == CGROUP_UNIT &&
            split) { /* DelegateSubgroup= has put us there already */
                r = path_extract_directory(path, &unit);
                if (r < 0)
                        return error_oom(reterr);
        }
        s->parent_is_apart = unit || s->spec->payload.start == START_BOOT ||
                             s->spec->resources.cgroup != CGROUP_UNIT;
        s->parent_cgroup_fd = cgroup_open(root_fd, unit ?: path);
        if (s->parent_cgroup_fd < 0)
                return cgroup_error(s->parent_cgroup_fd, "opening our own cgroup", reterr);
        if (s->spec->resources.cgroup != CGROUP_UNIT)
                return 0;
        (void) free_and_strdup(&s->unit, path_last_component(unit ?: path)); /* for display only */
        if (unit || !s->parent_is_apart)
                return 0;
        own_fd = cgroup_make(s->parent_cgroup_fd, "supervisor");
        r = own_fd < 0 ? own_fd : cgroup_attach(own_fd, 0);
        return r < 0 ? cgroup_error(r, "moving the supervisor into its sub-group", reterr) : 0;
}

static int make_own(Supervisor *s, Error *reterr) {
        s->own_cgroup = strjoin("berth-", s->spec->name);
        if (!s->own_cgroup)
                return error_oom(reterr);
        (void) cgroup_remove(s->parent_cgroup_fd,
                             s->own_cgroup); /* what a crash has left; in use it stays */
        s->go_cgroup_fd = cgroup_make(s->parent_cgroup_fd, s->own_cgroup);
        return s->go_cgroup_fd < 0 ? cgroup_error(s->go_cgroup_fd, "making a cgroup", reterr) : 0;
}

int payload_cgroup_find(Supervisor *s, Error *reterr) {
        CgroupMode mode = s->spec->resources.cgroup;
        s->parent_is_apart = true;
        if (!IN_SET(mode, CGROUP_UNIT, CGROUP_OWN))
                return 0;
        int r = open_parent(s, reterr);
        return r < 0 || mode == CGROUP_UNIT ? r : make_own(s, reterr);
}

/* The group that has the limits. */
static int limited_fd(const Supervisor *s) {
        return s->go_cgroup_fd >= 0 ? s->go_cgroup_fd : s->parent_cgroup_fd;
}

int payload_cgroup_make(Supervisor *s, Error *reterr) {
        uid_t owner = rootfs_host_uid(&s->rootfs, 0);
        if (s->spec->resources.cgroup == CGROUP_NONE)
                return 0;
        int r = s->spec->resources.cgroup == CGROUP_WAIT ? links_wait_go(s, reterr) : 0;
        if (r < 0)
                return r;
        if (s->parent_is_apart) /* best effort: without, the container has no limits of its own inside */
                (void) cgroup_enable_controllers(limited_fd(s));
        s->payload_cgroup_fd = owner == 0
                                       ? cgroup_make(limited_fd(s), "payload")
                                       : cgroup_make_owned(limited_fd(s), "payload", owner, owner);
        return s->payload_cgroup_fd < 0
                       ? cgroup_error(s->payload_cgroup_fd, "making the payload's cgroup", reterr)
                       : 0;
}

void payload_cgroup_watch(Supervisor *s) {
        if (s->payload_cgroup_fd >= 0 && s->kill_fd < 0)
                s->kill_fd = openat(s->payload_cgroup_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
        if (s->payload_cgroup_fd >= 0 && s->freeze_fd < 0)
                s->freeze_fd = openat(s->payload_cgroup_fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
        if (s->freeze_fd >= 0 && s->frozen_fd < 0)
                s->frozen_fd = openat(s->payload_cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
        if (limited_fd(s) >= 0 && s->events_fd < 0)
                s->events_fd = openat(limited_fd(s), "memory.events", O_RDONLY | O_CLOEXEC);
}

void payload_cgroup_kill(const Supervisor *s) {
        /* looked at first: that takes no lock of the kernel's, while the kill would wait for all that systemd does with any cgroup */
        if (s->payload_cgroup_fd < 0 || cgroup_is_populated(s->payload_cgroup_fd) == 0)
                return;
        /* a frozen cgroup's processes die, too */
        int r = s->kill_fd >= 0 ? pwrite(s->kill_fd, "1", 1, 0) < 0 ? -errno : 0
                                : cgroup_kill(s->payload_cgroup_fd);
        if (r < 0)
                log_debug_errno(r, "Killing the payload's cgroup failed");
}

static void remove_ours(const Supervisor *s) {
        const char *name = s->own_cgroup
                                   ?: s->spec->resources.cgroup == CGROUP_UNIT ? "payload"
                                                                               : NULL;
        if (!name || s->parent_cgroup_fd < 0)
                return;
        uint64_t caps = (CAP_MASK(CAP_KILL) | CAP_MASK(CAP_DAC_OVERRIDE)) & s->capabilities;
        int r = caps_set(caps, caps, 0);
        if (r >= 0)
                r = cgroup_remove(s->parent_cgroup_fd, name);
        if (r < 0) /* what is still in use stays; the next start takes it over */
                log_debug_errno(r, "Removing cgroup '%s' failed", name);
}

void payload_cgroup_remove(Supervisor *s) {
        s->payload_cgroup_fd = fd_close(s->payload_cgroup_fd);
        remove_ours(s);
        s->own_cgroup = mfree(s->own_cgroup);
        s->go_cgroup_fd = fd_close(s->go_cgroup_fd);
        s->parent_cgroup_fd = fd_close(s->parent_cgroup_fd);
        s->kill_fd = fd_close(s->kill_fd);
        s->freeze_fd = fd_close(s->freeze_fd);
        s->frozen_fd = fd_close(s->frozen_fd);
        s->events_fd = fd_close(s->events_fd);
}
