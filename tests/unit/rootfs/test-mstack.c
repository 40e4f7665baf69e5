/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stacks of layers: what their names mean, what is refused, and what is seen in the end. */
#include "rootfs/mstack.h"

#include <sys/mount.h>

#include "fake-root.h"

/* A script runs in a new directory "NAME.mstack"; ../root is a fake root. */
static ContainerSpec *stack(const char *script) {
        char top[] = "/mnt/stack-XXXXXX";
        _cleanup_free_ char *root = fake_root();
        ASSERT_NOT_NULL(root);
        ASSERT_NOT_NULL(mkdtemp(top));
        _cleanup_free_ char *command = strf(
                "set -e; umask 022; chmod 755 %s; mv %s %s/root; mkdir %s/s.mstack; cd %s/s.mstack; %s",
                top, root, top, top, top, script);
        ASSERT_EQ(system(command), 0);
        ContainerSpec *s = fake_spec("/");
        s->root.directory = mfree(s->root.directory);
        s->root.mstack = strf("%s/s.mstack", top);
        ASSERT_NOT_NULL(s->root.mstack);
        return s;
}

static int attach(const ContainerSpec *s, Rootfs *r, Error *e) {
        int k = rootfs_open(s, r, e);
        if (k >= 0)
                k = rootfs_choose_ids(s, r, e);
        return k < 0 ? k : rootfs_attach(s, r, e);
}

static void assert_text(const Rootfs *r, const char *path, const char *expected) {
        _cleanup_free_ char *text = read_at(r->root_fd, path);
        ASSERT_STREQ(text, expected);
}

static void assert_refused(const char *script, ErrorId id, const char *words) {
        _cleanup_spec_ ContainerSpec *s = stack(script);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (attach(s, &r, &e) >= 0)
                TEST_FAIL("'%s' is no mistake", script);
        ASSERT_CONTAINS(error_message(&e), words);
        ASSERT_EQ(e.id, id);
}

static const char layers[] =
        "cp -a ../root layer@9; mkdir -p layer@10/etc ../eleven/etc layer@0.v/layer@0_1/etc layer@0.v/layer@0_2/etc;"
        "for d in layer@9 layer@10 ../eleven layer@0.v/*; do printf $d >$d/etc/all; done;"
        "printf low >layer@0.v/layer@0_2/etc/low; ln -s ../eleven layer@11; printf 10 >layer@10/etc/ten;"
        "mkdir -p rw bind@data robind@srv-a\\\\x2db; printf x >bind@data/f; printf y >'robind@srv-a\\x2db/f'; mkdir layer@9/data";

TEST(layers_in_their_order) {
        for (int i = 0; i < 2; i++) {
                _cleanup_spec_ ContainerSpec *s = stack(layers);
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                struct stat st;
                s->users.mode = i == 0 ? USERNS_NO : USERNS_RANGE;
                s->users.base = RANGE;
                if (attach(s, &r, &e) < 0)
                        TEST_FAIL("%s", error_message(&e));
                assert_text(&r, "etc/all", "../eleven");
                assert_text(&r, "etc/ten", "10");
                assert_text(&r, "etc/low", "low");
                assert_text(&r, "data/f", "x");
                assert_text(&r, "srv/a-b/f", "y");
                ASSERT_OK(fstatat(r.root_fd, "etc/all", &st, 0));
                ASSERT_EQ(st.st_uid, i == 0 ? 0 : RANGE);
                ASSERT_OK(fstatat(r.root_fd, "data/f", &st, 0));
                ASSERT_EQ(st.st_uid, i == 0 ? 0 : RANGE);
                ASSERT_ERROR(write_file_at(r.root_fd, "srv/a-b/new", "x"), EROFS);
                uint64_t capabilities;
                ASSERT_OK(caps_get_effective(&capabilities));
                ASSERT_OK(rootfs_become_owner(&r, capabilities, &e));
                ASSERT_OK(write_file_at(r.root_fd, "etc/new", "x"));
                ASSERT_OK(unlinkat(r.root_fd, "etc/ten", 0));
                ASSERT_OK(write_file_at(r.root_fd, "data/new", "x"));
                ASSERT_OK(rootfs_resume_self(&r, &e));
                ASSERT_OK(umount2(s->root.mstack, MNT_DETACH)); /* the root lies on it */
                ASSERT_OK(stat(in_root(s->root.mstack, "rw/data/etc/new"), &st));
                ASSERT_EQ(st.st_uid, 0U);
                ASSERT_OK(stat(in_root(s->root.mstack, "layer@10/etc/ten"), &st));
        }
}

TEST(without_rw_nothing_changes) {
        _cleanup_spec_ ContainerSpec *s =
                stack("cp -a ../root layer@a; mkdir -p layer@b/etc; printf b >layer@b/etc/b");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL, other = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(attach(s, &r, &e));
        assert_text(&r, "etc/b", "b");
        ASSERT_ERROR(write_file_at(r.root_fd, "etc/new", "x"), EROFS);
        ASSERT_OK(umount2(s->root.mstack, MNT_DETACH));
        ASSERT_OK(rootfs_open(s, &other, &e)); /* any number can share it */
}

TEST(one_layer_alone) {
        _cleanup_spec_ ContainerSpec *s = stack("cp -a ../root layer@a");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        ASSERT_OK(attach(s, &r, NULL));
        ASSERT_ERROR(write_file_at(r.root_fd, "etc/new", "x"), EROFS);
        ASSERT_OK(faccessat(r.root_fd, "etc/passwd", F_OK, 0));
}

TEST(usr_of_layers_in_a_root) {
        _cleanup_spec_ ContainerSpec *s = stack(
                "cp -a ../root layer@a; mkdir -p layer@b/usr root/etc; printf b >layer@b/usr/b; printf r >root/etc/r");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (attach(s, &r, &e) < 0)
                TEST_FAIL("%s", error_message(&e));
        assert_text(&r, "usr/b", "b");
        assert_text(&r, "etc/r", "r");
        ASSERT_TRUE(faccessat(r.root_fd, "etc/passwd", F_OK, 0) < 0);
        ASSERT_OK(write_file_at(r.root_fd, "etc/new", "x"));
        ASSERT_ERROR(write_file_at(r.root_fd, "usr/new", "x"), EROFS);
}

TEST(an_empty_root_gets_what_it_needs) {
        for (int i = 0; i < 2; i++) {
                _cleanup_spec_ ContainerSpec *s = stack(
                        "cp -a ../root layer@a; mkdir layer@a/usr/sbin layer@a/usr/lib64; mkdir -p root/lib root/usr; ln -s nowhere root/sbin");
                _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL, again = ROOTFS_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                struct stat st;
                s->users.mode = i == 0 ? USERNS_NO : USERNS_RANGE;
                s->users.base = RANGE;
                s->root.read_only = true; /* nothing is made then */
                ASSERT_OK(attach(s, &r, &e));
                ASSERT_TRUE(faccessat(r.root_fd, "bin", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
                ASSERT_OK(umount2(s->root.mstack, MNT_DETACH));
                rootfs_done(&r);
                s->root.read_only = false;
                if (attach(s, &r, &e) < 0)
                        TEST_FAIL("%s", error_message(&e));
                ASSERT_OK(faccessat(r.root_fd, "bin/.", F_OK, 0));
                ASSERT_OK(faccessat(r.root_fd, "lib64/.", F_OK, 0));
                ASSERT_OK(faccessat(r.root_fd, "etc", F_OK, 0));
                ASSERT_TRUE(faccessat(r.root_fd, "libx32", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
                ASSERT_TRUE(faccessat(r.root_fd, "lib/systemd", F_OK, 0) <
                            0); /* what is there stays */
                ASSERT_TRUE(faccessat(r.root_fd, "sbin/.", F_OK, 0) < 0);
                ASSERT_OK(umount2(s->root.mstack, MNT_DETACH));
                ASSERT_OK(lstat(in_root(s->root.mstack, "root/bin"), &st));
                ASSERT_EQ(st.st_uid, 0U);
                ASSERT_OK(lstat(in_root(s->root.mstack, "root/root"), &st));
                ASSERT_EQ(st.st_mode & 07777, 0700U);
                ASSERT_EQ(st.st_uid, 0U);
                rootfs_done(&r);
                ASSERT_OK(attach(s, &again, &e)); /* and the next time */
        }
}

TEST(read_only) {
        _cleanup_spec_ ContainerSpec *s = stack("cp -a ../root layer@a; mkdir rw");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        s->root.read_only = true;
        ASSERT_OK(attach(s, &r, NULL));
        ASSERT_ERROR(write_file_at(r.root_fd, "etc/new", "x"), EROFS);
        ASSERT_OK(umount2(s->root.mstack, MNT_DETACH));
        ASSERT_OK(access(in_root(s->root.mstack, "rw"), F_OK));
        ASSERT_TRUE(access(in_root(s->root.mstack, "rw/data"), F_OK) < 0);
}

TEST(in_use) {
        _cleanup_spec_ ContainerSpec *s = stack("cp -a ../root layer@a; mkdir rw");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL, other = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(rootfs_open(s, &r, NULL));
        ASSERT_ERROR(rootfs_open(s, &other, &e), EBUSY);
        ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
}

/* What becomes of another stack, made by a script beside this one's, while the first one is held. */
static void assert_held(const char *script, const char *other, bool read_only, ErrorId id,
                        const char *words) {
        _cleanup_spec_ ContainerSpec *s = stack(script);
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL, r2 = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (attach(s, &r, &e) < 0)
                TEST_FAIL("'%s': %s", script, error_message(&e));
        ASSERT_OK(umount2(s->root.mstack, MNT_DETACH));
        _cleanup_free_ char *top =
                strndup(s->root.mstack, strlen(s->root.mstack) - strlen("/s.mstack"));
        _cleanup_free_ char *command =
                strf("set -e; umask 022; mkdir %s/t.mstack; cd %s/t.mstack; %s", top, top, other);
        ASSERT_NOT_NULL(command);
        ASSERT_EQ(system(command), 0);
        _cleanup_spec_ ContainerSpec *t = fake_spec("/");
        t->root.directory = mfree(t->root.directory);
        t->root.mstack = strf("%s/t.mstack", top);
        t->root.read_only = read_only;
        int k = attach(t, &r2, &e);
        if (!words) {
                if (k < 0)
                        TEST_FAIL("'%s': %s", other, error_message(&e));
                return;
        }
        if (k >= 0)
                TEST_FAIL("'%s' is no mistake", other);
        ASSERT_CONTAINS(error_message(&e), words);
        ASSERT_EQ(e.id, id);
}

TEST(what_others_use) {
        /* who takes the changes does that for one */
        assert_held("cp -a ../root layer@a; mkdir rw",
                    "ln -s ../s.mstack/layer@a .; ln -s ../s.mstack/rw rw", false, ERROR_ROOT_BUSY,
                    "/rw' in the stack");
        assert_held("cp -a ../root layer@a; mkdir rw",
                    "ln -s ../s.mstack/layer@a .; ln -s ../s.mstack/rw rw", true, ERROR_ROOT_BUSY,
                    "/rw' in the stack");
        assert_held("cp -a ../root rw", "ln -s ../s.mstack/rw rw", false, ERROR_ROOT_BUSY,
                    "/rw' in the stack");
        assert_held("cp -a ../root rw", "ln -s ../s.mstack/rw layer@a", false, ERROR_ROOT_BUSY,
                    "/rw' in the stack");
        assert_held("cp -a ../root root", "ln -s ../s.mstack/root root", false, ERROR_ROOT_BUSY,
                    "'root' in the stack");
        /* what does not change is everybody's */
        assert_held("cp -a ../root layer@a; mkdir rw", "ln -s ../s.mstack/layer@a .; mkdir rw",
                    false, 0, NULL);
        assert_held("cp -a ../root layer@a; mkdir rw",
                    "ln -s ../s.mstack/layer@a layer@b; mkdir layer@c", true, 0, NULL);
        /* as a layer, and as a root that is written */
        assert_held("cp -a ../root layer@a; mkdir rw", "ln -s ../s.mstack/layer@a root", false,
                    ERROR_ROOT_BUSY, "'root' in the stack");
}

TEST(a_layer_is_not_changed_elsewhere) {
        _cleanup_spec_ ContainerSpec *s = stack("ln -s ../root layer@a; mkdir rw");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL, other = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(attach(s, &r, &e));
        _cleanup_free_ char *root =
                strndup(s->root.mstack, strlen(s->root.mstack) - strlen("s.mstack"));
        _cleanup_free_ char *path = strjoin(root, "root");
        _cleanup_spec_ ContainerSpec *d = fake_spec(path);
        ASSERT_ERROR(rootfs_open(d, &other, &e), EBUSY);
        ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
        rootfs_done(&other);
        d->root.read_only = true;
        ASSERT_OK(rootfs_open(d, &other, NULL));
}

TEST(links_are_those_of_who_made_the_stack) {
        static const char leads_out[] =
                "leads out of it, and others than root may have written that";
        static const char *const scripts[] = {
                "ln -s ../root layer@a; chmod 0775 .",
                "ln -s ../root layer@a; chown 1000 .",
                "cp -a ../root layer@a; mkdir rw; ln -s / bind@srv; chown 1000 .",
                "ln -s ../root root; chmod 0777 .",
                "cp -a ../root layer@a; ln -s / rw; chmod 1777 .",
                "mkdir layer@a.v; ln -s ../../root layer@a.v/layer@a_1; chown 1000 .",
        };
        for (size_t i = 0; i < ELEMENTSOF(scripts); i++)
                assert_refused(scripts[i], ERROR_NOT_A_ROOT, leads_out);
        /* the same, but within it */
        _cleanup_spec_ ContainerSpec *s = stack(
                "cp -a ../root .real; ln -s .real layer@a; mkdir layer@b.v .b; ln -s ../.b layer@b.v/layer@b_1; mkdir rw; chmod 0777 .; chown 1000 .");
        _cleanup_(rootfs_done) Rootfs r = ROOTFS_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (attach(s, &r, &e) < 0)
                TEST_FAIL("%s", error_message(&e));
}

TEST(refused) {
        /* what takes the changes is not elsewhere, and not the host's root */
        assert_refused("cp -a ../root layer@a; mkdir rw ../out; ln -s ../../out rw/data",
                       ERROR_MOUNT_FAILED, "rw/data");
        assert_refused("cp -a ../root layer@a; mkdir rw ../out; ln -s ../../out rw/work",
                       ERROR_MOUNT_FAILED, "rw/data");
        assert_refused("cp -a ../root layer@a; mkdir -p rw; touch rw/data", ERROR_MOUNT_FAILED,
                       "rw/data");
        assert_refused("cp -a ../root layer@a; ln -s / root", ERROR_CONFLICT,
                       "is the root directory of the running system");
        assert_refused("ln -s / rw", ERROR_CONFLICT, "is the root directory of the running system");
        assert_refused("cp -a ../root layer@a; mkdir \"$(printf 'bind@a\\033[1m')\"",
                       ERROR_NOT_A_ROOT, "has no valid path");
        assert_refused("cp -a ../root layer@a; ln -s layer@a layer@b", ERROR_MOUNT_FAILED,
                       "Too many levels");
        assert_refused(
                "mkdir layer@a layer@b; for i in $(seq 300); do ln -s layer@a layer@$i; done",
                ERROR_LIMIT_EXCEEDED, "more than 256 layers");
        assert_refused(":", ERROR_NOT_A_ROOT, "has no layer@ID, no rw and no root");
        assert_refused("mkdir .v .hidden bind@usr", ERROR_NOT_A_ROOT, "has no layer@ID");
        assert_refused("mkdir layer@a other", ERROR_NOT_A_ROOT, "'other' in the stack");
        assert_refused("mkdir layer@", ERROR_NOT_A_ROOT, "is nothing that a stack can have");
        assert_refused("mkdir rwx", ERROR_NOT_A_ROOT, "is nothing that a stack can have");
        assert_refused("touch layer@a", ERROR_NOT_A_ROOT, "is not a directory");
        assert_refused("mkdir layer@a; touch layer@b.raw", ERROR_NOT_A_ROOT,
                       "'layer@b.raw' in the stack");
        assert_refused("ln -s /nowhere layer@a", ERROR_NOT_A_ROOT, "cannot be used");
        assert_refused("mkdir -p layer@a layer@a.v/layer@a_1", ERROR_NOT_A_ROOT, "is there twice");
        assert_refused("mkdir -p layer@a.v", ERROR_NOT_A_ROOT, "has no version for this machine");
        assert_refused("mkdir layer@a bind@x robind@x", ERROR_NOT_A_ROOT, "is there twice");
        assert_refused("mkdir layer@a bind@-", ERROR_NOT_A_ROOT, "names no directory to mount on");
        assert_refused("mkdir layer@a 'bind@x-..-..-y'", ERROR_NOT_A_ROOT, "names no directory");
        assert_refused("mkdir layer@a 'bind@\\x2'", ERROR_NOT_A_ROOT, "names no directory");
        assert_refused("mkdir layer@a layer@b", ERROR_NOT_A_ROOT, "is empty");
        assert_refused("cp -a ../root layer@a; mkdir bind@nowhere", ERROR_MOUNT_FAILED, "/nowhere");
}

FAKE_ROOT_MAIN
