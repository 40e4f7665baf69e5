/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What show says about a container, hostile text included. */
#include "cli/container-output.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/strv.h"

#include "test.h"

static char name[] = "web", state[] = "running", unit[] = "machine-web.scope",
            hostile[] = "bad\x1b[31m\nline";
static char root[] = "/nonexistent", group[] = "/nonexistent", empty[] = "";

static char address[] = "192.0.2.2", *addresses[] = { address, address, NULL };

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
                .usage = { [USAGE_MEMORY_CURRENT] = 4096,
                           [USAGE_MEMORY_PEAK] = USAGE_UNKNOWN,
                           [USAGE_MEMORY_MAX] = USAGE_UNKNOWN,
                           [USAGE_CPU_QUOTA] = 500000 },
                .addresses = addresses,
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
        ASSERT_CONTAINS(all, "\nMemoryCurrent=4096\nMemoryPeak=[not set]\nMemoryMax=infinity\n");
        ASSERT_CONTAINS(all, "\nCPUUsageNSec=0\nCPUQuotaPerSecUSec=500ms\n");
        ASSERT_CONTAINS(all, "\nAddresses=192.0.2.2 192.0.2.2\n");
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
        char *const some[] = { (char *) "StatusText",    (char *) "StartTimestamp",
                               (char *) "MemoryCurrent", (char *) "MemoryMax",
                               (char *) "Addresses",     NULL };
        Capture c;

        capture_begin(&c);
        int r = container_print_json(&i, 1, some, /* array= */ true, /* pretty= */ false, NULL);
        _cleanup_free_ char *text = capture_end(&c);
        ASSERT_OK(r);
        ASSERT_STREQ(
                text,
                "[{\"StatusText\":\"bad\\u001b[31m\\nline\",\"StartTimestamp\":1700000000000000,"
                "\"MemoryCurrent\":4096,\"MemoryMax\":null,\"Addresses\":[\"192.0.2.2\",\"192.0.2.2\"]}]\n");
}

TEST_MAIN
