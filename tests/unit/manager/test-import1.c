/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* berthd as org.freedesktop.import1 on a private bus; this program stands in for berth-transfer. */
#include "host.h"

#include "basic/fd.h"
#include "basic/strv.h"
#include "ipc/transfer.h"
#include "ipc/worker.h"
#include "manager/import1.h"

/* ---- the transfer's side ---- */

static _noreturn_ void wait_for_end(void) {
        struct pollfd p = { .fd = TRANSFER_LINK_FD };
        while (poll(&p, 1, -1) <= 0)
                ;
        _exit(1);
}

/* What it does depends on the image's name. */
static int stand_in(void) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *input = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        TransferRequest q;
        size_t size = 0;
        char c;
        if (transfer_request_read(TRANSFER_REQUEST_FD, &words) < 0 ||
            transfer_request_parse(words, &q, &e) < 0 || read(TRANSFER_HOLD_FD, &c, 1) != 0)
                return 1;
        if (startswith(q.name, "hang"))
                wait_for_end();
        if (startswith(q.name, "half")) {
                static const char lines[] = "1 10 200\n2 50 200\n";
                if (write(TRANSFER_PROGRESS_FD, lines, strlen(lines)) > 0)
                        wait_for_end();
        }
        if (streq(q.name, "die"))
                return 1;
        if (streq(q.name, "fail")) {
                (void) error_set(&e, -EIO, ERROR_FAILED, "It is broken");
                error_hint(&e, "mend it");
                return worker_answer_error(TRANSFER_LINK_FD, &e) < 0;
        }
        if (transfer_is_export(q.type))
                return write(STDOUT_FILENO, "image", 5) != 5 ||
                       worker_answer(TRANSFER_LINK_FD, "PATH=/p", 8, NULL, 0) < 0;
        if (q.type == TRANSFER_IMPORT_TAR && fd_read_all(STDIN_FILENO, 100, &input, &size) < 0)
                return 1;
        /* the answer tells what was asked */
        _cleanup_free_ char *all = strv_join(words, ","),
                            *path = strjoin("PATH=", all, ",", strempty(input));
        return !path || worker_answer(TRANSFER_LINK_FD, path, strlen(path) + 1, NULL, 0) < 0;
}

/* ---- the caller's side ---- */

typedef struct Seen {
        char text[4096]; /* of signals, one a line */
} Seen;

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        Seen *s = userdata;
        const char *member = sd_bus_message_get_member(m), *path, *text;
        const size_t n = strlen(s->text);
        uint32_t number;
        if (streq(member, "LogMessage")) {
                ASSERT_OK(sd_bus_message_read(m, "us", &number, &text));
                (void) snprintf(s->text + n, sizeof(s->text) - n, "%u %s\n", number, text);
        } else if (streq(member, "ProgressUpdate")) {
                double progress;
                ASSERT_OK(sd_bus_message_read(m, "d", &progress));
                (void) snprintf(s->text + n, sizeof(s->text) - n, "progress %.2f\n", progress);
        } else if (streq(member, "TransferNew")) {
                ASSERT_OK(sd_bus_message_read(m, "uo", &number, &path));
                (void) snprintf(s->text + n, sizeof(s->text) - n, "new %u %s\n", number, path);
        } else if (streq(member, "TransferRemoved")) {
                ASSERT_OK(sd_bus_message_read(m, "uos", &number, &path, &text));
                (void) snprintf(s->text + n, sizeof(s->text) - n, "removed %u %s\n", number, text);
        }
        return 0;
}

static pid_t owner(Host *h) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        pid_t pid = 0;
        if (sd_bus_get_name_creds(h->bus, IMPORT1_BUS_NAME, SD_BUS_CREDS_PID, &creds) >= 0)
                ASSERT_OK(sd_bus_creds_get_pid(creds, &pid));
        return pid;
}

static void expect_owner(Host *h, pid_t pid) {
        for (unsigned i = 0; i < 3000; i++) {
                if (owner(h) == pid)
                        return;
                usleep(10000);
        }
        TEST_FAIL("process %d does not get the name", (int) pid);
}

static void begin(Host *h, Seen *s) {
        host_start(h);
        expect_owner(h, h->manager);
        *s = (Seen){ 0 };
        ASSERT_OK(sd_bus_match_signal(h->bus, NULL, IMPORT1_BUS_NAME, NULL, NULL, NULL, on_signal,
                                      s));
}

/* Until this was told. */
static void expect(Host *h, Seen *s, const char *text) {
        const usec_t until = now_usec(CLOCK_MONOTONIC) + 30 * USEC_PER_SEC;
        while (!strstr(s->text, text)) {
                if (now_usec(CLOCK_MONOTONIC) > until)
                        TEST_FAIL("'%s' was not told, but:\n%s", text, s->text);
                while (sd_bus_process(h->bus, NULL) > 0)
                        ;
                (void) sd_bus_wait(h->bus, 10 * USEC_PER_MSEC);
        }
}

static int call(Host *h, const char *member, sd_bus_error *e, sd_bus_message **reply,
                const char *signature, ...) {
        va_list ap;
        va_start(ap, signature);
        int r = sd_bus_call_methodv(h->bus, IMPORT1_BUS_NAME, IMPORT1_MANAGER_PATH,
                                    IMPORT1_MANAGER_INTERFACE, member, e, reply, signature, ap);
        va_end(ap);
        return r;
}

#define ASSERT_FAILS(error_name, words, member, ...)                              \
        do {                                                                      \
                _cleanup_(sd_bus_error_free) sd_bus_error _e = SD_BUS_ERROR_NULL; \
                ASSERT_TRUE(call(&h, member, &_e, NULL, __VA_ARGS__) < 0);        \
                ASSERT_STREQ(_e.name, error_name);                                \
                ASSERT_CONTAINS(_e.message, words);                               \
        } while (0)

static uint32_t number_of(sd_bus_message *reply) {
        uint32_t id;
        const char *path;
        char expected[64];
        ASSERT_OK(sd_bus_message_read(reply, "uo", &id, &path));
        (void) snprintf(expected, sizeof(expected), IMPORT1_TRANSFER_PATH_PREFIX "/_%u", id);
        ASSERT_STREQ(path, expected);
        sd_bus_message_unref(reply);
        return id;
}

#define START(...)                                \
        ({                                        \
                sd_bus_message *_reply = NULL;    \
                ASSERT_OK(call(&h, __VA_ARGS__)); \
                number_of(_reply);                \
        })
#define REPLY NULL, &_reply

static double progress_of(Host *h, uint32_t id) {
        char path[64];
        double d = 0;
        (void) snprintf(path, sizeof(path), IMPORT1_TRANSFER_PATH_PREFIX "/_%u", id);
        ASSERT_OK(sd_bus_get_property_trivial(h->bus, IMPORT1_BUS_NAME, path,
                                              IMPORT1_TRANSFER_INTERFACE, "Progress", NULL, 'd',
                                              &d));
        return d;
}

TEST(what_is_asked) {
        _cleanup_(host_stop) Host h;
        Seen s;
        begin(&h, &s);
        _cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
        ASSERT_EQ(write(fd, "bytes", 5), 5);
        ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
        ASSERT_EQ(START("ImportTar", REPLY, "hsbb", fd, "web", 1, 0), 1);
        expect(&h, &s, "removed 1 done");
        ASSERT_CONTAINS(s.text, "new 1 " IMPORT1_TRANSFER_PATH_PREFIX "/_1\n");
        ASSERT_CONTAINS(s.text, "\n6 TYPE=import-tar,NAME=web,REPLACE=yes,SIZE_MAX="
                                "18446744073709551615,FORMAT=uncompressed,VERIFY=signature,bytes:");
        ASSERT_TRUE(strstr(s.text, "6 TYPE=") < strstr(s.text, "removed"));
        (void) START("ImportRawEx", REPLY, "hsst", fd, "web", "machine", (uint64_t) 2);
        expect(&h, &s, "removed 2 done");
        ASSERT_CONTAINS(s.text, "TYPE=import-raw,NAME=web,READ_ONLY=yes,SIZE_MAX=");

        int p[2];
        char text[8] = "";
        ASSERT_OK(pipe2(p, O_CLOEXEC));
        (void) START("ExportTar", REPLY, "shs", "web", p[1], "zstd");
        close(p[1]);
        ASSERT_EQ(read(p[0], text, sizeof(text)), 5);
        ASSERT_STREQ(text, "image");
        close(p[0]);
        expect(&h, &s, "removed 3 done");
        ASSERT_CONTAINS(s.text, "6 /p: exported\n");

        (void) START("PullTar", REPLY, "sssb", "http://me:secret@h/a.tar", "web", "checksum", 0);
        expect(&h, &s, "removed 4 done");
        ASSERT_CONTAINS(s.text, "REMOTE=http://me:secret@h/a.tar,SIZE_MAX="); /* so it was asked */
        ASSERT_CONTAINS(s.text, "VERIFY=checksum,:");
        /* nobody is told a password */
#define SUM "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
        (void) START("PullRawEx", REPLY, "sssst", "http://me:secret@h/a.raw", "hang", "machine",
                     SUM, (uint64_t) 5);
        sd_bus_message *reply = NULL;
        const char *type, *remote, *local, *class, *path;
        uint32_t id;
        double progress;
        ASSERT_OK(call(&h, "ListTransfersEx", NULL, &reply, "st", "", (uint64_t) 0));
        ASSERT_OK(sd_bus_message_enter_container(reply, 'a', "(ussssdo)"));
        ASSERT_EQ(sd_bus_message_read(reply, "(ussssdo)", &id, &type, &remote, &local, &class,
                                      &progress, &path),
                  1);
        ASSERT_EQ(id, 5);
        ASSERT_STREQ(type, "pull-raw");
        ASSERT_STREQ(remote, "http://h/a.raw");
        ASSERT_STREQ(local, "hang");
        ASSERT_STREQ(class, "machine");
        ASSERT_TRUE(progress < 0);
        ASSERT_STREQ(path, IMPORT1_TRANSFER_PATH_PREFIX "/_5");
        ASSERT_EQ(sd_bus_message_at_end(reply, false), 1);
        sd_bus_message_unref(reply);
        ASSERT_FAILS("org.freedesktop.import1.TransferInProgress", "'http://h/a.raw' is being",
                     "PullRaw", "sssb", "http://me:secret@h/a.raw", "other", "no", 0);
}

TEST(refused) {
        _cleanup_(host_stop) Host h;
        Seen s;
        begin(&h, &s);
        _cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC),
                            path_fd = open("/", O_PATH | O_CLOEXEC),
                            null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                            root_fd = open("/", O_RDONLY | O_CLOEXEC);
#define INVALID SD_BUS_ERROR_INVALID_ARGS
        ASSERT_FAILS(INVALID, "a/b", "ImportTar", "hsbb", fd, "a/b", 0, 0);
        ASSERT_FAILS(INVALID, "name", "PullTar", "sssb", "http://h/a.tar", "", "no", 0);
        ASSERT_FAILS(INVALID, "not open for reading", "ImportTar", "hsbb", null_fd, "web", 0, 0);
        ASSERT_FAILS(INVALID, "not open for reading", "ImportFileSystem", "hsbb", path_fd, "web", 0,
                     0);
        ASSERT_FAILS(INVALID, "not open for writing", "ExportTar", "shs", "web", root_fd, "");
        ASSERT_FAILS(INVALID, "no file, pipe, socket", "ImportTar", "hsbb", root_fd, "web", 0, 0);
        ASSERT_FAILS(INVALID, "Unknown format 'rar'", "ExportTar", "shs", "web", null_fd, "rar");
        ASSERT_FAILS(INVALID, "'file:///etc/passwd' is no http", "PullTar", "sssb",
                     "file:///etc/passwd", "web", "no", 0);
        ASSERT_FAILS(INVALID, "Invalid verification 'maybe'", "PullTar", "sssb", "http://h/a.tar",
                     "web", "maybe", 0);
        ASSERT_FAILS(SD_BUS_ERROR_NOT_SUPPORTED, "class 'portable'", "ImportTarEx", "hsst", fd,
                     "web", "portable", (uint64_t) 0);
        ASSERT_FAILS(INVALID, "Unknown flags 0x8", "ImportTarEx", "hsst", fd, "web", "machine",
                     (uint64_t) 8);
        ASSERT_FAILS("org.freedesktop.import1.NoSuchTransfer", "no transfer 7", "CancelTransfer",
                     "u", 7U);
        ASSERT_FAILS(SD_BUS_ERROR_UNKNOWN_METHOD, "PullOci", "PullOci", "ssst", "a", "b", "machine",
                     (uint64_t) 0);
        ASSERT_STREQ(s.text, "");
}

TEST(ends) {
        _cleanup_(host_stop) Host h;
        Seen s;
        begin(&h, &s);
        _cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
        ASSERT_EQ(START("ImportTar", REPLY, "hsbb", fd, "fail", 0, 0), 1);
        expect(&h, &s, "removed 1 failed");
        ASSERT_CONTAINS(s.text, "3 It is broken\n5 Hint: mend it\n");
        (void) START("ImportTar", REPLY, "hsbb", fd, "die", 0, 0);
        expect(&h, &s, "removed 2 failed");
        ASSERT_CONTAINS(s.text, "3 The worker ended without an answer\n");
        /* by its number, and by its object */
        ASSERT_EQ(START("ImportTar", REPLY, "hsbb", fd, "half", 0, 0), 3);
        for (unsigned i = 0; i < 3000 && progress_of(&h, 3) < 0; i++)
                usleep(10000);
        expect(&h, &s, "progress 0.25\n");
        ASSERT_TRUE(progress_of(&h, 3) > 0.249 && progress_of(&h, 3) < 0.251);
        ASSERT_OK(call(&h, "CancelTransfer", NULL, NULL, "u", 3U));
        expect(&h, &s, "removed 3 canceled");
        (void) START("ImportTar", REPLY, "hsbb", fd, "hang", 0, 0);
        ASSERT_OK(sd_bus_call_method(h.bus, IMPORT1_BUS_NAME, IMPORT1_TRANSFER_PATH_PREFIX "/_4",
                                     IMPORT1_TRANSFER_INTERFACE, "Cancel", NULL, NULL, NULL));
        expect(&h, &s, "removed 4 canceled");
        /* which is gone now */
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        ASSERT_TRUE(sd_bus_call_method(h.bus, IMPORT1_BUS_NAME, IMPORT1_TRANSFER_PATH_PREFIX "/_4",
                                       IMPORT1_TRANSFER_INTERFACE, "Cancel", &e, NULL, NULL) < 0);
        ASSERT_STREQ(e.name, SD_BUS_ERROR_UNKNOWN_OBJECT);
}

static int refuse_scope(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        FakeSystemd *f = userdata;
        const char *unit;
        ASSERT_OK(sd_bus_message_read(m, "ss", &unit, NULL));
        if (++f->job == 1)
                return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS, "That is no good.");
        (void) snprintf(f->unit, sizeof(f->unit), "%s", unit);
        (void) snprintf(f->job_path, sizeof(f->job_path), "/job/%u", f->job);
        int r = sd_bus_reply_method_return(m, "o", f->job_path);
        fake_job_removed(sd_bus_message_get_bus(m), f, f->job == 4 ? "done" : "failed");
        return r;
}

/* Downloads end, with the words that are true; for others the spawner's unit will do. */
TEST(no_scope) {
        static const sd_bus_vtable refusing[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", refuse_scope,
                              SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };
        _cleanup_(host_stop) Host h;
        FakeSystemd fake = { .cgroup_fd = -EBADF };
        Seen s;
        begin(&h, &s);
        pid_t systemd =
                private_service_start("org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                      "org.freedesktop.systemd1.Manager", refusing, &fake);
        ASSERT_OK(systemd);
        _cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
        (void) START("PullTar", REPLY, "sssb", "http://h/a.tar", "web", "no", 0);
        expect(&h, &s, "removed 1 failed");
        ASSERT_CONTAINS(
                s.text,
                "3 systemd makes no scope for the download of 'web': That is no good.\n5 Hint: ");
        (void) START("PullRaw", REPLY, "sssb", "http://h/a.raw", "disk", "no", 0);
        expect(&h, &s, "removed 2 failed");
        ASSERT_CONTAINS(s.text, "3 systemd makes no scope for the download of 'disk': failed\n");
        ASSERT_TRUE(!strstr(s.text, "without an answer"));
        (void) START("ImportTar", REPLY, "hsbb", fd, "web", 0, 0);
        expect(&h, &s, "removed 3 done");
        (void) START("PullTar", REPLY, "sssb", "http://h/a.tar", "web", "no", 0);
        expect(&h, &s, "removed 4 done");
        private_child_stop(&systemd);
}

TEST(limit) {
        _cleanup_(host_stop) Host h;
        Seen s;
        begin(&h, &s);
        _cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
        for (unsigned i = 0; i < IMPORT1_TRANSFERS_MAX; i++)
                (void) START("ImportTar", REPLY, "hsbb", fd, "hang", 0, 0);
        ASSERT_FAILS(SD_BUS_ERROR_LIMITS_EXCEEDED, "More than 64 transfers", "ImportTar", "hsbb",
                     fd, "web", 0, 0);
        ASSERT_OK(call(&h, "CancelTransfer", NULL, NULL, "u", 1U));
        expect(&h, &s, "removed 1 canceled");
        ASSERT_EQ(START("ImportTar", REPLY, "hsbb", fd, "web", 0, 0), IMPORT1_TRANSFERS_MAX + 1);
}

TEST(not_wanted) {
        _cleanup_(host_stop) Host h;
        ASSERT_OK(setenv("BERTH_IMPORT1", "no", 1));
        host_start(&h);
        ASSERT_OK(unsetenv("BERTH_IMPORT1"));
        ASSERT_FAILS(SD_BUS_ERROR_SERVICE_UNKNOWN, IMPORT1_BUS_NAME, "ListTransfers", NULL);
}

/* systemd-importd runs: berthd leaves the name alone until that has ended. */
TEST(another_owner) {
        _cleanup_(host_stop) Host h;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *other = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        host_start(&h);
        expect_owner(&h, h.manager);
        private_child_stop(&h.manager);
        ASSERT_OK(bus_connect_system(&other, &e));
        ASSERT_OK(sd_bus_request_name(other, IMPORT1_BUS_NAME, 0));
        host_manager_start(&h);
        /* what it asks for it has asked for before it answers */
        ASSERT_OK(sd_bus_call_method(h.bus, BERTH_BUS_NAME, BERTH_MANAGER_PATH,
                                     BERTH_MANAGER_INTERFACE, "ListContainers", NULL, NULL, NULL));
        ASSERT_EQ(owner(&h), getpid());
        ASSERT_OK(sd_bus_release_name(other, IMPORT1_BUS_NAME));
        expect_owner(&h, h.manager);
}

int main(int argc, char **argv) {
        char self[PATH_MAX] = "";
        if (argc > 0 && streq(argv[0], "berth-transfer"))
                return stand_in();
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
            setenv("BERTH_TRANSFER", self, 1) < 0)
                return 1;
        return test_run_all(argc, argv);
}
