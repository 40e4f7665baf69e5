/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of cli/autostart.c and of the names in cli/stopped.c: directories as systemd and administrators leave them. */
#include "cli/autostart.h"

#include <ftw.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "cli/stopped.h"

#include "test.h"

static char directory[] = "/tmp/test-autostart-XXXXXX";

static void begin(void) {
        ASSERT_TRUE(mkdtemp(strcpy(directory, "/tmp/test-autostart-XXXXXX")) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
        return remove(path);
}

static void end(void) {
        ASSERT_OK(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

static void add_directory(const char *name) {
        _cleanup_free_ char *path = strjoin(directory, "/", name);
        ASSERT_OK(mkdir_parents(path, 0755));
        ASSERT_TRUE(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void add_link(const char *name, const char *target) {
        _cleanup_free_ char *path = strjoin(directory, "/", name);
        ASSERT_OK(symlink(target, path));
}

static void add_file(const char *name, const char *text) {
        _cleanup_free_ char *path = strjoin(directory, "/", name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ASSERT_OK(fd);
        ASSERT_OK(fd_write_full(fd, text, strlen(text)));
}

static char *list(void) {
        _cleanup_free_ char *etc = strjoin(directory, "/etc"), *run = strjoin(directory, "/run"),
                            *none = strjoin(directory, "/none");
        char *const places[] = { etc, none, run, NULL };
        _cleanup_strv_free_ char **names = NULL;

        ASSERT_OK(autostart_list_in(places, &names, NULL));
        return strv_join(names, " ");
}

TEST(links) {
        begin();
        add_directory("etc");
        _cleanup_free_ char *none = list();
        ASSERT_STREQ(none, "");

        add_directory("etc/machines.target.wants");
        add_directory("etc/app.service.requires");
        add_directory("run/x.target.upholds");
        add_directory("etc/other.d");
        const char *const unit = "/usr/lib/systemd/system/berth@.service";
        add_link("etc/machines.target.wants/berth@web.service", unit);
        add_link("etc/machines.target.wants/berth@masked.service", unit);
        add_link("etc/machines.target.wants/berth@emptied.service", unit);
        add_link("etc/machines.target.wants/berth@.service", unit);
        add_link("etc/machines.target.wants/berth@a b.service", unit);
        add_link("etc/machines.target.wants/berth@x.socket", unit);
        add_link("etc/machines.target.wants/cron.service", unit);
        add_link("etc/app.service.requires/berth@db.service", "/nonexistent");
        add_link("run/x.target.upholds/berth@web.service", unit); /* twice */
        add_link("run/x.target.upholds/berth@a.b-c.service", unit);
        add_link("etc/other.d/berth@other.service", unit);
        add_link("etc/berth@masked.service", "/dev/null");
        add_file("run/berth@emptied.service", "");
        add_file("etc/berth@db.service", "[Service]\n"); /* somebody's own, not a mask */
        _cleanup_free_ char *all = list();
        ASSERT_STREQ(all, "a.b-c db web");
        end();
}

TEST(contains) {
        char a[] = "a", db[] = "db", web[] = "web", *names[] = { a, db, web, NULL };

        ASSERT_TRUE(autostart_contains(names, "db"));
        ASSERT_TRUE(autostart_contains(names, "web"));
        ASSERT_FALSE(autostart_contains(names, "d"));
        ASSERT_FALSE(autostart_contains(NULL, "web"));
}

TEST(settings_files) {
        _cleanup_strv_free_ char **names = NULL;

        begin();
        _cleanup_free_ char *etc = strjoin(directory, "/etc"), *none = strjoin(directory, "/none");
        char *const places[] = { none, etc, NULL };
        add_directory("etc/web.berth.d");
        add_directory("etc/tree.berth");
        add_file("etc/web.berth", "");
        add_file("etc/web.nspawn", "");
        add_file("etc/db.nspawn", "");
        add_file("etc/.berth", "");
        add_file("etc/-x.berth", "");
        add_file("etc/web.conf", "");
        add_link("etc/off.berth", "/dev/null");
        add_link("etc/lost.berth", "/nonexistent");
        ASSERT_OK(stopped_settings_names(places, &names));
        ASSERT_EQ(strv_length(names), 2);
        ASSERT_TRUE(strv_contains(names, "web"));
        ASSERT_TRUE(strv_contains(names, "db"));
        end();
}

TEST_MAIN
