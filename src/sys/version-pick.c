/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of versions, systemd.v(7): which entry is the one to take. */
#include "sys/version-pick.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/version.h"

/* As systemd names them. A word behind the last "_" that is none of these is part of the version. */
static const char *const architectures[] = {
        "alpha",     "arc",     "arc-be",      "arm",      "arm-be", "arm64",   "arm64-be",
        "cris",      "ia64",    "loongarch64", "m68k",     "mips",   "mips-le", "mips64",
        "mips64-le", "nios2",   "parisc",      "parisc64", "ppc",    "ppc-le",  "ppc64",
        "ppc64-le",  "riscv32", "riscv64",     "s390",     "s390x",  "sh",      "sh64",
        "sparc",     "sparc64", "tilegx",      "x86",      "x86-64",
};

/* The kernel's name, ours, and whose programs run here, too. */
static const struct {
        const char *machine, *native, *secondary;
} machines[] = {
        { "x86_64", "x86-64", "x86" },   { "i686", "x86", NULL },
        { "aarch64", "arm64", "arm" },   { "armv7l", "arm", NULL },
        { "ppc64le", "ppc64-le", NULL }, { "riscv64", "riscv64", "riscv32" },
        { "s390x", "s390x", "s390" },    { "loongarch64", "loongarch64", NULL },
};

typedef struct Candidate {
        char *name;            /* of the entry */
        char *version;         /* owned */
        unsigned architecture; /* 0: says none, 1: secondary, 2: native */
        uint64_t left, done;   /* UINT64_MAX: does not say */
} Candidate;

static void candidate_done(Candidate *c) {
        free(c->name);
        free(c->version);
        *c = (Candidate){ 0 };
}

/* 0, 1, 2 as in Candidate; -EOPNOTSUPP: for another machine; -ENOENT: not the name of one. */
static int architecture_rank(const char *word) {
        struct utsname u;
        bool known = false;
        for (size_t i = 0; i < ELEMENTSOF(architectures); i++)
                known = known || streq(word, architectures[i]);
        if (!known)
                return -ENOENT;
        if (uname(&u) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(machines); i++)
                if (streq(u.machine, machines[i].machine))
                        return streq(word, machines[i].native)          ? 2
                               : streq_ptr(word, machines[i].secondary) ? 1
                                                                        : -EOPNOTSUPP;
        return streq(word, u.machine) ? 2 : -EOPNOTSUPP;
}

/* "+LEFT" or "+LEFT-DONE" at the end is cut off. */
static void take_tries(char *text, Candidate *c) {
        char *plus = strrchr(text, '+'), *dash;
        uint64_t left, done = UINT64_MAX;
        if (!plus)
                return;
        _cleanup_free_ char *tries = strdup(plus + 1);
        if (!tries)
                return;
        dash = strchr(tries, '-');
        if (dash)
                *dash = '\0';
        if (parse_u64(tries, &left) < 0 || (dash && parse_u64(dash + 1, &done) < 0))
                return; /* then it is part of the version */
        *plus = '\0';
        c->left = left;
        c->done = done;
}

/* 1: it is one; 0: another name, or another machine's; -ENOMEM. */
static int candidate_parse(const char *name, const char *base, const char *suffix, Candidate *ret) {
        _cleanup_(candidate_done) Candidate c = { .left = UINT64_MAX, .done = UINT64_MAX };
        const char *rest = startswith(name, base), *end = endswith(name, suffix);
        if (!rest || *rest != '_' || !end || end <= rest + 1)
                return 0;
        if (!utf8_is_valid(name, strlen(name)))
                return 0; /* paths of images are told over D-Bus, which takes no other */
        c.version = strndup(rest + 1, (size_t) (end - rest - 1));
        c.name = strdup(name);
        if (!c.version || !c.name)
                return -ENOMEM;
        take_tries(c.version, &c);
        char *underscore = strrchr(c.version, '_');
        int rank = architecture_rank(underscore ? underscore + 1 : c.version);
        if (rank == -EOPNOTSUPP)
                return 0;
        if (rank >= 0 && underscore)
                *underscore = '\0';
        c.architecture = rank < 0 ? 0 : (unsigned) rank;
        if (isempty(c.version))
                return 0;
        *ret = c;
        c = (Candidate){ 0 };
        return 1;
}

static int compare_numbers(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

/* > 0: a is to be taken. */
static int compare(const Candidate *a, const Candidate *b) {
        int r = (b->left == 0) - (a->left == 0);
        if (r == 0)
                r = version_compare(a->version, b->version);
        if (r == 0)
                r = compare_numbers(a->architecture, b->architecture);
        if (r == 0)
                r = compare_numbers(a->left, b->left);
        if (r == 0)
                r = compare_numbers(b->done, a->done);
        return r != 0 ? r : strcmp(a->name, b->name);
}

int version_pick(const char *directory, const char *base, const char *suffix, mode_t type,
                 char **ret_name) {
        _cleanup_(candidate_done) Candidate best = { 0 };
        DIR *d = opendir(directory);
        int r = 0;
        if (!d)
                return -errno;
        for (struct dirent *e = readdir(d); e && r >= 0; e = readdir(d)) {
                _cleanup_(candidate_done) Candidate c = { 0 };
                struct stat st;
                r = candidate_parse(e->d_name, base, suffix, &c);
                if (r <= 0 || (best.name && compare(&c, &best) <= 0) ||
                    fstatat(dirfd(d), e->d_name, &st, 0) < 0 || (st.st_mode & S_IFMT) != type)
                        continue;
                candidate_done(&best);
                best = c;
                c = (Candidate){ 0 };
        }
        (void) closedir(d); /* was only read */
        if (r < 0)
                return r;
        if (!best.name)
                return -ENOENT;
        *ret_name = TAKE_PTR(best.name);
        return 0;
}
