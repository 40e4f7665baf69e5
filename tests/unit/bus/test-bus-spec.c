/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings as a{sv}: each D-Bus type, and what is refused. */
#include "bus/bus.h"
#include "spec/spec-draft.h"
#include "spec/spec-text.h"
#include "test.h"

typedef struct Call {
        sd_bus *bus;
        sd_bus_message *m;
        SpecDraft *draft;
} Call;

static void call_done(Call *c) {
        spec_draft_free(c->draft);
        sd_bus_message_unref(c->m);
        sd_bus_unref(c->bus);
}

/* A message whose a{sv} is open. */
static void call_begin(Call *c) {
        ASSERT_OK(sd_bus_new(&c->bus));
        ASSERT_OK(sd_bus_set_address(c->bus, "unix:path=/nonexistent"));
        (void) sd_bus_start(c->bus); /* a message needs a bus that was started, if in vain */
        ASSERT_OK(sd_bus_message_new_method_call(c->bus, &c->m, "a.b", "/", "a.b", "C"));
        ASSERT_OK(sd_bus_message_open_container(c->m, 'a', "{sv}"));
        c->draft = spec_draft_new();
        ASSERT_NOT_NULL(c->draft);
}

static int call_read(Call *c, Error *e) {
        ASSERT_OK(sd_bus_message_close_container(c->m));
        ASSERT_OK(sd_bus_message_seal(c->m, 1, 0));
        ASSERT_OK(sd_bus_message_rewind(c->m, true));
        return bus_read_settings(c->m, c->draft, e);
}

static const ContainerSpec *call_spec(Call *c) {
        Error e = ERROR_NULL;
        if (call_read(c, &e) < 0)
                TEST_FAIL("%s", e.message);
        return spec_draft_spec(c->draft);
}

TEST(numbers_of_any_width) {
        static const char types[] = "ynqiuxts";
        for (const char *type = types; *type; type++) {
                _cleanup_(call_done) Call c = { 0 };
                call_begin(&c);
                ASSERT_OK(sd_bus_message_open_container(c.m, 'e', "sv"));
                ASSERT_OK(sd_bus_message_append(c.m, "s", "OOMScoreAdjust"));
                ASSERT_OK(sd_bus_message_open_container(c.m, 'v', (char[]){ *type, '\0' }));
                if (*type == 's')
                        ASSERT_OK(sd_bus_message_append(c.m, "s", "12"));
                else if (strchr("xt", *type))
                        ASSERT_OK(
                                sd_bus_message_append(c.m, (char[]){ *type, '\0' }, (uint64_t) 12));
                else
                        ASSERT_OK(sd_bus_message_append(c.m, (char[]){ *type, '\0' }, 12));
                ASSERT_OK(sd_bus_message_close_container(c.m));
                ASSERT_OK(sd_bus_message_close_container(c.m));
                ASSERT_EQ(call_spec(&c)->payload.oom_score_adjust, 12);
        }
}

TEST(negative_numbers) {
        _cleanup_(call_done) Call n = { 0 }, i = { 0 }, x = { 0 }, s = { 0 };
        call_begin(&n);
        ASSERT_OK(sd_bus_message_append(n.m, "{sv}", "OOMScoreAdjust", "n", -5));
        ASSERT_EQ(call_spec(&n)->payload.oom_score_adjust, -5);
        call_begin(&i);
        ASSERT_OK(sd_bus_message_append(i.m, "{sv}", "OOMScoreAdjust", "i", -7));
        ASSERT_EQ(call_spec(&i)->payload.oom_score_adjust, -7);
        call_begin(&x);
        ASSERT_OK(sd_bus_message_append(x.m, "{sv}", "OOMScoreAdjust", "x", (int64_t) -12));
        ASSERT_EQ(call_spec(&x)->payload.oom_score_adjust, -12);
        call_begin(&s);
        ASSERT_OK(sd_bus_message_append(s.m, "{sv}", "OOMScoreAdjust", "s", "-1000"));
        ASSERT_EQ(call_spec(&s)->payload.oom_score_adjust, -1000);
}

/* A message of another signature than a{sv}. */
TEST(not_a_dictionary) {
        _cleanup_(call_done) Call c = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_OK(sd_bus_new(&c.bus));
        ASSERT_OK(sd_bus_set_address(c.bus, "unix:path=/nonexistent"));
        (void) sd_bus_start(c.bus);
        ASSERT_OK(sd_bus_message_new_method_call(c.bus, &c.m, "a.b", "/", "a.b", "C"));
        ASSERT_OK(sd_bus_message_append(c.m, "a{ss}", 1, "Hostname", "web"));
        c.draft = spec_draft_new();
        ASSERT_OK(sd_bus_message_seal(c.m, 1, 0));
        ASSERT_TRUE(bus_read_settings(c.m, c.draft, &e) < 0);
        ASSERT_CONTAINS(e.message, "The settings of the call cannot be read");
}

TEST(booleans_and_texts) {
        _cleanup_(call_done) Call c = { 0 };
        call_begin(&c);
        ASSERT_OK(sd_bus_message_append(c.m, "{sv}{sv}{sv}", "Boot", "b", true, "ReadOnly", "s",
                                        "yes", "Hostname", "s", "db"));
        const ContainerSpec *spec = call_spec(&c);
        ASSERT_EQ(spec->payload.start, START_BOOT);
        ASSERT_TRUE(spec->root.read_only);
        ASSERT_STREQ(spec->hostname, "db");
}

TEST(spans_are_microseconds) {
        _cleanup_(call_done) Call c = { 0 }, forever = { 0 };
        call_begin(&c);
        ASSERT_OK(sd_bus_message_append(c.m, "{sv}", "StopTimeoutSec", "t", (uint64_t) 1500000));
        ASSERT_EQ(call_spec(&c)->payload.stop_timeout_usec, 1500000);
        call_begin(&forever);
        ASSERT_OK(sd_bus_message_append(forever.m, "{sv}", "StopTimeoutSec", "t", UINT64_MAX));
        ASSERT_EQ(call_spec(&forever)->payload.stop_timeout_usec, USEC_INFINITY);
}

TEST(lists) {
        _cleanup_(call_done) Call c = { 0 };
        call_begin(&c);
        ASSERT_OK(sd_bus_message_append(c.m, "{sv}{sv}{sv}", "Bind", "as", 2, "/srv/a:/a",
                                        "/srv/b:/b", "Environment", "as", 2, "A=one two", "B=\"",
                                        "Parameters", "as", 3, "sh", "-c", "echo 'x y'"));
        const ContainerSpec *spec = call_spec(&c);
        ASSERT_EQ(spec->n_mounts, 2);
        ASSERT_STREQ(spec->mounts[1].target, "/b");
        ASSERT_STREQ(spec->payload.environment[0],
                     "A=one two"); /* elements are raw: nothing is unquoted */
        ASSERT_STREQ(spec->payload.environment[1], "B=\"");
        ASSERT_STREQ(spec->payload.argv[2], "echo 'x y'");
        ASSERT_NULL(spec->payload.argv[3]);
}

static void expect_refused(Call *c, ErrorId id, const char *words) {
        _cleanup_error_ Error e = ERROR_NULL;
        ASSERT_TRUE(call_read(c, &e) < 0);
        ASSERT_EQ(e.id, id);
        ASSERT_CONTAINS(e.message, words);
}

TEST(refused) {
        _cleanup_(call_done) Call unknown = { 0 }, internal = { 0 }, type = { 0 }, value = { 0 },
                                  array = { 0 };
        call_begin(&unknown);
        ASSERT_OK(sd_bus_message_append(unknown.m, "{sv}", "Nonsense", "s", "x"));
        expect_refused(&unknown, ERROR_INVALID_SETTING, "Unknown setting 'Nonsense'");
        call_begin(&internal);
        ASSERT_OK(sd_bus_message_append(internal.m, "{sv}", "RootDescriptor", "i", 6));
        expect_refused(&internal, ERROR_INVALID_SETTING, "Unknown setting 'RootDescriptor'");
        call_begin(&type);
        ASSERT_OK(sd_bus_message_append(type.m, "{sv}", "Hostname", "d", 1.0));
        expect_refused(&type, ERROR_INVALID_SETTING, "Setting 'Hostname' has D-Bus type 'd'");
        call_begin(&value);
        ASSERT_OK(sd_bus_message_append(value.m, "{sv}", "OOMScoreAdjust", "i", 5000));
        expect_refused(&value, ERROR_INVALID_SETTING, "OOMScoreAdjust");
        call_begin(&array);
        ASSERT_OK(sd_bus_message_append(array.m, "{sv}", "Hostname", "as", 1, "x"));
        expect_refused(&array, ERROR_INVALID_SETTING,
                       "Setting 'Hostname' has D-Bus type 'as', but a string");
}

/* A dictionary has each key once, and what the call itself says is no setting. */
TEST(keys) {
        _cleanup_(call_done) Call service = { 0 };
        call_begin(&service);
        ASSERT_OK(sd_bus_message_append(service.m, "{sv}", "After", "s", "db"));
        expect_refused(&service, ERROR_UNSUPPORTED,
                       "'After' is for containers that a service of their own starts");
        _cleanup_(call_done) Call twice = { 0 }, name = { 0 }, two = { 0 }, quiet = { 0 };
        call_begin(&twice);
        ASSERT_OK(sd_bus_message_append(twice.m, "{sv}{sv}", "Bind", "s", "/a", "Bind", "s", "/b"));
        expect_refused(&twice, ERROR_INVALID_SETTING, "'Bind' is given twice");
        call_begin(&name);
        ASSERT_OK(sd_bus_message_append(name.m, "{sv}", "Name", "s", "other"));
        expect_refused(&name, ERROR_INVALID_SETTING, "'Name' is an argument of the call");
        call_begin(&quiet); /* known, not built, harmless: once is enough all the same */
        ASSERT_OK(sd_bus_message_append(quiet.m, "{sv}{sv}", "Ephemeral", "b", false, "Ephemeral",
                                        "b", false));
        expect_refused(&quiet, ERROR_INVALID_SETTING, "'Ephemeral' is given twice");
        call_begin(&two);
        ASSERT_OK(sd_bus_message_append(two.m, "{sv}{sv}", "Bind", "s", "/a", "BindReadOnly", "s",
                                        "/b"));
        ASSERT_EQ(call_spec(&two)->n_mounts, 2);
}

TEST(too_many) {
        _cleanup_(call_done) Call elements = { 0 };
        call_begin(&elements);
        ASSERT_OK(sd_bus_message_open_container(elements.m, 'e', "sv"));
        ASSERT_OK(sd_bus_message_append(elements.m, "s", "Parameters"));
        ASSERT_OK(sd_bus_message_open_container(elements.m, 'v', "as"));
        ASSERT_OK(sd_bus_message_open_container(elements.m, 'a', "s"));
        for (unsigned i = 0; i < 1025; i++)
                ASSERT_OK(sd_bus_message_append(elements.m, "s", "word"));
        for (unsigned i = 0; i < 3; i++)
                ASSERT_OK(sd_bus_message_close_container(elements.m));
        expect_refused(&elements, ERROR_LIMIT_EXCEEDED, "'Parameters' has more than 1024 elements");
}

TEST_MAIN
