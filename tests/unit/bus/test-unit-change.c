/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a unit at run time: what they say, how they are taken back, what is none; and the record of them. */
#include "bus/unit-change.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/strv.h"
#include "test.h"

static void expect(const char *text, const char *name, const char *property, const char *setting,
                   bool list) {
        _cleanup_(unit_change_done) UnitChange c = { 0 };
        Error e = ERROR_NULL;

        if (unit_change_parse(text, &c, &e) < 0)
                TEST_FAIL("'%s': %s", text, e.message);
        ASSERT_STREQ(c.name, name);
        ASSERT_STREQ(c.property, property);
        ASSERT_STREQ(c.setting, setting);
        ASSERT_EQ(c.list, list);
}

TEST(parsing) {
        expect("MemoryMax=1G", "MemoryMax", "MemoryMax=1073741824", "MemoryMax=1G", false);
        expect("MemoryMax= 1G", "MemoryMax", "MemoryMax=1073741824", "MemoryMax=1G", false);
        expect("Property=MemoryMax=1G", "MemoryMax", "MemoryMax=1073741824", "MemoryMax=1G", false);
        expect("MemoryMax=", "MemoryMax", "MemoryMax=", "MemoryMax=", false);
        expect("IOWeight=5", "IOWeight", "IOWeight=5", "IOWeight=5", false);
        expect("MemoryZSwapMax=0", "MemoryZSwapMax", "MemoryZSwapMax=0",
               "Property=MemoryZSwapMax=0", false);
        expect("DeviceAllow=/dev/kvm rw", "DeviceAllow", "DeviceAllow=/dev/kvm rw",
               "Property=DeviceAllow=/dev/kvm rw", true);
        expect("IPAddressDeny=", "IPAddressDeny",
               "IPAddressDeny=", "Property=IPAddressDeny=", true);
        expect("DevicePolicy=strict", "DevicePolicy", "DevicePolicy=strict",
               "Property=DevicePolicy=strict", false);
}

TEST(refusals) {
        static const struct {
                const char *text, *message, *hint;
        } cases[] = {
                { "", "'' is not KEY=VALUE", "MemoryMax=1G" },
                { "x", "'x' is not KEY=VALUE", "MemoryMax=1G" },
                { "=x", "'=x' is not KEY=VALUE", NULL },
                { "MemoryMax=x", "Invalid value 'x' for MemoryMax=: a size", NULL },
                { "TasksMax=0", "Invalid value '0' for TasksMax=", NULL },
                { "Slice=a", "'Slice' cannot be changed while a container runs", "berth edit" },
                { "Boot=yes", "'Boot' cannot be changed while a container runs", "berth edit" },
                { "KillMode=mixed", "'KillMode' cannot be changed", "berth edit" },
                { "Delegate=yes", "'Delegate' cannot be changed", NULL },
                { "PIDs=1", "'PIDs' cannot be changed", NULL },
                { "Quiet=yes", "Unknown unit property 'Quiet'", NULL },
                { "MemoryMaxx=1", "Unknown unit property 'MemoryMaxx'", "'MemoryMax'" },
                { "Nope=", "Unknown unit property 'Nope'", NULL },
                { "DeviceAllow=", "'DeviceAllow' cannot be taken back", "berth edit" },
                { "DeviceAllow=x", "Invalid value 'x' for unit property 'DeviceAllow'", NULL },
                { "DevicePolicy=x", "one of auto closed strict is expected", NULL },
                { "DevicePolicy=auto closed", "one of auto closed strict is expected", NULL },
                { "MemoryZSwapMax=1G\n[Exec]", "Invalid value", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(unit_change_done) UnitChange c = { 0 };
                _cleanup_error_ Error e = ERROR_NULL;
                if (unit_change_parse(cases[i].text, &c, &e) >= 0)
                        TEST_FAIL("'%s' was accepted", cases[i].text);
                ASSERT_CONTAINS(e.message, cases[i].message);
                if (cases[i].hint)
                        ASSERT_CONTAINS(e.hint, cases[i].hint);
                ASSERT_NULL(c.name);
        }
}

/* ---- messages ---- */

typedef struct Sample {
        sd_bus *bus;
        sd_bus_message *m;
} Sample;

static void sample_done(Sample *s) {
        sd_bus_message_unref(s->m);
        sd_bus_unref(s->bus);
}

/* A message with the change in an a(sv), at the change's name. */
static void sample(Sample *s, const char *text) {
        _cleanup_(unit_change_done) UnitChange c = { 0 };
        Error e = ERROR_NULL;

        ASSERT_OK(sd_bus_new(&s->bus));
        ASSERT_OK(sd_bus_set_address(s->bus, "unix:path=/nonexistent"));
        (void) sd_bus_start(s->bus); /* a message needs a bus that was started, if in vain */
        ASSERT_OK(sd_bus_message_new_method_call(s->bus, &s->m, "a.b", "/", "a.b", "C"));
        ASSERT_OK(sd_bus_message_open_container(s->m, 'a', "(sv)"));
        ASSERT_OK(unit_change_parse(text, &c, &e));
        if (unit_change_append(&c, s->m, &e) < 0)
                TEST_FAIL("'%s': %s", text, e.message);
        ASSERT_OK(sd_bus_message_close_container(s->m));
        ASSERT_OK(sd_bus_message_seal(s->m, 1, 0));
        ASSERT_OK(sd_bus_message_rewind(s->m, true));
        ASSERT_OK(sd_bus_message_enter_container(s->m, 'a', "(sv)"));
}

TEST(numbers) {
        static const struct {
                const char *text, *name;
                uint64_t value;
        } cases[] = {
                { "MemoryMax=64M", "MemoryMax", 64 << 20 },
                { "MemoryMax=", "MemoryMax", UINT64_MAX },
                { "MemoryMin=", "MemoryMin", 0 },
                { "TasksMax=", "TasksMax", 16384 },
                { "CPUQuota=", "CPUQuotaPerSecUSec", UINT64_MAX },
                { "CPUQuota=50%", "CPUQuotaPerSecUSec", 500000 },
                { "CPUWeight=", "CPUWeight", UINT64_MAX },
                { "IOWeight=", "IOWeight", UINT64_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sample_done) Sample s = { 0 };
                const char *name;
                uint64_t value;
                sample(&s, cases[i].text);
                ASSERT_OK(sd_bus_message_read(s.m, "(sv)", &name, "t", &value));
                ASSERT_STREQ(name, cases[i].name);
                ASSERT_TRUE(value == cases[i].value);
        }
}

TEST(emptied_lists) {
        static const char *const cases[][3] = {
                { "AllowedCPUs=", "AllowedCPUs", "ay" },
                { "IPAddressDeny=", "IPAddressDeny", "a(iayu)" },
                { "IOReadIOPSMax=", "IOReadIOPSMax", "a(st)" },
                { "IODeviceLatencyTargetSec=", "IODeviceLatencyTargetUSec", "a(st)" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sample_done) Sample s = { 0 };
                const char *name;
                sample(&s, cases[i][0]);
                ASSERT_OK(sd_bus_message_enter_container(s.m, 'r', "sv"));
                ASSERT_OK(sd_bus_message_read(s.m, "s", &name));
                ASSERT_STREQ(name, cases[i][1]);
                ASSERT_OK(sd_bus_message_enter_container(s.m, 'v', cases[i][2]));
                ASSERT_OK(sd_bus_message_enter_container(s.m, 'a', cases[i][2] + 1));
                ASSERT_TRUE(sd_bus_message_at_end(s.m, false) > 0);
        }
}

/* ---- the record ---- */

TEST(record) {
        char path[] = "/tmp/test-record.XXXXXX";
        char *assignments[] = { (char *) "MemoryMax=1", (char *) "TasksMax=2", NULL };
        _cleanup_strv_free_ char **names = NULL, **more = NULL, **none = NULL;
        int fd = mkostemp(path, O_CLOEXEC);

        ASSERT_OK(fd);
        fd_close(fd);
        ASSERT_OK(unit_record_write(path, assignments));
        ASSERT_OK(unit_record_read(path, &names));
        ASSERT_EQ(strv_length(names), 2);
        ASSERT_STREQ(names[0], "MemoryMax");
        ASSERT_OK(unit_record_add(path, "TasksMax"));
        ASSERT_OK(unit_record_add(path, "IOWeight"));
        ASSERT_OK(unit_record_read(path, &more));
        ASSERT_EQ(strv_length(more), 3);
        ASSERT_STREQ(more[2], "IOWeight");
        ASSERT_OK(unit_record_write(path, NULL));
        ASSERT_OK(unit_record_read(path, &none));
        ASSERT_NULL(none);
        ASSERT_OK(unit_record_write(path, NULL));
        ASSERT_EQ(access(path, F_OK), -1);

        _cleanup_free_ char *place = unit_record_path("berth@web.service");
        ASSERT_STREQ(place, "/run/berth/units/berth@web.service");
}

TEST_MAIN
