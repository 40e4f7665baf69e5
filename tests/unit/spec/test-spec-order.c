/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dependencies of settings files: names, drop-ins, what is wrong with them. */
#include "spec/spec-order.h"

#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/strv.h"
#include "spec-helpers.h"

TEST(names) {
        static const char *const good[] = { "db",
                                            "a.b-c_d",
                                            "network-online.target",
                                            "berth@db.service",
                                            "dev-sda\\x2d1.device",
                                            "a:b.mount" };
        static const char *const bad[] = { "",           "-db",        "a b",      "@.service",
                                           "x@.service", "@x.service", ".service", "a/b.mount",
                                           "db@x",       "%i" };
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ASSERT_TRUE(dependency_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_TRUE(!dependency_is_valid(bad[i]));

        _cleanup_free_ char *unit = dependency_to_unit("db"),
                            *same = dependency_to_unit("x.target"),
                            *name = dependency_to_container("db"),
                            *of_unit = dependency_to_container("berth@db.service");
        ASSERT_STREQ(unit, "berth@db.service");
        ASSERT_STREQ(same, "x.target");
        ASSERT_STREQ(name, "db");
        ASSERT_STREQ(of_unit, "db");
        ASSERT_TRUE(!dependency_to_container("x.target"));
        ASSERT_TRUE(!dependency_to_container("berth@-.service"));
}

typedef struct Place {
        char directory[32], *settings[2], *none[1];
        OrderPlaces places;
} Place;

static void place_init(Place *p) {
        strcpy(p->directory, "/tmp/test-order-XXXXXX");
        ASSERT_TRUE(mkdtemp(p->directory));
        p->settings[0] = p->directory;
        p->settings[1] = NULL;
        p->none[0] = NULL;
        p->places = (OrderPlaces){ p->settings, p->none, p->none };
}

static void place_done(Place *p) {
        static const char *const names[] = { "web", "db", "cache", "bad" };
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = strjoin(p->directory, "/", names[i], ".berth");
                (void) unlink(path);
        }
        (void) rmdir(p->directory);
}

static void settings(const Place *p, const char *name, const char *text) {
        _cleanup_free_ char *path = strjoin(p->directory, "/", name, ".berth");
        _cleanup_free_ char *whole = strjoin("[Lifecycle]\n", text);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ASSERT_TRUE(fd >= 0);
        ASSERT_OK(fd_write_full(fd, whole, strlen(whole)));
}

TEST(drop_in) {
        _cleanup_(place_done) Place p;
        _cleanup_free_ char *text = NULL, *none = NULL;
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        place_init(&p);
        settings(
                &p, "web",
                "After=db db\nAfter=network-online.target web\nRequires=db\nWants=berth@web.service\n"
                "Before=%i-front\n");
        settings(&p, "db", "StartDelaySec=3\n");
        settings(&p, "bad", "After=not/a/name\n");
        ASSERT_OK(order_drop_in_load("web", &p.places, &text, &e));
        ASSERT_STREQ(text, "# Written by berth-generator, from the settings.\n[Unit]\n"
                           "After=berth@db.service network-online.target\n"
                           "Before=berth@web-front.service\nRequires=berth@db.service\n");
        ASSERT_OK(order_drop_in_load("db", &p.places, &none, &e));
        ASSERT_STREQ(none, "");
        ASSERT_TRUE(order_drop_in_load("bad", &p.places, &none, &e) < 0);
        ASSERT_CONTAINS(e.message, "bad.berth:2");
        ASSERT_CONTAINS(e.message, "names of containers, or of units");
        ASSERT_OK(order_list_containers(&p.places, &names));
        _cleanup_free_ char *list = strv_join(names, " ");
        ASSERT_STREQ(list, "bad db web");
}

/* A container may be called like a unit of the host's; in a list such a word is the unit. */
TEST(names_like_units) {
        _cleanup_(place_done) Place p;
        _cleanup_free_ char *text = NULL, *unit = container_to_unit("sshd.service");
        _cleanup_error_ Error e = ERROR_NULL;

        ASSERT_STREQ(unit, "berth@sshd.service.service");
        place_init(&p);
        settings(&p, "sshd.service", "After=sshd.service db\n");
        ASSERT_OK(order_drop_in_load("sshd.service", &p.places, &text, &e));
        ASSERT_STREQ(text, "# Written by berth-generator, from the settings.\n[Unit]\n"
                           "After=sshd.service berth@db.service\n");
}

static char *warnings_of(const Place *p, const char *name) {
        _cleanup_draft_ SpecDraft *d = NULL;
        ASSERT_OK(order_load(name, &p->places, &d, NULL));
        ASSERT_OK(order_check(d, &p->places));
        return strv_join(spec_draft_warnings(d), "\n");
}

TEST(what_is_wrong) {
        _cleanup_(place_done) Place p;

        place_init(&p);
        settings(&p, "web", "After=db\nRequires=db\n");
        settings(&p, "db", "After=cache\n");
        settings(&p, "bad", "After=/\n"); /* is nobody's business */
        _cleanup_free_ char *good = warnings_of(&p, "web");
        ASSERT_STREQ(good, "");
        settings(&p, "cache", "After=berth@web.service\n");
        _cleanup_free_ char *cycle = warnings_of(&p, "web");
        ASSERT_CONTAINS(cycle,
                        "The order leads back to itself: 'cache' starts after 'web', 'db' starts "
                        "after 'cache', 'web' starts after 'db';");
        settings(&p, "cache", "\n");
        settings(&p, "db", "After=x.target\nBefore=x.target db\nRequires=cache\n");
        _cleanup_free_ char *several = warnings_of(&p, "db");
        ASSERT_CONTAINS(several, "'x.target' starts after 'db', 'db' starts after 'x.target'");
        ASSERT_CONTAINS(several, "Ignoring Before=db: a container cannot wait for itself");
        ASSERT_CONTAINS(several, "Requires=cache without After=cache: 'db' does not wait for it");
}

TEST(values) {
        ASSERT_PRINTS("After", "db  x.target db", "After=db x.target\n");
        ASSERT_REFUSED("Requires", "a b/c", "names of containers, or of units");
        ASSERT_REFUSED("Wants", "'a", "a list of names");
        ASSERT_PRINTS("StartDelaySec", "90", "StartDelaySec=1min 30s\n");
        ASSERT_PRINTS("StartDelaySec", "0", "");
        ASSERT_REFUSED("StartDelaySec", "601s", "a time span of at most 10min");
        ASSERT_REFUSED("StartDelaySec", "infinity", "a time span of at most 10min");
}
TEST_MAIN
