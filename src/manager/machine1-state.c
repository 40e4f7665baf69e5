/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine1: a file for each machine in /run/systemd/machines, and a link from its unit's name. libsystemd, nss-mymachines and ps read
 * them, systemd-machined takes machines over from them, and foreign machines outlive berthd in them. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/id.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "manager/machine1.h"

#define STATE_DIRECTORY "/run/systemd/machines"
#define STATE_SIZE_MAX (64U << 10)
#define STATES_MAX 16384U
#define OWN_SERVICE "berth"

static const char *directory(void) {
        return secure_getenv("BERTH_MACHINES") ?: STATE_DIRECTORY; /* of tests */
}

static int directory_open(void) {
        int fd = open(directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* ---- writing ---- */

static void add(StrBuf *b, const char *key, const char *value) {
        if (isempty(value))
                return;
        strbuf_addf(b, "%s=\"", key);
        strbuf_add_escaped(b, value);
        strbuf_add(b, "\"\n");
}

static int print(const Container *c, char **ret) {
        StrBuf b = { 0 };
        strbuf_add(&b, "# Written by berthd, not for editing\n");
        strbuf_addf(&b, "NAME=%s\nUID=0\n", c->name);
        add(&b, "SCOPE", c->unit);
        add(&b, "SERVICE", machine1_service(c));
        add(&b, "ROOT", c->root_directory);
        if (!isempty(c->id))
                strbuf_addf(&b, "ID=%s\n", c->id);
        strbuf_addf(&b, "LEADER=%d\n", (int) c->leader.pid);
        if (machine1_pidfd_id(&c->leader) != 0)
                strbuf_addf(&b, "LEADER_PIDFDID=%" PRIu64 "\n", machine1_pidfd_id(&c->leader));
        if (pidref_is_set(&c->supervisor))
                strbuf_addf(&b, "SUPERVISOR=%d\n", (int) c->supervisor.pid);
        strbuf_addf(&b, "CLASS=%s\nREALTIME=%" PRIu64 "\nMONOTONIC=%" PRIu64 "\n",
                    machine1_class(c), c->started_realtime, c->started_monotonic);
        for (size_t i = 0; c->foreign && i < c->foreign->n_interfaces; i++)
                strbuf_addf(&b, "%s%d%s", i == 0 ? "NETIF=\"" : " ",
                            (int) c->foreign->interfaces[i],
                            i + 1 == c->foreign->n_interfaces ? "\"\n" : "");
        int r = strbuf_finish(&b, ret);
        strbuf_done(&b);
        return r;
}

static int save(const Container *c) {
        _cleanup_free_ char *text = NULL, *temporary = strjoin(".#", c->name),
                            *link = isempty(c->unit) ? NULL : strjoin("unit:", c->unit);
        int r = mkdir_parents(directory(), 0755);
        if (r < 0)
                return r;
        _cleanup_close_ int dir_fd = directory_open();
        if (dir_fd < 0)
                return dir_fd;
        r = temporary ? print(c, &text) : -ENOMEM;
        if (r < 0)
                return r;
        (void) unlinkat(dir_fd, temporary, 0); /* of a manager that was killed in the middle */
        _cleanup_close_ int fd = openat(dir_fd, temporary,
                                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        r = fd_write_full(fd, text, strlen(text));
        if (r >= 0 && renameat(dir_fd, temporary, dir_fd, c->name) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(dir_fd, temporary, 0); /* best effort */
        if (r >= 0 && link) {
                (void) unlinkat(dir_fd, link, 0); /* an old one, of the same unit */
                if (symlinkat(c->name, dir_fd, link) < 0)
                        r = -errno;
        }
        return r;
}

void machine1_state_save(const Container *c) {
        int r = save(c);
        if (r < 0)
                log_debug_errno(r, "Writing the state of '%s' failed", c->name);
}

static void forget(int dir_fd, const char *name, const char *unit) {
        _cleanup_free_ char *link = isempty(unit) ? NULL : strjoin("unit:", unit);
        (void) unlinkat(dir_fd, name, 0); /* there may be none */
        if (link)
                (void) unlinkat(dir_fd, link, 0);
}

void machine1_state_remove(const Container *c) {
        _cleanup_close_ int dir_fd = directory_open();
        if (dir_fd >= 0)
                forget(dir_fd, c->name, c->unit);
}

/* ---- reading ---- */

/* Takes over a machine of this state, if its leader is still in its unit. */
static int adopt(Manager *m, const char *name, char *const *state) {
        pid_t leader, supervisor;
        Id128 id;
        const char *unit = strv_env_get(state, "SCOPE"), *text;
        Registration r = {
                .name = name,
                .service = strv_env_get(state, "SERVICE"),
                .class_name = strv_env_get(state, "CLASS"),
                .root_directory = strv_env_get(state, "ROOT"),
                .leader = PIDREF_NULL,
        };
        text = strv_env_get(state, "LEADER");
        if (isempty(unit) || !text || parse_pid(text, &leader) < 0 || leader <= 1 ||
            !r.class_name || !IN_SET(r.class_name[0], 'c', 'v'))
                return -EBADMSG;
        text = strv_env_get(state, "ID");
        if (text && id128_parse(text, &id) >= 0) {
                r.id = id.bytes;
                r.id_size = sizeof(id.bytes);
        }
        text = strv_env_get(state, "SUPERVISOR");
        if (text && parse_pid(text, &supervisor) >= 0)
                r.supervisor = supervisor;
        text = strv_env_get(state, "REALTIME");
        if (text)
                (void) parse_u64(text, &r.realtime); /* else now */
        int k = pidref_open(leader, &r.leader);
        if (k < 0)
                return k;
        uint64_t pidfd_id;
        text = strv_env_get(state, "LEADER_PIDFDID");
        if (text && parse_u64(text, &pidfd_id) >= 0 && machine1_pidfd_id(&r.leader) != 0 &&
            machine1_pidfd_id(&r.leader) != pidfd_id) {
                pidref_done(&r.leader);
                return -ESRCH;
        }
        Container *c;
        k = foreign_new(m, &r, &c, NULL);
        if (k >= 0) {
                k = foreign_begin(c, unit);
                if (k < 0)
                        container_free(c);
        }
        return k;
}

static void load(Manager *m, int dir_fd, const char *name) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **state = NULL;
        if (hashmap_get(m->containers, name) ||
            file_read_all(dir_fd, name, STATE_SIZE_MAX, &text, NULL) < 0 ||
            env_file_parse(text, &state) < 0)
                return;
        const char *service = strempty(strv_env_get(state, "SERVICE"));
        int r;
        if (streq(service, OWN_SERVICE)) { /* its supervisor says HELLO, if it lives */
                _cleanup_(pidref_done) PidRef leader = PIDREF_NULL;
                pid_t pid;
                r = parse_pid(strempty(strv_env_get(state, "LEADER")), &pid);
                if (r >= 0)
                        r = pidref_open(pid, &leader);
        } else
                r = adopt(m, name, state);
        if (r < 0) {
                log_debug_errno(r, "Machine '%s' of an earlier manager is gone", name);
                forget(dir_fd, name, strv_env_get(state, "SCOPE"));
        }
}

void machine1_state_load(Manager *m) {
        _cleanup_close_ int dir_fd = directory_open();
        if (dir_fd < 0)
                return;
        int list_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        DIR *d = list_fd < 0 ? NULL : fdopendir(list_fd);
        if (!d) {
                fd_close(list_fd);
                return;
        }
        unsigned n = 0;
        for (const struct dirent *e; n < STATES_MAX && (e = readdir(d)); n++)
                if (container_name_is_valid(e->d_name))
                        load(m, dir_fd, e->d_name);
        (void) closedir(d); /* only read */
}
