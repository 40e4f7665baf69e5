/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup.procs and sub-directories → tree. */
#include "cli/cgroup-tree.h"

#include <dirent.h>
#include <sys/types.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "sys/cgroup.h"

#define TREE_DEPTH_MAX 16U
#define TREE_LINES_MAX 256U
#define COMMAND_MAX 100U     /* characters shown of a command line */
#define PROCS_MAX (1U << 20) /* bytes of cgroup.procs */
#define CHILDREN_MAX 256U

typedef struct Tree {
        StrBuf *out;
        unsigned indent;
        unsigned lines;
} Tree;

static void add_entry(Tree *t, const char *prefix, bool last, const char *text) {
        if (t->lines++ == TREE_LINES_MAX)
                strbuf_addf(t->out, "%*s%s…\n", (int) t->indent, "", prefix);
        else if (t->lines <= TREE_LINES_MAX)
                strbuf_addf(t->out, "%*s%s%s%s\n", (int) t->indent, "", prefix, last ? "└─" : "├─",
                            text);
}

/* "1234 /sbin/init splash"; the arguments are whatever the process says they are. */
static char *describe_process(const char *pid) {
        _cleanup_free_ char *path = strf("/proc/%s/cmdline", pid), *raw = NULL, *safe = NULL;
        size_t n = 0;

        if (!path)
                return NULL;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char words[COMMAND_MAX + 1];
        ssize_t got = fd >= 0 ? read(fd, words, COMMAND_MAX) : -1;
        if (got <= 0) {
                _cleanup_free_ char *comm_path = strf("/proc/%s/comm", pid);
                if (!comm_path || file_read_all(AT_FDCWD, comm_path, COMMAND_MAX, &raw, &n) < 0)
                        return strdup(pid); /* gone meanwhile */
                safe = str_escape_for_display(strstrip(raw));
                return safe ? strf("%s [%s]", pid, safe) : NULL;
        }
        while (got > 0 && words[got - 1] == '\0')
                got--;
        for (ssize_t i = 0; i < got; i++)
                if (words[i] == '\0')
                        words[i] = ' ';
        words[got] = '\0';
        safe = str_escape_for_display(words);
        return safe ? strf("%s %s", pid, safe) : NULL;
}

static char **read_processes(int fd) {
        _cleanup_free_ char *text = NULL;
        char **pids = NULL;

        if (file_read_all(fd, "cgroup.procs", PROCS_MAX, &text, NULL) < 0 ||
            strv_split(&pids, text, NULL, 0) < 0)
                return NULL;
        return pids;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static char **read_children(int fd) {
        char **names = NULL;
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;

        if (!d) {
                fd_close(copy);
                return NULL;
        }
        for (struct dirent *e = readdir(d); e; e = readdir(d))
                if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
                    strv_length(names) < CHILDREN_MAX && strv_extend(&names, e->d_name) < 0)
                        break;
        (void) closedir(d); /* was only read */
        if (names)
                qsort(names, strv_length(names), sizeof(char *), compare_names);
        return names;
}

static bool is_populated(int fd, const char *child) {
        _cleanup_close_ int c = openat(fd, child, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return c >= 0 && cgroup_is_populated(c) > 0;
}

static void format_group(Tree *t, int fd, const char *prefix, unsigned depth) {
        _cleanup_strv_free_ char **pids = read_processes(fd), **children = read_children(fd),
                                 **shown = NULL;

        STRV_FOREACH(c, children)
                if (is_populated(fd, *c) && strv_extend(&shown, *c) < 0)
                        return;
        STRV_FOREACH(p, pids) {
                _cleanup_free_ char *text = describe_process(*p);
                if (text)
                        add_entry(t, prefix, !p[1] && strv_isempty(shown), text);
        }
        STRV_FOREACH(c, shown) {
                _cleanup_free_ char *safe = str_escape_for_display(*c),
                                    *below = strjoin(prefix, c[1] ? "│ " : "  ");
                _cleanup_close_ int child = openat(fd, *c, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (!safe || !below || child < 0)
                        continue;
                add_entry(t, prefix, !c[1], safe);
                if (depth < TREE_DEPTH_MAX && t->lines <= TREE_LINES_MAX)
                        format_group(t, child, below, depth + 1);
        }
}

void cgroup_tree_format(const char *path, unsigned indent, StrBuf *out) {
        _cleanup_close_ int root = cgroup_open_root(), fd = -EBADF;
        Tree t = { .out = out, .indent = indent };

        if (root < 0)
                return;
        fd = cgroup_open(root, path);
        if (fd >= 0)
                format_group(&t, fd, "", 0);
}
