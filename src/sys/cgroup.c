/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup v2: finding, making, delegating, killing.
 *
 * Calls: open and openat2 on the mounted hierarchy, mkdirat, unlinkat(AT_REMOVEDIR), one write(2) for each attribute;
 * /proc/PID/cgroup for where a process is ("0::PATH"). Trees below a container's group are of the container's making:
 * they are walked without recursion, whatever their depth. */
#include "sys/cgroup.h"

#include <dirent.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "sys/syscalls.h"

#define ATTRIBUTE_MAX (64U * 1024U)
#define REMOVE_STEPS_MAX 100000 /* directories looked at by one cgroup_remove() */

/* What may be handed over where the kernel has no /sys/kernel/cgroup/delegate to say it. */
static const char delegated_attributes[] = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n";

int cgroup_open_root(void) {
        static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                struct statfs fs;
                _cleanup_close_ int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0 && fstatfs(fd, &fs) >= 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return TAKE_FD(fd);
        }
        return -ENOMEDIUM;
}

int cgroup_get_path(pid_t pid, char **ret) {
        _cleanup_free_ char *text = NULL;
        char path[32];

        if (pid == 0)
                snprintf(path, sizeof(path), "/proc/self/cgroup");
        else
                snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
        int r = file_read_regular(AT_FDCWD, path, ATTRIBUTE_MAX, &text);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        for (char *line = text; line; line = strchr(line, '\n')) {
                line += line[0] == '\n';
                const char *p = startswith(line, "0::");
                if (!p)
                        continue;
                char *copy = strndup(p, strcspn(p, "\n"));
                if (!copy)
                        return -ENOMEM;
                *ret = copy;
                return 0;
        }
        return -ENOMEDIUM;
}

static int directory_open(int parent_fd, const char *path) {
        int fd = sys_openat2(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        return fd < 0 ? -errno : fd;
}

/* One component, or ".." of a group: there are no links in this file system. */
static int component_open(int parent_fd, const char *name) {
        int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int cgroup_open(int root_fd, const char *path) {
        while (path[0] == '/')
                path++;
        return directory_open(root_fd, path[0] ? path : ".");
}

static bool name_is_component(const char *name) {
        return name[0] != '\0' && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

int cgroup_make(int parent_fd, const char *name) {
        if (!name_is_component(name))
                return -EINVAL;
        if (mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        return directory_open(parent_fd, name);
}

int cgroup_make_owned(int parent_fd, const char *name, uid_t uid, gid_t gid) {
        if (!name_is_component(name))
                return -EINVAL;
        const bool made = mkdirat(parent_fd, name, 0755) >= 0;
        if (!made && errno != EEXIST)
                return -errno;
        _cleanup_close_ int fd = directory_open(parent_fd, name);
        if (fd < 0)
                return fd;
        int r = made ? 0 : cgroup_delegate(fd, uid, gid);
        return r < 0 ? r : TAKE_FD(fd);
}

/* Removes the sub-groups of fd that have none of their own. Returns 1 and the first that has (opened), 0 when fd has no
 * sub-group any more. */
static int remove_leaves(int fd, int *ret_child) {
        int list_fd = component_open(fd, ".");
        if (list_fd < 0)
                return list_fd;
        DIR *d = fdopendir(list_fd);
        if (!d) {
                fd_close(list_fd);
                return -ENOMEM;
        }
        int r = 0;
        for (struct dirent *e = readdir(d); e && r == 0; e = readdir(d)) {
                if (e->d_type != DT_DIR || !name_is_component(e->d_name))
                        continue;
                if (unlinkat(fd, e->d_name, AT_REMOVEDIR) >= 0 || errno == ENOENT)
                        continue;
                if (errno != EBUSY && errno != ENOTEMPTY)
                        r = -errno;
                else {
                        int child = component_open(fd, e->d_name);
                        if (child >= 0)
                                *ret_child = child;
                        r = child < 0 ? child : 1;
                }
        }
        closedir(d);
        return r;
}

/* Removes all sub-groups of fd. No process lives in them (checked by the caller), so a group without sub-groups goes. */
static int remove_descendants(int fd) {
        _cleanup_close_ int at = component_open(fd, ".");
        if (at < 0)
                return at;
        unsigned depth = 0;
        for (unsigned step = 0; step < REMOVE_STEPS_MAX; step++) {
                int next = -EBADF;
                int r = remove_leaves(at, &next);
                if (r < 0)
                        return r;
                if (r > 0)
                        depth++;
                else if (depth == 0)
                        return 0;
                else {
                        /* Groups cannot be renamed: ".." is where we came from. */
                        depth--;
                        next = component_open(at, "..");
                        if (next < 0)
                                return next;
                }
                fd_close(at);
                at = next;
        }
        return -EBUSY;
}

int cgroup_remove(int parent_fd, const char *name) {
        if (!name_is_component(name))
                return -EINVAL;
        if (unlinkat(parent_fd, name, AT_REMOVEDIR) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        _cleanup_close_ int fd = component_open(parent_fd, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (cgroup_is_populated(fd) > 0)
                return -EBUSY;
        int r = remove_descendants(
                fd); /* the kernel keeps what is in use, if we could not see that */
        if (r < 0)
                return r;
        return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_attach(int fd, pid_t pid) {
        char text[16];

        if (pid < 0)
                return -EINVAL;
        snprintf(text, sizeof(text), "%d", (int) pid);
        return cgroup_write_attribute(fd, "cgroup.procs", text);
}

int cgroup_delegate(int fd, uid_t uid, gid_t gid) {
        _cleanup_free_ char *text = NULL;

        /* -ENOENT: no such list; then the fixed one. */
        int r = file_read_all(AT_FDCWD, "/sys/kernel/cgroup/delegate", ATTRIBUTE_MAX, &text, NULL);
        if (r < 0)
                text = strdup(delegated_attributes);
        if (!text)
                return -ENOMEM;
        if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
                return -errno;
        for (char *name = text, *rest; name && name[0]; name = rest) {
                rest = strchr(name, '\n');
                if (rest)
                        *rest++ = '\0';
                /* Attributes of controllers that are not turned on here do not exist. */
                if (name_is_component(name) &&
                    fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

int cgroup_enable_controllers(int fd) {
        _cleanup_(strbuf_done) StrBuf all = { 0 };
        _cleanup_free_ char *controllers = NULL, *wanted = NULL;

        int r = file_read_regular(fd, "cgroup.controllers", ATTRIBUTE_MAX, &controllers);
        if (r < 0)
                return r;
        for (int pass = 0; pass < 2; pass++) {
                const char *p = controllers;
                for (;;) {
                        _cleanup_free_ char *word = NULL, *one = NULL;
                        r = extract_word(&p, NULL, 0, &word);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                break;
                        one = strf("+%s", word);
                        if (!one)
                                return -ENOMEM;
                        if (pass == 0) {
                                strbuf_add(&all, one);
                                strbuf_add(&all, " ");
                        } else
                                /* One that cannot be had (in use by v1, threads) must not take the others with it. */
                                (void) cgroup_write_attribute(fd, "cgroup.subtree_control", one);
                }
                if (pass == 0) {
                        r = strbuf_finish(&all, &wanted);
                        if (r < 0)
                                return r;
                        if (wanted[0] == '\0' ||
                            cgroup_write_attribute(fd, "cgroup.subtree_control", wanted) >= 0)
                                return 0;
                }
        }
        return 0;
}

int cgroup_kill(int fd) {
        return cgroup_write_attribute(fd, "cgroup.kill", "1");
}

int cgroup_is_populated(int fd) {
        uint64_t populated;

        int r = cgroup_read_keyed(fd, "cgroup.events", "populated", &populated);
        return r < 0 ? r : populated != 0;
}

int cgroup_write_attribute(int fd, const char *name, const char *value) {
        if (!name_is_component(name))
                return -EINVAL;
        return file_write_at(fd, name, value);
}

int cgroup_read_attribute(int fd, const char *name, char **ret) {
        char *text;
        size_t size;

        if (!name_is_component(name))
                return -EINVAL;
        int r = file_read_all(fd, name, ATTRIBUTE_MAX, &text, &size);
        if (r < 0)
                return r;
        if (size > 0 && text[size - 1] == '\n')
                text[size - 1] = '\0';
        *ret = text;
        return 0;
}

int cgroup_read_keyed(int fd, const char *name, const char *key, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        const size_t n = strlen(key);

        int r = cgroup_read_attribute(fd, name, &text);
        if (r < 0)
                return r;
        for (char *line = text, *rest; line; line = rest) {
                rest = strchr(line, '\n');
                if (rest)
                        *rest++ = '\0';
                if (strncmp(line, key, n) == 0 && line[n] == ' ')
                        return parse_u64(line + n + 1, ret);
        }
        return -ENODATA;
}
