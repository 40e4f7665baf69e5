/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clone, rename, remove, read-only, clean: in a pool on the file system of /var/tmp, and in one on btrfs. */
#include "image/image-work.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "image/image-lock.h"
#include "kill-at.h"
#include "mount-btrfs.h"
#include "own-mounts.h"
#include "pool.h"

typedef struct Care {
        Pool p;
        ImagePool pool;
        char **settings, *home;
} Care;

static void care_begin_in(Care *c, const char *where) {
        *c = (Care){ 0 };
        pool_begin_in(&c->p, where);
        pool_directory(&c->p, "etc");
        c->home = pool_at(&c->p, "first");
        ASSERT_OK(strv_consume(&c->settings, pool_at(&c->p, "etc")));
        c->pool = (ImagePool){ .places = c->p.places, .path = c->home, .settings = c->settings };
}

static void care_begin(Care *c) {
        care_begin_in(c, "/var/tmp");
}

static void care_end(Care *c) {
        pool_end(&c->p);
        strv_free(c->settings);
        free(c->home);
}

static Image *find(const Care *c, const char *name) {
        Image *i = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        if (image_lookup(c->p.places, name, &i, &e) < 0)
                TEST_FAIL("'%s' is not found: %s", name, error_message(&e));
        return i;
}

/* What is in a place: names, sorted, with spaces between. */
static char *entries(const Care *c, const char *place) {
        _cleanup_free_ char *path = pool_at(&c->p, place),
                            *command = strf("ls -A %s | LC_ALL=C sort | xargs", path);
        char line[1024] = "";
        FILE *f = popen(command, "re");
        ASSERT_NOT_NULL(f);
        if (!fgets(line, sizeof(line), f))
                line[0] = '\0';
        pclose(f);
        line[strcspn(line, "\n")] = '\0';
        return strdup(line);
}

static void assert_entries(const Care *c, const char *place, const char *expected) {
        _cleanup_free_ char *found = entries(c, place);
        ASSERT_STREQ(found, expected);
}

static void shell(const Care *c, const char *script) {
        _cleanup_free_ char *command = strf("cd %s && set -e\n%s", c->p.top, script);
        if (system(command) != 0)
                TEST_FAIL("'%s' failed", script);
}

/* A tree with something of every kind. */
static void make_rich_tree(const Care *c) {
        shell(c,
              "mkdir -p first/web/etc first/web/dev first/web/deep/er; cd first/web\n"
              "echo hello >etc/file; ln etc/file deep/er/same; ln -s ../etc/file deep/link\n"
              "ln -s /nowhere deep/broken; chmod 4751 etc/file; chown 1234:4321 etc/file\n"
              "chown -h 7:8 deep/link; mknod dev/null c 1 3; mknod dev/disk b 7 0; mkfifo dev/pipe\n"
              "chmod 666 dev/null; truncate -s 10M deep/sparse; echo end >>deep/sparse\n"
              "chmod 1777 deep/er; chown 5:6 deep; touch 'odd\nname'; : >empty\n"
              "touch -d '2001-02-03 04:05:06.789' etc/file deep/er deep; touch -hd 2002-01-01 deep/link\n"
              "python3 - <<'E'\nimport os\nos.setxattr('etc/file','user.note',b'x\\0y')\n"
              "os.setxattr('etc/file','security.capability',"
              "bytes.fromhex('0100000200040000000000000000000000000000'))\n"
              "os.setxattr('deep','trusted.overlay.opaque',b'y')\n"
              "os.setxattr('deep/link','trusted.note',b'z',follow_symlinks=False)\nE\n");
}

/* Everything that can be told of a tree, one line a file. */
static const char describe[] =
        "tell() { python3 - \"$1\" <<'E'\nimport os,sys,hashlib\nos.chdir(sys.argv[1])\nfirst={}\n"
        "for d,ds,fs in sorted(os.walk('.')):\n"
        " for n in sorted(fs+ds+(['.'] if d=='.' else [])):\n"
        "  p=os.path.join(d,n); s=os.lstat(p); k=first.setdefault(s.st_ino,p)\n"
        "  x={a:os.getxattr(p,a,follow_symlinks=False) for a in sorted(os.listxattr(p,follow_symlinks=False))}\n"
        "  import stat\n"
        "  b=hashlib.sha256(open(p,'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else os.readlink(p) if stat.S_ISLNK(s.st_mode) else s.st_rdev\n"
        "  print(repr(p),oct(s.st_mode),s.st_uid,s.st_gid,s.st_mtime_ns,s.st_nlink if not stat.S_ISDIR(s.st_mode) else 0,k,x,b,s.st_size if not stat.S_ISDIR(s.st_mode) else 0)\nE\n}\n";

static void assert_same_trees(const Care *c, const char *a, const char *b) {
        _cleanup_free_ char *script = strf(
                "%stell %s >a.txt; tell %s >b.txt; diff a.txt b.txt; test $(wc -l <a.txt) -gt 12",
                describe, a, b);
        shell(c, script);
}

TEST(clone_of_a_directory_is_the_same) {
        Care c;
        _cleanup_error_ Error e = ERROR_NULL;
        care_begin(&c);
        make_rich_tree(&c);
        pool_file(&c.p, "first/web.nspawn", "[Exec]\n");
        pool_file(&c.p, "first/web.roothash", "abc");
        pool_file(&c.p, "etc/web.berth", "[Exec]\n");
        pool_directory(&c.p, "etc/web.berth.d");
        pool_file(&c.p, "etc/web.berth.d/50-x.conf", "[Exec]\n");
        _cleanup_(image_freep) Image *i = find(&c, "web");
        if (image_clone(&c.pool, i, "copy", false, &e) < 0)
                TEST_FAIL("%s", error_message(&e));
        assert_same_trees(&c, "first/web", "first/copy");
        assert_entries(&c, "first", "copy copy.nspawn copy.roothash web web.nspawn web.roothash");
        assert_entries(&c, "etc", "copy.berth copy.berth.d web.berth web.berth.d");
        assert_entries(&c, "etc/copy.berth.d", "50-x.conf");
        shell(&c, "test $(stat -c %b first/copy/deep/sparse) -lt 2000");
        care_end(&c);
}

/* As with --template=: anywhere, and without what belongs to an image by its name. */
TEST(a_directory_of_a_template) {
        Care c;
        struct stat st;
        care_begin(&c);
        make_rich_tree(&c);
        _cleanup_free_ char *template = pool_at(&c.p, "first/web"),
                            *directory = pool_at(&c.p, "second/site.raw"),
                            *inside = pool_at(&c.p, "first/web/x");
        _cleanup_error_ Error e = ERROR_NULL;
        if (image_make_from(template, directory, &e) != 1)
                TEST_FAIL("%s", error_message(&e));
        assert_same_trees(&c, "first/web", "second/site.raw");
        assert_entries(&c, "second", "site.raw");
        /* once */
        pool_file(&c.p, "second/site.raw/mine", "kept");
        ASSERT_EQ(image_make_from(template, directory, NULL), 0);
        ASSERT_TRUE(pool_has(&c.p, "second/site.raw/mine"));
        ASSERT_TRUE(image_make_from(template, inside, &e) < 0);
        ASSERT_CONTAINS(error_message(&e), "which it would be in");
        ASSERT_TRUE(lstat(inside, &st) < 0);
        error_done(&e);
        /* not while somebody changes it */
        ASSERT_OK(stat(template, &st));
        _cleanup_close_ int busy = lock_take_inode(&st, LOCK_MODE_EXCLUSIVE);
        _cleanup_free_ char *other = pool_at(&c.p, "second/other");
        ASSERT_TRUE(image_make_from(template, other, &e) < 0);
        ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
        assert_entries(&c, "second", "site.raw");
        care_end(&c);
}

TEST(clone_of_a_file) {
        Care c;
        care_begin(&c);
        shell(&c,
              "truncate -s 20M first/disk.raw; echo x | dd of=first/disk.raw bs=1 seek=5000000 "
              "conv=notrunc status=none; chmod 444 first/disk.raw; echo hash >first/disk.roothash\n"
              "mkdir second/plain");
        _cleanup_(image_freep) Image *i = find(&c, "disk"), *tree = find(&c, "plain");
        ASSERT_OK(image_clone(&c.pool, i, "disk2", false, NULL));
        ASSERT_OK(image_clone(&c.pool, i, "disk3", true, NULL));
        ASSERT_OK(image_clone(&c.pool, tree, ".hidden", false, NULL));
        assert_entries(&c, "first",
                       ".hidden disk.raw disk.roothash disk2.raw disk2.roothash disk3.raw "
                       "disk3.roothash");
        shell(&c,
              "cmp first/disk.raw first/disk2.raw; cmp first/disk.raw first/disk3.raw\n"
              "test $(stat -c %a-%a-%a first/disk2.raw) = 644-644-644; test $(stat -c %a first/disk3.raw) = 444\n"
              "test $(stat -c %b first/disk2.raw) -lt 1000");
        care_end(&c);
}

TEST(what_is_refused) {
        Care c;
        care_begin(&c);
        pool_directory(&c.p, "second/web");
        pool_directory(&c.p, "second/db");
        pool_file(&c.p, "second/notes", "");
        pool_directory(&c.p, "first/app.v");
        pool_directory(&c.p, "first/app.v/app_1");
        _cleanup_(image_freep) Image *web = find(&c, "web"), *app = find(&c, "app");
        static const struct {
                const char *name, *words;
                int code;
        } rows[] = {
                { "db", "There is an image 'db' already", -EEXIST },
                { "web", "There is an image 'web' already", -EEXIST },
                { "notes", "There is an image 'notes' already", -EEXIST },
                { "a/b", "Invalid image name 'a/b'", -EINVAL },
                { "app2.v", "No new image can be named 'app2.v': that is a directory", -EINVAL },
                { "a.mstack", "that is a stack of layers", -EINVAL },
                { ".#x", "Invalid image name '.#x'", -EINVAL },
        };
        for (size_t k = 0; k < ELEMENTSOF(rows); k++) {
                _cleanup_error_ Error clone = ERROR_NULL, rename = ERROR_NULL;
                ASSERT_EQ(image_clone(&c.pool, web, rows[k].name, false, &clone), rows[k].code);
                ASSERT_CONTAINS(clone.message, rows[k].words);
                ASSERT_EQ(image_rename(&c.pool, web, rows[k].name, &rename), rows[k].code);
                ASSERT_CONTAINS(rename.message, rows[k].words);
        }
        _cleanup_error_ Error e = ERROR_NULL, f = ERROR_NULL, g = ERROR_NULL, h = ERROR_NULL;
        ASSERT_ERROR(image_remove(&c.pool, app, &e), EOPNOTSUPP);
        ASSERT_CONTAINS(
                e.message,
                "Image 'app' is a directory of versions, and cannot be renamed or removed as one");
        ASSERT_ERROR(image_set_limit(&c.pool, web, 1 << 20, &f), EOPNOTSUPP);
        ASSERT_CONTAINS(f.message, "only subvolumes of btrfs can");
        web->kind = IMAGE_BLOCK;
        ASSERT_ERROR(image_clone(&c.pool, web, "copy", false, &h), EOPNOTSUPP);
        ASSERT_CONTAINS(h.message, "Image 'web' is a block device, and cannot be cloned");
        ASSERT_CONTAINS(h.hint, "copy its contents into the file ");
        ASSERT_CONTAINS(h.hint, "/copy.raw");
        web->vendor = true;
        ASSERT_ERROR(image_remove(&c.pool, web, &g), EROFS);
        ASSERT_CONTAINS(g.message, "belongs to the system, and is not changed");
        assert_entries(&c, "first", "app.v");
        assert_entries(&c, "second", "db notes web");
        care_end(&c);
}

TEST(in_use) {
        Care c;
        care_begin(&c);
        pool_directory(&c.p, "first/web");
        _cleanup_(image_freep) Image *i = find(&c, "web");
        _cleanup_close_ int reader = lock_take_inode(&i->st, LOCK_MODE_SHARED);
        ASSERT_OK(reader);
        _cleanup_error_ Error e = ERROR_NULL, f = ERROR_NULL;
        ASSERT_ERROR(image_remove(&c.pool, i, &e), EBUSY);
        ASSERT_EQ(e.id, ERROR_ROOT_BUSY);
        ASSERT_CONTAINS(e.message, "Image 'web' is in use by process ");
        ASSERT_ERROR(image_rename(&c.pool, i, "b", NULL), EBUSY);
        ASSERT_ERROR(image_mark_read_only(&c.pool, i, true, NULL), EBUSY);
        ASSERT_OK(image_clone(&c.pool, i, "copy", false,
                              NULL)); /* readers do not disturb each other */
        reader = fd_close(reader);
        _cleanup_close_ int writer = lock_take_inode(&i->st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(writer);
        ASSERT_ERROR(image_clone(&c.pool, i, "copy2", false, &f), EBUSY);
        assert_entries(&c, "first", "copy web");
        writer = fd_close(writer);
        /* the same with the lock file of systemd, beside it */
        _cleanup_close_ int beside = lock_take(c.home, ".#web.lck", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(beside);
        ASSERT_ERROR(image_remove(&c.pool, i, NULL), EBUSY);
        beside = fd_close(beside);
        ASSERT_OK(image_remove(&c.pool, i, NULL));
        assert_entries(&c, "first", "copy"); /* and no lock files */
        care_end(&c);
}

TEST(renaming) {
        Care c;
        care_begin(&c);
        make_rich_tree(&c);
        pool_file(&c.p, "first/web.nspawn", "new");
        pool_file(&c.p, "etc/web.berth", "");
        pool_file(&c.p, "first/disk.raw", "");
        pool_link(&c.p, "web", "first/link");
        _cleanup_(image_freep) Image *web = find(&c, "web"), *disk = find(&c, "disk"),
                                     *link = find(&c, "link");
        ASSERT_OK(image_rename(&c.pool, link, "other", NULL));
        ASSERT_OK(image_rename(&c.pool, web, "db", NULL));
        ASSERT_OK(image_rename(&c.pool, disk, "disk2", NULL));
        assert_entries(&c, "first", "db db.nspawn disk2.raw other");
        assert_entries(&c, "etc", "db.berth");
        care_end(&c);
}

TEST(read_only) {
        Care c;
        Error e = ERROR_NULL;
        care_begin(&c);
        make_rich_tree(&c);
        pool_file(&c.p, "first/disk.raw", "");
        _cleanup_(image_freep) Image *web = find(&c, "web"), *disk = find(&c, "disk");
        ASSERT_OK(image_mark_read_only(&c.pool, disk, true, NULL));
        shell(&c, "test $(stat -c %a first/disk.raw) = 444");
        ASSERT_OK(image_mark_read_only(&c.pool, disk, false, NULL));
        shell(&c, "test $(stat -c %a first/disk.raw) = 644");
        int r = image_mark_read_only(&c.pool, web, true, &e);
        if (r == -EOPNOTSUPP) {
                error_done(&e);
                care_end(&c);
                TEST_SKIP("the file system of /var/tmp has no immutable directories");
        }
        ASSERT_OK(r);
        image_read_details(web);
        ASSERT_TRUE(web->read_only);
        /* it can be renamed, cloned and removed all the same */
        ASSERT_OK(image_rename(&c.pool, web, "db", NULL));
        _cleanup_(image_freep) Image *db = find(&c, "db");
        image_read_details(db);
        ASSERT_TRUE(db->read_only);
        ASSERT_OK(image_clone(&c.pool, db, "copy", false, NULL));
        ASSERT_OK(image_clone(&c.pool, db, "copy2", true, NULL));
        _cleanup_(image_freep) Image *copy = find(&c, "copy"), *copy2 = find(&c, "copy2");
        image_read_details(copy);
        image_read_details(copy2);
        ASSERT_FALSE(copy->read_only);
        ASSERT_TRUE(copy2->read_only);
        ASSERT_OK(image_remove(&c.pool, db, NULL));
        ASSERT_OK(image_remove(&c.pool, copy2, NULL));
        assert_entries(&c, "first", "copy disk.raw");
        care_end(&c);
}

TEST(removal) {
        Care c;
        _cleanup_error_ Error e = ERROR_NULL;
        care_begin(&c);
        make_rich_tree(&c);
        pool_directory(&c.p, "outside");
        pool_file(&c.p, "outside/precious", "x");
        pool_file(&c.p, "first/web.berth", "");
        pool_file(&c.p, "etc/web.nspawn", "");
        pool_link(&c.p, "../../outside", "first/web/out");
        pool_link(&c.p, "../outside", "first/link");
        /* deeper than descriptors go */
        shell(&c,
              "cd first/web; python3 - <<'E'\nimport os\nfor i in range(700):\n os.mkdir('d'*50); os.chdir('d'*50)\nE\n");
        _cleanup_(image_freep) Image *web = find(&c, "web"), *link = find(&c, "link");
        _cleanup_free_ char *mounted = pool_at(&c.p, "first/web/etc");
        ASSERT_OK(mount("tmpfs", mounted, "tmpfs", 0, NULL));
        ASSERT_ERROR(image_remove(&c.pool, web, &e), EBUSY);
        ASSERT_CONTAINS(e.message, "Image 'web' is in use: something is mounted on '");
        ASSERT_OK(umount(mounted));
        ASSERT_OK(image_remove(&c.pool, web, NULL));
        ASSERT_OK(image_remove(&c.pool, link, NULL));
        assert_entries(&c, "first", "");
        assert_entries(&c, "etc", "");
        ASSERT_TRUE(pool_has(&c.p, "outside/precious"));
        care_end(&c);
}

static int stop_at(void *userdata, uint64_t files, uint64_t bytes) {
        unsigned *left = userdata;
        return (*left)-- == 0 ? -ECANCELED : 0;
}

TEST(cancel) {
        Care c;
        unsigned left = 5;
        _cleanup_error_ Error e = ERROR_NULL;
        care_begin(&c);
        make_rich_tree(&c);
        c.pool.tick = stop_at;
        c.pool.userdata = &left;
        _cleanup_(image_freep) Image *i = find(&c, "web");
        ASSERT_ERROR(image_clone(&c.pool, i, "copy", false, &e), ECANCELED);
        ASSERT_CONTAINS(e.message, "was given up");
        assert_entries(&c, "first", "web");
        care_end(&c);
}

static int hear(void *userdata, const char *name, uint64_t bytes) {
        return strv_extend(userdata, name);
}

/* Who is killed leaves things; others' things stay. */
TEST(leftovers) {
        Care c;
        care_begin(&c);
        pool_directory(&c.p, "first/web");
        pool_directory(&c.p, "first/.#web.0123abcd"); /* nobody's */
        pool_file(&c.p, "first/.#web.0123abcd/x", "");
        pool_file(&c.p, "first/.#web.0123abcd.lck", "");
        pool_directory(&c.p, "first/.#busy.11111111");
        pool_file(&c.p, "first/.#web.lck", ""); /* systemd's */
        pool_directory(&c.p, "first/.#db0123456789abcdef");
        pool_file(&c.p, "etc/gone.berth", "");
        pool_file(&c.p, "etc/web.berth", "");
        _cleanup_close_ int busy = lock_take(c.home, ".#busy.11111111.lck", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(busy);
        _cleanup_close_ int promise = lock_take(c.home, ".#gone.22222222.lck", LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(promise);
        ASSERT_TRUE(dprintf(promise, "I%s/gone%cS%s/gone.berth%cI%s/web%cS%s/web.berth%c", c.home,
                            0, c.settings[0], 0, c.home, 0, c.settings[0], 0) > 0);
        promise = fd_close(promise);
        ASSERT_EQ(image_reclaim(&c.pool, NULL), 2);
        assert_entries(&c, "first",
                       ".#busy.11111111 .#busy.11111111.lck .#db0123456789abcdef .#web.lck web");
        assert_entries(&c, "etc", "web.berth");
        busy = fd_close(busy);
        ASSERT_EQ(image_reclaim(&c.pool, NULL), 1);
        care_end(&c);
}

TEST(cleaning) {
        Care c;
        _cleanup_strv_free_ char **removed = NULL;
        care_begin(&c);
        pool_directory(&c.p, "first/web");
        pool_directory(&c.p, "first/.tar-x");
        pool_directory(&c.p, "second/.tar-y");
        pool_file(&c.p, "second/db.raw", "");
        _cleanup_(image_freep) Image *y = find(&c, ".tar-y");
        _cleanup_close_ int lock = lock_take_inode(&y->st, LOCK_MODE_SHARED);
        ASSERT_OK(lock);
        ASSERT_OK(image_clean(&c.pool, CLEAN_HIDDEN, hear, &removed, NULL));
        _cleanup_free_ char *first = strv_join(removed, " ");
        ASSERT_STREQ(first, ".tar-x");
        removed = strv_free(removed);
        lock = fd_close(lock);
        ASSERT_OK(image_clean(&c.pool, CLEAN_ALL, hear, &removed, NULL));
        _cleanup_free_ char *rest = strv_join(removed, " ");
        ASSERT_STREQ(rest, ".tar-y db web");
        care_end(&c);
}

TEST(measuring) {
        Care c;
        ImageUsage u;
        care_begin(&c);
        shell(&c,
              "mkdir -p first/web/a; head -c 5000 /dev/zero >first/web/a/f; ln first/web/a/f first/web/g\n"
              "truncate -s 1G first/web/hole; ln -s x first/web/l");
        _cleanup_(image_freep) Image *i = find(&c, "web");
        ASSERT_OK(image_measure(&c.pool, i, &u, NULL));
        ASSERT_EQ(u.files, 5);
        ASSERT_EQ(u.bytes, 5000 + (1LL << 30));
        ASSERT_TRUE(u.disk >= 5000 && u.disk < 1 << 20);
        care_end(&c);
}

/* ---- killed ---- */

typedef int (*Change)(const void *of);
static int change_clone(const void *of) {
        const Care *c = of;
        Image *i = find(c, "web");
        return image_clone(&c->pool, i, "db", false, NULL);
}
static int change_make(const void *of) {
        const Care *c = of;
        _cleanup_free_ char *template = pool_at(&c->p, "first/web"),
                            *directory = pool_at(&c->p, "first/db");
        return image_make_from(template, directory, NULL) > 0 ? 0 : -EIO;
}
static int change_rename(const void *of) {
        const Care *c = of;
        Image *i = find(c, "web");
        return image_rename(&c->pool, i, "db", NULL);
}
static int change_remove(const void *of) {
        const Care *c = of;
        Image *i = find(c, "web");
        return image_remove(&c->pool, i, NULL);
}

static void assert_all_or_nothing(Change change, const char *const *states) {
        bool seen[2] = { false, false };
        for (unsigned n = 1;; n++) {
                Care c;
                care_begin_in(&c, "/mnt"); /* in memory: disks are slow */
                shell(&c,
                      "mkdir -p first/web/a; echo x >first/web/a/f; echo x >first/web/b; echo x >first/web.nspawn; "
                      "mkdir etc/web.berth.d; echo x >etc/web.berth.d/a.conf");
                const bool ended = killed_at_call(n, change, &c);
                ASSERT_OK(image_reclaim(&c.pool, NULL));
                shell(&c, "rm -f first/.#*.lck"); /* systemd's own stay behind, too */
                _cleanup_free_ char *first = entries(&c, "first"), *etc = entries(&c, "etc"),
                                    *both = strjoin(first, " / ", etc);
                const bool is_old = streq(both, states[0]), is_new = streq(both, states[1]);
                if (!is_old && !is_new)
                        TEST_FAIL("killed at call %u: '%s'", n, both);
                seen[0] = seen[0] || is_old;
                seen[1] = seen[1] || is_new;
                if (is_new && !streq(states[1], " / "))
                        shell(&c,
                              "for i in first/*/; do test \"$(cat $i/a/f $i/b | xargs)\" = 'x x'; done");
                care_end(&c);
                if (ended)
                        break;
        }
        ASSERT_TRUE(seen[0] && seen[1]);
}

TEST(killed_at_every_call_of_a_clone) {
        assert_all_or_nothing(change_clone,
                              (const char *const[]){ "web web.nspawn / web.berth.d",
                                                     "db db.nspawn web web.nspawn / db.berth.d "
                                                     "web.berth.d" });
}

TEST(killed_at_every_call_of_a_template) {
        assert_all_or_nothing(change_make,
                              (const char *const[]){ "web web.nspawn / web.berth.d",
                                                     "db web web.nspawn / web.berth.d" });
}

TEST(killed_at_every_call_of_a_rename) {
        assert_all_or_nothing(change_rename, (const char *const[]){ "web web.nspawn / web.berth.d",
                                                                    "db db.nspawn / db.berth.d" });
}

TEST(killed_at_every_call_of_a_removal) {
        assert_all_or_nothing(change_remove,
                              (const char *const[]){ "web web.nspawn / web.berth.d", " / " });
}

/* ---- btrfs ---- */

TEST(subvolumes) {
        Care c;
        mount_btrfs("/mnt/k", "256M");
        care_begin_in(&c, "/mnt/k/fs");
        shell(&c,
              "cd first; btrfs -q subvolume create web; mkdir web/a; echo x >web/a/f\n"
              "btrfs -q subvolume create web/a/inner; echo y >web/a/inner/g; btrfs -q subvolume create web/a/inner/most\n"
              "echo z >web/a/inner/most/h; mkdir plain; echo p >plain/f");
        _cleanup_(image_freep) Image *web = find(&c, "web"), *plain = find(&c, "plain");
        ASSERT_EQ(web->kind, IMAGE_SUBVOLUME);
        ASSERT_EQ(plain->kind, IMAGE_DIRECTORY);
        _cleanup_close_ int busy = lock_take_inode(&web->st, LOCK_MODE_EXCLUSIVE);
        ASSERT_OK(image_clone(&c.pool, web, "copy", true,
                              NULL)); /* a snapshot may be taken of what runs */
        busy = fd_close(busy);
        ASSERT_OK(image_clone(&c.pool, plain, "copy2", false, NULL));
        _cleanup_(image_freep) Image *copy = find(&c, "copy"), *copy2 = find(&c, "copy2");
        ASSERT_EQ(copy->kind, IMAGE_SUBVOLUME);
        ASSERT_EQ(copy2->kind, IMAGE_SUBVOLUME);
        image_read_details(copy);
        ASSERT_TRUE(copy->read_only);
        ASSERT_TRUE(copy->birth_usec > 0);
        shell(&c,
              "cd first; test $(cat copy/a/f copy/a/inner/g copy/a/inner/most/h | tr -d '\\n') = xyz\n"
              "test $(cat copy2/f) = p; ! touch copy/new 2>/dev/null; ! touch copy/a/inner/new 2>/dev/null\n"
              "touch web/new web/a/inner/new");
        _cleanup_free_ char *template = pool_at(&c.p, "first/web"),
                            *made = pool_at(&c.p, "second/made");
        ASSERT_EQ(image_make_from(template, made, NULL), 1);
        _cleanup_(image_freep) Image *snapshot = find(&c, "made");
        ASSERT_EQ(snapshot->kind, IMAGE_SUBVOLUME);
        shell(&c, "touch second/made/new second/made/a/inner/most/new");
        ASSERT_OK(image_remove(&c.pool, snapshot, NULL));
        ASSERT_OK(image_rename(&c.pool, copy, "copy3", NULL));
        _cleanup_(image_freep) Image *copy3 = find(&c, "copy3");
        image_read_details(copy3);
        ASSERT_TRUE(copy3->read_only);
        ASSERT_OK(image_mark_read_only(&c.pool, copy3, false, NULL));
        shell(&c, "touch first/copy3/new");
        ASSERT_OK(image_set_limit(&c.pool, web, 64 << 20, NULL));
        _cleanup_(image_freep) Image *again = find(&c, "web");
        image_read_details(again);
        /* all that is there already is counted in the background */
        for (unsigned n = 0; n < 3000 && (again->usage == 0 || again->usage == IMAGE_SIZE_UNKNOWN);
             n++) {
                usleep(10000);
                image_read_details(again);
        }
        ASSERT_EQ(again->limit, 64 << 20);
        ASSERT_TRUE(again->usage != IMAGE_SIZE_UNKNOWN && again->usage > 0);
        ASSERT_OK(image_set_limit(&c.pool, web, IMAGE_SIZE_UNKNOWN, NULL));
        image_read_details(again);
        ASSERT_TRUE(again->limit == IMAGE_SIZE_UNKNOWN);
        ASSERT_OK(image_remove(&c.pool, copy3, NULL));
        ASSERT_OK(image_remove(&c.pool, web, NULL));
        ASSERT_OK(image_remove(&c.pool, copy2, NULL));
        assert_entries(&c, "first", "plain");
        shell(&c, "test -z \"$(btrfs subvolume list -o .)\" ");
        care_end(&c);
        unmount_btrfs("/mnt/k");
}

OWN_MOUNTS_MAIN
