/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit properties: the D-Bus value of each kind, and what is refused. Messages are made on a bus that is never started. */
#include "basic/str.h"
#include "bus/systemd1.h"
#include "test.h"

typedef struct Sample {
        sd_bus *bus;
        sd_bus_message *m;
} Sample;

static void sample_done(Sample *s) {
        sd_bus_message_unref(s->m);
        sd_bus_unref(s->bus);
}

/* A message with the property in an a(sv), sealed and at its start. */
static void sample(Sample *s, const char *assignment) {
        Error e = ERROR_NULL;
        ASSERT_OK(sd_bus_new(&s->bus));
        ASSERT_OK(sd_bus_set_address(s->bus, "unix:path=/nonexistent"));
        (void) sd_bus_start(s->bus); /* a message needs a bus that was started, if in vain */
        ASSERT_OK(sd_bus_message_new_method_call(s->bus, &s->m, "a.b", "/", "a.b", "C"));
        ASSERT_OK(sd_bus_message_open_container(s->m, 'a', "(sv)"));
        if (systemd1_append_property(s->m, assignment, &e) < 0)
                TEST_FAIL("'%s': %s", assignment, e.message);
        ASSERT_OK(sd_bus_message_close_container(s->m));
        ASSERT_OK(sd_bus_message_seal(s->m, 1, 0));
        ASSERT_OK(sd_bus_message_rewind(s->m, true));
        ASSERT_OK(sd_bus_message_enter_container(s->m, 'a', "(sv)"));
}

static const struct {
        const char *assignment, *name;
        uint64_t value;
} numbers[] = {
        { "MemoryMax=64M", "MemoryMax", 64 << 20 },
        { "MemoryMax=infinity", "MemoryMax", UINT64_MAX },
        { "MemorySwapMax=0", "MemorySwapMax", 0 },
        { "MemoryHigh=1.5G", "MemoryHigh", 1536ULL << 20 },
        { "TasksMax=100", "TasksMax", 100 },
        { "TasksMax=infinity", "TasksMax", UINT64_MAX },
        { "CPUQuota=150%", "CPUQuotaPerSecUSec", 1500000 },
        { "CPUQuota=12.5%", "CPUQuotaPerSecUSec", 125000 },
        { "CPUQuota=", "CPUQuotaPerSecUSec", UINT64_MAX },
        { "CPUQuotaPeriodSec=10ms", "CPUQuotaPeriodUSec", 10000 },
        { "CPUWeight=idle", "CPUWeight", 0 },
        { "CPUWeight=10000", "CPUWeight", 10000 },
        { "IOWeight=1", "IOWeight", 1 },
        { "TimeoutStopSec=2min", "TimeoutStopUSec", 120000000 },
        { "RuntimeMaxSec=infinity", "RuntimeMaxUSec", UINT64_MAX },
};

TEST(numbers) {
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                _cleanup_(sample_done) Sample s = { 0 };
                const char *name;
                uint64_t value;
                sample(&s, numbers[i].assignment);
                ASSERT_OK(sd_bus_message_read(s.m, "(sv)", &name, "t", &value));
                ASSERT_STREQ(name, numbers[i].name);
                if (value != numbers[i].value)
                        TEST_FAIL("'%s' gave %llu", numbers[i].assignment,
                                  (unsigned long long) value);
        }
}

static const struct {
        const char *assignment, *name;
        uint32_t value;
} scales[] = {
        { "MemoryMax=50%", "MemoryMaxScale", 2147483648U },
        { "MemoryMin=100%", "MemoryMinScale", UINT32_MAX },
        { "TasksMax=10%", "TasksMaxScale", 429496730U },
        { "ManagedOOMMemoryPressureLimit=50%", "ManagedOOMMemoryPressureLimit", 2147483648U },
};

TEST(scales) {
        for (size_t i = 0; i < ELEMENTSOF(scales); i++) {
                _cleanup_(sample_done) Sample s = { 0 };
                const char *name;
                uint32_t value;
                sample(&s, scales[i].assignment);
                ASSERT_OK(sd_bus_message_read(s.m, "(sv)", &name, "u", &value));
                ASSERT_STREQ(name, scales[i].name);
                ASSERT_EQ(value, scales[i].value);
        }
}

TEST(plain_kinds) {
        _cleanup_(sample_done) Sample b = { 0 }, sig = { 0 }, text = { 0 }, delegate = { 0 };
        const char *name, *value;
        int boolean;
        int32_t number;
        sample(&b, "MemoryAccounting=on");
        ASSERT_OK(sd_bus_message_read(b.m, "(sv)", &name, "b", &boolean));
        ASSERT_EQ(boolean, 1);
        sample(&sig, "KillSignal=SIGRTMIN+3");
        ASSERT_OK(sd_bus_message_read(sig.m, "(sv)", &name, "i", &number));
        ASSERT_EQ(number, 37);
        sample(&text, "Description=A = b");
        ASSERT_OK(sd_bus_message_read(text.m, "(sv)", &name, "s", &value));
        ASSERT_STREQ(value, "A = b");
        sample(&delegate, "Delegate=cpu memory");
        char **words = NULL;
        ASSERT_OK(sd_bus_message_enter_container(delegate.m, 'r', "sv"));
        ASSERT_OK(sd_bus_message_read(delegate.m, "s", &name));
        ASSERT_STREQ(name, "DelegateControllers");
        ASSERT_OK(sd_bus_message_enter_container(delegate.m, 'v', "as"));
        ASSERT_OK(sd_bus_message_read_strv(delegate.m, &words));
        ASSERT_STREQ(words[1], "memory");
        for (char **w = words; *w; w++)
                free(*w);
        free(words);
}

TEST(lists_of_units) {
        _cleanup_(sample_done) Sample s = { 0 };
        const char *name, *a, *b;
        sample(&s, "After=a.service \"b c.service\"");
        ASSERT_OK(sd_bus_message_read(s.m, "(sv)", &name, "as", 2, &a, &b));
        ASSERT_STREQ(name, "After");
        ASSERT_STREQ(b, "b c.service");
}

TEST(cpu_mask) {
        _cleanup_(sample_done) Sample s = { 0 };
        const uint8_t *mask;
        const void *bytes;
        size_t size;
        sample(&s, "AllowedCPUs=0-2 9");
        ASSERT_OK(sd_bus_message_enter_container(s.m, 'r', "sv"));
        ASSERT_OK(sd_bus_message_skip(s.m, "s"));
        ASSERT_OK(sd_bus_message_enter_container(s.m, 'v', "ay"));
        ASSERT_OK(sd_bus_message_read_array(s.m, 'y', &bytes, &size));
        mask = bytes;
        ASSERT_EQ(size, 2);
        ASSERT_EQ(mask[0], 7);
        ASSERT_EQ(mask[1], 2);
}

TEST(devices) {
        _cleanup_(sample_done) Sample allow = { 0 }, rate = { 0 };
        const char *name, *node, *access;
        uint64_t bytes;
        sample(&allow, "DeviceAllow=/dev/fuse rw");
        ASSERT_OK(sd_bus_message_read(allow.m, "(sv)", &name, "a(ss)", 1, &node, &access));
        ASSERT_STREQ(node, "/dev/fuse");
        ASSERT_STREQ(access, "rw");
        sample(&rate, "IOReadBandwidthMax=/dev/sda 5M");
        ASSERT_OK(sd_bus_message_read(rate.m, "(sv)", &name, "a(st)", 1, &node, &bytes));
        ASSERT_EQ(bytes, 5000000);
}

TEST(addresses) {
        _cleanup_(sample_done) Sample s = { 0 };
        const void *bytes;
        size_t size;
        int32_t family;
        uint32_t prefix;
        sample(&s, "IPAddressAllow=10.1.2.3/8 localhost");
        ASSERT_OK(sd_bus_message_enter_container(s.m, 'r', "sv"));
        ASSERT_OK(sd_bus_message_skip(s.m, "s"));
        ASSERT_OK(sd_bus_message_enter_container(s.m, 'v', "a(iayu)"));
        ASSERT_OK(sd_bus_message_enter_container(s.m, 'a', "(iayu)"));
        unsigned n = 0;
        while (sd_bus_message_enter_container(s.m, 'r', "iayu") > 0) {
                ASSERT_OK(sd_bus_message_read(s.m, "i", &family));
                ASSERT_OK(sd_bus_message_read_array(s.m, 'y', &bytes, &size));
                ASSERT_OK(sd_bus_message_read(s.m, "u", &prefix));
                ASSERT_OK(sd_bus_message_exit_container(s.m));
                if (n++ == 0) {
                        ASSERT_EQ(prefix, 8);
                        ASSERT_EQ(memcmp(bytes, "\x0a\0\0\0", 4),
                                  0); /* bits beyond the prefix are cleared */
                }
        }
        ASSERT_EQ(n, 3); /* localhost is two */
        ASSERT_EQ(prefix, 128);
        ASSERT_EQ(size, 16);
}

static const struct {
        const char *assignment, *message, *hint;
} refused[] = {
        { "MemoryMx=1G", "Unknown unit property 'MemoryMx'", "did you mean 'MemoryMax'?" },
        { "memorymax=1G", "Unknown unit property 'memorymax'", "did you mean 'MemoryMax'?" },
        { "ExecStart=/bin/sh", "Unknown unit property 'ExecStart'", NULL },
        { "MemoryMax", "Invalid unit property 'MemoryMax': NAME=VALUE is expected", NULL },
        { "=1", "Invalid unit property '=1'", NULL },
        { "MemoryMax=lots", "Invalid value 'lots' for unit property 'MemoryMax': a size", NULL },
        { "MemoryMax=101%", "Invalid value '101%'", NULL },
        { "MemoryMax=", "Invalid value ''", NULL },
        { "TasksMax=0", "Invalid value '0'", NULL },
        { "TasksMax=18446744073709551616", "Invalid value", NULL },
        { "CPUQuota=0%", "a percentage above 0%", NULL },
        { "CPUQuota=5", "Invalid value '5'", NULL },
        { "CPUWeight=10001", "from 1 to 10000", NULL },
        { "IOWeight=0", "from 1 to 10000", NULL },
        { "AllowedCPUs=5-2", "ranges", NULL },
        { "AllowedCPUs=99999", "ranges", NULL },
        { "DeviceAllow=/dev/fuse rwx", "device node", NULL },
        { "DeviceAllow=/etc/passwd", "device node", NULL },
        { "IPAddressAllow=10.0.0.0/33", "addresses", NULL },
        { "IPAddressAllow=host", "addresses", NULL },
        { "KillSignal=SIGNOTHING", "a signal", NULL },
        { "SendSIGHUP=maybe", "a boolean", NULL },
        { "TimeoutStopSec=soon", "a time span", NULL },
        { "Delegate=no", "needs delegation", NULL },
        { "Controller=:1.1", "set by berth itself", NULL },
        { "PIDs=1", "set by berth itself", NULL },
        { "IOReadBandwidthMax=sda 5M", "a device path", NULL },
        { "IOReadBandwidthMax=/dev/sda 99999999E", "a device path", NULL },
};

TEST(refused) {
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                ASSERT_ERROR(systemd1_check_property(refused[i].assignment, &e), EINVAL);
                ASSERT_EQ(e.id, ERROR_INVALID_SETTING);
                ASSERT_CONTAINS(e.message, refused[i].message);
                if (refused[i].hint)
                        ASSERT_STREQ(e.hint, refused[i].hint);
        }
}

TEST(long_names_are_no_trouble) {
        char name[400];
        memset(name, 'M', sizeof(name) - 3);
        memcpy(name + sizeof(name) - 3, "=1", 3);
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_ERROR(systemd1_check_property(name, &e), EINVAL);
}

TEST(unit_names) {
        static const struct {
                const char *container, *scope, *service;
        } names[] = {
                { "web", "machine-web.scope", "berth@web.service" },
                { "my-web", "machine-my\\x2dweb.scope", "berth@my-web.service" },
                { "a.b_c", "machine-a.b_c.scope", "berth@a.b_c.service" },
        };
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *scope = systemd1_scope_name(names[i].container);
                _cleanup_free_ char *service = systemd1_service_name(names[i].container);
                ASSERT_STREQ(scope, names[i].scope);
                ASSERT_STREQ(service, names[i].service);
        }
}

TEST_MAIN
