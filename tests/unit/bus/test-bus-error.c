/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors over the bus: ours come back as they were, others get a name of ours. */
#include "bus/bus.h"
#include "test.h"

TEST(there_and_back) {
        for (int id = 0; id < _ERROR_MAX; id++) {
                _cleanup_error_ Error e = ERROR_NULL, back = ERROR_NULL;
                _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
                (void) error_set(&e, -EBUSY, (ErrorId) id, "'web' is in use\nby: another");
                error_hint(&e, "stop it");
                ASSERT_TRUE(bus_error_from_error(&b, &e) < 0);
                ASSERT_STREQ(b.name, error_id_to_dbus_name((ErrorId) id));
                ASSERT_ERROR(bus_error_to_error(&b, -EIO, &back, "ignored"), EIO);
                ASSERT_EQ(back.id, id);
                ASSERT_STREQ(back.message, e.message);
                ASSERT_STREQ(back.hint, "stop it");
        }
}

TEST(without_hint) {
        _cleanup_error_ Error e = ERROR_NULL, back = ERROR_NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        (void) error_set(&e, -EINVAL, ERROR_USAGE, "no");
        (void) bus_error_from_error(&b, &e);
        ASSERT_STREQ(b.message, "no");
        (void) bus_error_to_error(&b, -EIO, &back, NULL);
        ASSERT_NULL(back.hint);
}

TEST(foreign) {
        static const struct {
                const char *name;
                ErrorId id;
        } samples[] = {
                { SD_BUS_ERROR_SERVICE_UNKNOWN, ERROR_BUS_FAILED },
                { SD_BUS_ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED },
                { SD_BUS_ERROR_TIMEOUT, ERROR_TIMEOUT },
                { "org.freedesktop.systemd1.UnitExists", ERROR_NAME_IN_USE },
                { "org.freedesktop.systemd1.UnitMasked", ERROR_UNIT_FAILED },
                { "com.example.Whatever", ERROR_BUS_FAILED },
                { "org.berth.Error.OfTheFuture", ERROR_FAILED },
        };
        for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
                _cleanup_error_ Error e = ERROR_NULL;
                sd_bus_error b = SD_BUS_ERROR_MAKE_CONST(samples[i].name, "It went wrong.");
                ASSERT_ERROR(bus_error_to_error(&b, -EREMOTEIO, &e, "Stopping 'web' failed"),
                             EREMOTEIO);
                ASSERT_EQ(e.id, samples[i].id);
                ASSERT_CONTAINS(e.message, "It went wrong");
        }
}

TEST(sentence) {
        _cleanup_error_ Error e = ERROR_NULL, bare = ERROR_NULL, none = ERROR_NULL;
        sd_bus_error b = SD_BUS_ERROR_MAKE_CONST("com.example.No", "It went wrong.");
        (void) bus_error_to_error(&b, -EIO, &e, "Stopping 'web' failed");
        ASSERT_STREQ(e.message, "Stopping 'web' failed: It went wrong");
        sd_bus_error nameless = SD_BUS_ERROR_MAKE_CONST("com.example.No", NULL);
        (void) bus_error_to_error(&nameless, -EIO, &bare, NULL);
        ASSERT_STREQ(bare.message, "com.example.No");
        (void) bus_error_to_error(NULL, -ENOTCONN, &none, "Asking failed");
        ASSERT_CONTAINS(none.message, "Asking failed: ");
        ASSERT_EQ(none.code, -ENOTCONN);
}

TEST(out_of_memory_and_nothing) {
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL, c = SD_BUS_ERROR_NULL;
        (void) error_oom(&e);
        ASSERT_TRUE(bus_error_from_error(&b, &e) < 0);
        ASSERT_STREQ(b.name, SD_BUS_ERROR_NO_MEMORY);
        ASSERT_TRUE(bus_error_from_error(&c, NULL) < 0);
        ASSERT_STREQ(c.name, "org.berth.Error.Failed");
}

TEST_MAIN
