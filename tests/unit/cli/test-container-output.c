/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list, show and status say about a container, hostile text included. */
#include "cli/container-output.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "cli/cgroup-tree.h"

#include "test.h"

static char name[] = "web", state[] = "running", unit[] = "machine-web.scope",
            hostile[] = "bad\x1b[31m\nline";
static char root[] = "/nonexistent", group[] = "/nonexistent", empty[] = "";

static ContainerInfo example(void) {
        return (ContainerInfo){
                .name = name,
                .state = state,
                .ready = true,
                .id = empty,
                .unit = unit,
                .control_group = group,
                .root_directory = root,
                .status_text = hostile,
                .result = empty,
                .leader = 4194305, /* above the kernel's largest process id */
                .supervisor = 4194306,
                .started_usec = 1700000000 * USEC_PER_SEC,
        };
}

/* stdout goes to a memfd until capture_end(), which returns what was written. */
typedef struct Capture {
        int saved, memory;
} Capture;

static void capture_begin(Capture *c) {
        (void) fflush(stdout); /* what the harness has written */
        c->memory = memfd_create("stdout", MFD_CLOEXEC);
        c->saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
        ASSERT_OK(c->memory);
        ASSERT_OK(c->saved);
        ASSERT_OK(dup3(c->memory, STDOUT_FILENO, 0));
}

static char *capture_end(Capture *c) {
        char *text = NULL;

        (void) fflush(stdout); /* a memfd takes it */
        ASSERT_OK(dup3(c->saved, STDOUT_FILENO, 0));
        ASSERT_OK(lseek(c->memory, 0, SEEK_SET));
        ASSERT_OK(fd_read_all(c->memory, 1 << 20, &text, NULL));
        fd_close(c->saved);
        fd_close(c->memory);
        return text;
}

TEST(rows) {
        Table t = { .columns = container_columns, .n_columns = n_container_columns };
        const ContainerInfo i = example();
        _cleanup_free_ char *text = NULL, *json = NULL;

        container_add_row(&t, &i);
        container_add_image_row(&t, "db");
        ASSERT_OK(table_format(&t, &(TableStyle){ .legend = true }, &text, NULL));
        ASSERT_CONTAINS(text, "NAME  STATE    READY   LEADER  SINCE");
        ASSERT_CONTAINS(text, "web   running  yes    4194305  ");
        ASSERT_CONTAINS(text, "2023-11-1");
        ASSERT_CONTAINS(text, "machine-web.scope\n");
        ASSERT_CONTAINS(text, "db    stopped  -            -  -");
        ASSERT_OK(table_format(&t, &(TableStyle){ .json = JSON_SHORT }, &json, NULL));
        ASSERT_CONTAINS(
                json,
                "{\"name\":\"web\",\"state\":\"running\",\"ready\":true,\"leader\":4194305,"
                "\"since_usec\":1700000000000000,\"unit\":\"machine-web.scope\",\"supervisor\":4194306,"
                "\"root\":\"/nonexistent\",\"id\":null}");
        ASSERT_CONTAINS(json, "{\"name\":\"db\",\"state\":\"stopped\",\"ready\":null,");
        table_done(&t);
}

TEST(properties) {
        const ContainerInfo i = example();
        char *const some[] = { (char *) "Leader", (char *) "Ready", NULL };
        Capture c;

        capture_begin(&c);
        int r = container_print_properties(&i, some, /* only_value= */ false, NULL);
        _cleanup_free_ char *text = capture_end(&c);
        ASSERT_OK(r);
        ASSERT_STREQ(text, "Ready=yes\nLeader=4194305\n");

        capture_begin(&c);
        r = container_print_properties(&i, some, /* only_value= */ true, NULL);
        _cleanup_free_ char *values = capture_end(&c);
        ASSERT_OK(r);
        ASSERT_STREQ(values, "yes\n4194305\n");

        capture_begin(&c);
        r = container_print_properties(&i, NULL, /* only_value= */ false, NULL);
        _cleanup_free_ char *all = capture_end(&c);
        ASSERT_OK(r);
        ASSERT_CONTAINS(all, "Name=web\n");
        ASSERT_CONTAINS(all, "\nResult=\n");
        ASSERT_NULL(strchr(all, '\x1b'));
        ASSERT_NULL(strstr(all, "\nline"));
}

TEST(unknown_property) {
        const ContainerInfo i = example();
        char *const some[] = { (char *) "Colour", NULL };
        Error e = ERROR_NULL;

        ASSERT_ERROR(container_print_properties(&i, some, false, &e), EINVAL);
        ASSERT_EQ(e.id, ERROR_USAGE);
        ASSERT_STREQ(e.message, "Containers have no property 'Colour'");
        ASSERT_CONTAINS(e.hint, "they have Name, Id, State,");
        error_done(&e);
        ASSERT_ERROR(container_print_json(&i, 1, some, true, false, &e), EINVAL);
        error_done(&e);
}

TEST(json) {
        const ContainerInfo i = example();
        char *const some[] = { (char *) "StatusText", (char *) "StartTimestamp", NULL };
        Capture c;

        capture_begin(&c);
        int r = container_print_json(&i, 1, some, /* array= */ true, /* pretty= */ false, NULL);
        _cleanup_free_ char *text = capture_end(&c);
        ASSERT_OK(r);
        ASSERT_STREQ(
                text,
                "[{\"StatusText\":\"bad\\u001b[31m\\nline\",\"StartTimestamp\":1700000000000000}]\n");
}

TEST(status) {
        const ContainerInfo i = example();
        Capture c;

        capture_begin(&c);
        int r = container_print_status(&i, /* log_lines= */ 0, /* color= */ false, NULL);
        _cleanup_free_ char *text = capture_end(&c);
        ASSERT_OK(r);
        ASSERT_CONTAINS(text, "● web\n       State: running, ready\n       Since: ");
        ASSERT_CONTAINS(text, "      Leader: 4194305\n");
        ASSERT_CONTAINS(text, "        Unit: machine-web.scope\n");
        ASSERT_NULL(strchr(text, '\x1b'));
        ASSERT_NULL(strstr(text, "\nline"));
        ASSERT_NULL(strstr(text, "Result"));
}

TEST(tree_of_nothing) {
        StrBuf b = { 0 };
        char *text = NULL;

        cgroup_tree_format("/no/such/group", 4, &b);
        cgroup_tree_format("/../../..", 4, &b);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_STREQ(text, "");
        free(text);
}

TEST_MAIN
