/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds a lock.
 *
 * Files: /proc/PID/fd (links, and the files behind those with the right name), fdinfo ("OFDLCK"), cmdline, stat. */
#include "sys/lock-holder.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/time.h"

#define FDINFO_MAX 16384U
#define CMDLINE_MAX 65536U
#define STAT_MAX 4096U

/* Does it hold a lock, and not just have it open? */
static bool is_locked(int pid_fd, const char *fd) {
        _cleanup_free_ char *path = strjoin("fdinfo/", fd), *text = NULL;
        return path && file_read_all(pid_fd, path, FDINFO_MAX, &text, NULL) >= 0 &&
               strstr(text, "OFDLCK");
}

static bool is_holder(int pid_fd, const struct stat *wanted, const char *name) {
        int fd = openat(pid_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        bool found = false;
        if (!d) {
                fd_close(fd);
                return false;
        }
        for (struct dirent *e = readdir(d); e && !found; e = readdir(d)) {
                char target[PATH_MAX];
                struct stat st;
                /* other files are not even looked at: theirs may be a file system that does not answer */
                ssize_t n = readlinkat(fd, e->d_name, target, sizeof(target) - 1);
                if (n <= 0)
                        continue;
                target[n] = '\0';
                found = streq(path_last_component(target), name) &&
                        fstatat(fd, e->d_name, &st, 0) == 0 && st.st_dev == wanted->st_dev &&
                        st.st_ino == wanted->st_ino && is_locked(pid_fd, e->d_name);
        }
        (void) closedir(d); /* was only read */
        return found;
}

/* The machine's name among the arguments of systemd-nspawn. */
static const char *nspawn_machine(const char *words, size_t size) {
        for (const char *w = words, *end = words + size; w < end; w += strlen(w) + 1) {
                const char *next = w + strlen(w) + 1, *value = startswith(w, "--machine=");
                if (!value && streq(w, "-M") && next < end)
                        value = next;
                if (!value && startswith(w, "-M") && w[2])
                        value = w + 2;
                if (value)
                        return value;
        }
        return NULL;
}

static void read_name(int pid_fd, LockHolder *h) {
        _cleanup_free_ char *words = NULL;
        size_t size = 0;
        const char *name = NULL;
        if (file_read_all(pid_fd, "cmdline", CMDLINE_MAX, &words, &size) < 0 || size == 0)
                return;
        const char *program = path_last_component(words), *first = words + strlen(words) + 1;
        if (streq(program, "berth-supervisor") && first < words + size)
                name = first;
        else if (streq(program, "systemd-nspawn"))
                name = nspawn_machine(words, size);
        h->container = name != NULL;
        (void) snprintf(h->name, sizeof(h->name), "%s", name ?: program); /* may be cut */
}

/* Field 22 of proc_pid_stat(5): clock ticks between boot and start. */
static uint64_t read_start(int pid_fd) {
        _cleanup_free_ char *text = NULL;
        unsigned long long ticks;
        if (file_read_all(pid_fd, "stat", STAT_MAX, &text, NULL) < 0)
                return 0;
        const char *p = strrchr(text, ')');
        for (unsigned i = 2; p && i < 22; i++)
                p = strchr(p + 1, ' ');
        if (!p || sscanf(p, " %llu", &ticks) != 1)
                return 0;
        const usec_t age = now_usec(CLOCK_BOOTTIME) -
                           (usec_t) ticks * USEC_PER_SEC / (usec_t) sysconf(_SC_CLK_TCK);
        return now_usec(CLOCK_REALTIME) - age;
}

int lock_find_holder(const char *path, LockHolder *ret) {
        struct stat wanted;
        if (stat(path, &wanted) < 0)
                return -ESRCH;
        DIR *d = opendir("/proc");
        if (!d)
                return -ESRCH;
        LockHolder h = { 0 };
        for (struct dirent *e = readdir(d); e && h.pid == 0; e = readdir(d)) {
                pid_t pid;
                if (parse_pid(e->d_name, &pid) < 0)
                        continue;
                _cleanup_close_ int fd =
                        openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0 || !is_holder(fd, &wanted, path_last_component(path)))
                        continue;
                h.pid = pid;
                read_name(fd, &h);
                h.since_usec = read_start(fd);
        }
        (void) closedir(d); /* was only read */
        if (h.pid == 0)
                return -ESRCH;
        *ret = h;
        return 0;
}

char *lock_describe_holder(const char *path, const char *otherwise) {
        LockHolder h;
        if (lock_find_holder(path, &h) < 0)
                return strdup(otherwise);
        _cleanup_free_ char *since = h.since_usec > 0 ? format_timestamp(h.since_usec) : NULL;
        const char *before = since ? " since " : "";
        if (h.container)
                return strf("'%s'%s%s", h.name, before, strempty(since));
        return strf("process %d ('%s')%s%s", (int) h.pid, h.name, before, strempty(since));
}
