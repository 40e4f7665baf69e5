/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What status says about a container, hostile text included. */
#include "cli/container-status.h"

#include "basic/strv.h"
#include "cli/cgroup-tree.h"

#include "test.h"

#define NOW (1700000000 * USEC_PER_SEC)

static char name[] = "web", state[] = "running", unit[] = "machine-web.scope",
            hostile[] = "bad\x1b[31m\nline";
static char root[] = "/nonexistent", group[] = "/nonexistent", empty[] = "";
static char first[] = "192.0.2.2", second[] = "fd00::2", *addresses[] = { first, second, NULL };
static char *autostart[] = { name, NULL };

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
                .started_usec = NOW - 90 * USEC_PER_SEC,
                .addresses = addresses,
                .usage = { [USAGE_MEMORY_CURRENT] = 35756442,
                           [USAGE_MEMORY_PEAK] = 40 << 20,
                           [USAGE_MEMORY_MAX] = 512 << 20,
                           [USAGE_CPU_NSEC] = 1550000000,
                           [USAGE_CPU_QUOTA] = 500000,
                           [USAGE_TASKS_CURRENT] = 7,
                           [USAGE_TASKS_MAX] = 16384,
                           [USAGE_IO_READ_BYTES] = 4096,
                           [USAGE_IO_WRITE_BYTES] = 8192 },
        };
}

static char *running(const ContainerInfo *i, bool color) {
        const StatusStyle style = { .color = color, .now_usec = NOW, .autostart = autostart };
        StrBuf b = { 0 };
        char *text = NULL;

        container_format_status(i, &style, &b);
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

TEST(all) {
        const ContainerInfo i = example();
        _cleanup_free_ char *text = running(&i, false);

        ASSERT_CONTAINS(text, "● web\n       State: running, ready\n       Since: ");
        ASSERT_CONTAINS(text, "; 1min 30s ago\n");
        ASSERT_CONTAINS(text, "      Leader: 4194305\n");
        ASSERT_CONTAINS(text, "        Unit: machine-web.scope\n   Autostart: yes\n");
        ASSERT_CONTAINS(text, "   Addresses: 192.0.2.2\n              fd00::2\n");
        ASSERT_CONTAINS(text, "      Memory: 34.1M (max 512M, peak 40M)\n"
                              "         CPU: 1.5s (max 50%)\n"
                              "       Tasks: 7 (max 16384)\n"
                              "          IO: 4K read, 8K written\n");
        ASSERT_NULL(strchr(text, '\x1b'));
        ASSERT_NULL(strstr(text, "\nline"));
        ASSERT_NULL(strstr(text, "Result"));
        _cleanup_free_ char *coloured = running(&i, true);
        ASSERT_CONTAINS(coloured, "\x1b[0;32m●\x1b[0m web\n");
}

TEST(what_is_not_known_is_not_shown) {
        ContainerInfo i = example();

        i.usage[USAGE_CPU_QUOTA] = 5000; /* CPUQuota=0.5% */
        _cleanup_free_ char *little = running(&i, false);
        ASSERT_CONTAINS(little, "CPU: 1.5s (max 0.5%)\n");

        i.usage[USAGE_MEMORY_PEAK] = i.usage[USAGE_MEMORY_MAX] = i.usage[USAGE_TASKS_MAX] =
                i.usage[USAGE_CPU_QUOTA] = i.usage[USAGE_IO_READ_BYTES] = USAGE_UNKNOWN;
        _cleanup_free_ char *text = running(&i, false);
        ASSERT_CONTAINS(text, "      Memory: 34.1M\n         CPU: 1.5s\n       Tasks: 7\n");
        ASSERT_NULL(strstr(text, "IO:"));
        i.usage[USAGE_MEMORY_CURRENT] = i.usage[USAGE_CPU_NSEC] = i.usage[USAGE_TASKS_CURRENT] =
                USAGE_UNKNOWN;
        i.addresses = NULL;
        _cleanup_free_ char *none = running(&i, false);
        ASSERT_NULL(strstr(none, "Memory"));
        ASSERT_NULL(strstr(none, "CPU:"));
        ASSERT_NULL(strstr(none, "Tasks"));
        ASSERT_NULL(strstr(none, "Addresses"));
        ASSERT_NULL(strstr(none, "infinity"));
}

TEST(stopped) {
        static char failed[] = "failed", service[] = "berth@web.service",
                    result[] = "exited with status 7", settings[] = "/etc/berth/web.berth",
                    quiet[] = "stopped";
        const StatusStyle style = { .color = false, .now_usec = NOW };
        StoppedContainer c = { .info = { .name = name,
                                         .state = failed,
                                         .unit = service,
                                         .result = result,
                                         .status_text = hostile,
                                         .root_directory = root },
                               .settings_path = settings,
                               .ended_usec = NOW - 3 * USEC_PER_HOUR };
        StrBuf b = { 0 };
        char *text = NULL;

        stopped_format_status(&c, &style, &b);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_CONTAINS(text, "× web\n       State: failed\n       Ended: ");
        ASSERT_CONTAINS(text, "; 3h ago\n      Result: exited with status 7\n"
                              "        Unit: berth@web.service\n   Autostart: no\n"
                              "    Settings: /etc/berth/web.berth\n        Root: /nonexistent\n");
        ASSERT_NULL(strchr(text, '\x1b'));
        free(text);

        c = (StoppedContainer){ .info = { .name = name, .state = quiet } };
        stopped_format_status(&c, &style, &b);
        ASSERT_OK(strbuf_finish(&b, &text));
        ASSERT_STREQ(text, "○ web\n       State: stopped\n   Autostart: no\n");
        free(text);
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
