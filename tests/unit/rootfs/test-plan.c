/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of rootfs/plan.c and api-masks.c: the plan as data, and the sentences for its failures. */
#include "rootfs/plan.h"

#include <sys/mount.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "rootfs/rootfs.h"
#include "test.h"

#define _cleanup_plan_ _cleanup_(child_plan_done)

/* "message|hint" for one operation that failed; from a few buffers. */
static const char *sentence(ChildOpType type, const char *what, const char *where, int error,
                            ErrorId id) {
        static char buf[512];
        _cleanup_plan_ ChildPlan p = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;

        child_plan_append(&p, CHILD_OP_SETSID);
        child_plan_append_strings(&p, type, what, where);
        int r = child_plan_describe(&p, 1, error, &e);
        snprintf(buf, sizeof(buf), "%s|%s%s", strempty(e.message), strempty(e.hint),
                 r != -error || e.code != r ? "|wrong code"
                 : e.id != id               ? "|wrong id"
                                            : "");
        return buf;
}

TEST(every_operation_has_words) {
        for (int t = 0; t < _CHILD_OP_TYPE_MAX; t++) {
                ASSERT_NOT_NULL(child_op_type_to_string((ChildOpType) t));
                const char *s = sentence((ChildOpType) t, "x", "y", EIO, ERROR_FAILED);
                ASSERT_CONTAINS(s, " failed: Input/output error");
                ASSERT_TRUE(s[0] >= 'a' && s[0] <= 'z');
        }
        ASSERT_NULL(child_op_type_to_string(_CHILD_OP_TYPE_MAX));
        ASSERT_NULL(child_op_type_to_string((ChildOpType) -1));
}

TEST(sentences) {
        ASSERT_STREQ(
                sentence(CHILD_OP_MOUNT, "proc", "proc", EPERM, ERROR_MOUNT_FAILED),
                "mounting /proc in the container failed: Operation not permitted|where a container runs inside "
                "another one, the outer one must show it a full /proc and /sys");
        ASSERT_STREQ(
                sentence(CHILD_OP_READ_ONLY_TREE, NULL, "/proc/sys", EINVAL, ERROR_MOUNT_FAILED),
                "making /proc/sys read-only in the container failed: Invalid argument|");
        ASSERT_STREQ(sentence(CHILD_OP_MASK, "/x", "/proc/kcore", EPERM, ERROR_MOUNT_FAILED),
                     "hiding /proc/kcore in the container failed: Operation not permitted|");
        ASSERT_STREQ(
                sentence(CHILD_OP_CHDIR, NULL, "/no\nwhere", ENOENT, ERROR_SETUP_FAILED),
                "changing to the working directory '/no\\x0awhere' in the container failed: No such file or "
                "directory|create the directory inside the container, or choose another one");
        ASSERT_STREQ(sentence(CHILD_OP_HOSTNAME, "web", NULL, EPERM, ERROR_NAMESPACE_FAILED),
                     "setting the host name 'web' failed: Operation not permitted|");
        ASSERT_STREQ(sentence(CHILD_OP_SECCOMP, NULL, NULL, EINVAL, ERROR_SETUP_FAILED),
                     "loading the system call filter failed: Invalid argument|");
}

TEST(sentences_of_exec) {
        char *one[] = { (char *) "/bin/foo", NULL },
             *two[] = { (char *) "/usr/bin/foo", (char *) "/bin/foo", NULL };
        char *argv[] = { (char *) "foo", NULL };
        ChildExec searched = { .paths = two, .argv = argv }, given = { .paths = one, .argv = one };
        _cleanup_plan_ ChildPlan p = { 0 };
        child_plan_append(&p, CHILD_OP_EXEC)->data = &searched;
        child_plan_append(&p, CHILD_OP_EXEC)->data = &given;
        static const struct {
                size_t index;
                int error;
                ErrorId id;
                const char *message;
                int status;
        } cases[] = {
                { 0, ENOENT, ERROR_INIT_NOT_FOUND,
                  "executing 'foo' in the container failed: No such file or directory", 127 },
                { 1, ENOENT, ERROR_INIT_NOT_FOUND,
                  "executing '/bin/foo' in the container failed: No such file or directory", 127 },
                { 1, EACCES, ERROR_NOT_EXECUTABLE,
                  "executing '/bin/foo' in the container failed: Permission denied", 126 },
                { 1, ENOEXEC, ERROR_NOT_EXECUTABLE,
                  "executing '/bin/foo' in the container failed: Exec format error", 126 },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_ERROR(child_plan_describe(&p, cases[i].index, cases[i].error, &e),
                             cases[i].error);
                ASSERT_STREQ(e.message, cases[i].message);
                ASSERT_EQ(e.id, cases[i].id);
                ASSERT_EQ(error_id_to_exit_status(e.id), cases[i].status);
                ASSERT_NOT_NULL(e.hint);
        }
}

TEST(a_report_that_makes_no_sense) {
        _cleanup_plan_ ChildPlan p = { 0 };
        _cleanup_error_ Error e = ERROR_NULL, f = ERROR_NULL;

        ASSERT_ERROR(child_plan_describe(&p, 7, EPERM, &e), EPERM);
        ASSERT_STREQ(e.message, "setting up the container failed: Operation not permitted");
        ASSERT_ERROR(child_plan_describe(&p, 0, 0, &f), EIO);
        ASSERT_ERROR(child_plan_describe(&p, 0, 1, NULL), EPERM);
}

TEST(the_plan_owns_its_strings) {
        _cleanup_plan_ ChildPlan p = { 0 };
        char what[] = "proc";

        ChildOp *op = child_plan_append_strings(&p, CHILD_OP_MOUNT, what, "proc");
        ASSERT_NOT_NULL(op);
        what[0] = 'x';
        ASSERT_STREQ(op->what, "proc");
        ASSERT_EQ(op->fd, -EBADF);
        op->data = strdup("options");
        for (int i = 0; i < 100; i++)
                ASSERT_NOT_NULL(child_plan_append(&p, CHILD_OP_SETSID));
        ASSERT_EQ(p.n_ops, 101);
        ASSERT_STREQ(p.ops[0].what, "proc");
        ASSERT_OK(child_plan_check(&p));
        child_plan_done(&p);
        ASSERT_EQ(p.n_ops, 0);
        child_plan_done(NULL);
        p.failed = true;
        ASSERT_NULL(child_plan_append(&p, CHILD_OP_SETSID));
        ASSERT_ERROR(child_plan_check(&p), ENOMEM);
}

static size_t find_op(const ChildPlan *p, ChildOpType type, const char *where) {
        for (size_t i = 0; i < p->n_ops; i++)
                if (p->ops[i].type == type && (!where || streq_ptr(p->ops[i].where, where)))
                        return i;
        return SIZE_MAX;
}

TEST(inner_mounts) {
        _cleanup_spec_ ContainerSpec *spec = spec_new();
        _cleanup_plan_ ChildPlan p = { 0 }, q = { 0 };
        Rootfs r = ROOTFS_NULL;

        ASSERT_OK(api_mounts_inner(spec, &r, &p, NULL));
        ASSERT_EQ(p.ops[0].type, CHILD_OP_PIVOT);
        ASSERT_EQ(p.ops[p.n_ops - 1].type, CHILD_OP_SHARE);
        for (size_t i = 0; i < p.n_ops; i++)
                if (p.ops[i].where)
                        ASSERT_EQ(p.ops[i].where[0], '/');
        /* the kernel wants to see the old /proc, nothing else shall */
        ASSERT_EQ(find_op(&p, CHILD_OP_MOUNT, "/proc"), 1);
        ASSERT_EQ(find_op(&p, CHILD_OP_DROP_OLD_ROOT, NULL), 2);
        ASSERT_EQ(find_op(&p, CHILD_OP_MOUNT, "/sys"), SIZE_MAX);
        const size_t tmp = find_op(&p, CHILD_OP_MOUNT, "/tmp");
        ASSERT_NE(tmp, SIZE_MAX);
        ASSERT_EQ(p.ops[tmp].flags, MS_NOSUID | MS_NODEV);
        ASSERT_STREQ(p.ops[tmp].data, "mode=1777,size=10%,nr_inodes=1m");
        ASSERT_EQ(find_op(&p, CHILD_OP_BIND, "/proc/sys/net"), SIZE_MAX);
        const size_t tree = find_op(&p, CHILD_OP_READ_ONLY_TREE, "/proc");
        ASSERT_NE(tree, SIZE_MAX);
        ASSERT_EQ(find_op(&p, CHILD_OP_WRITABLE, "/proc"), tree + 1);
        static const char *const read_only[] = { "/proc/sys", "/proc/acpi", "/proc/asound",
                                                 "/proc/bus", "/proc/fs",   "/proc/irq",
                                                 "/proc/scsi" };
        for (size_t i = 0; i < ELEMENTSOF(read_only); i++)
                ASSERT_TRUE(find_op(&p, CHILD_OP_BIND, read_only[i]) < tree);
        static const char *const masked[] = { "/proc/kallsyms",   "/proc/kcore",
                                              "/proc/keys",       "/proc/sysrq-trigger",
                                              "/proc/timer_list", "/proc/kmsg" };
        for (size_t i = 0; i < ELEMENTSOF(masked); i++)
                ASSERT_NE(find_op(&p, CHILD_OP_MASK, masked[i]), SIZE_MAX);

        /* a mount of the user's may be in /tmp: then it is there already */
        SpecMount mount = { .kind = MOUNT_TMPFS };
        spec->mounts = &mount;
        spec->n_mounts = 1;
        spec->network.private_ = true;
        r.map = (IdMap){ .outside = 1000000, .count = 65536 }; /* mounts are locked then */
        ASSERT_OK(api_mounts_inner(spec, &r, &q, NULL));
        ASSERT_EQ(q.ops[0].type, CHILD_OP_ENTER_ROOT);
        const size_t sys = find_op(&q, CHILD_OP_MOUNT, "/sys"),
                     net = find_op(&q, CHILD_OP_BIND, "/proc/sys/net");
        ASSERT_NE(sys, SIZE_MAX);
        ASSERT_TRUE(q.ops[sys].flags & MS_RDONLY);
        ASSERT_TRUE(sys < find_op(&q, CHILD_OP_DROP_OLD_ROOT, NULL));
        ASSERT_NE(find_op(&q, CHILD_OP_MOUNT, "/dev/mqueue"), SIZE_MAX);
        ASSERT_NE(net, SIZE_MAX);
        ASSERT_TRUE(net > find_op(&q, CHILD_OP_READ_ONLY_TREE, "/proc"));
        ASSERT_EQ(find_op(&q, CHILD_OP_WRITABLE, "/proc/sys/net"), net + 1);
        ASSERT_EQ(find_op(&q, CHILD_OP_MOUNT, "/tmp"), SIZE_MAX);
        spec->mounts = NULL;
        spec->n_mounts = 0;
}

TEST_MAIN
