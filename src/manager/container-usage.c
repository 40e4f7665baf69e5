/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers and addresses of one container → D-Bus values. */
#include "manager/container-usage.h"

#include "basic/fd.h"
#include "basic/str.h"
#include "sys/cgroup.h"
#include "sys/net-addresses.h"

uint32_t measure_bit(const char *property) {
        const UsageField f = usage_field_from_string(property);

        if (f >= 0)
                return 1U << f;
        return streq(property, "Addresses") ? MEASURE_ADDRESSES : 0;
}

/* In the order and the words of GetContainerAddresses. */
static int append_addresses(const Container *c, sd_bus_message *m) {
        _cleanup_free_ NetAddress *list = NULL;
        size_t n = 0;

        /* none of its own, or none any more: an empty list */
        if (pidref_is_set(&c->leader) &&
            (net_addresses_read(c->leader.pid, &list, &n) < 0 || !pidref_is_alive(&c->leader)))
                n = 0;
        int r = sd_bus_message_open_container(m, 'a', "(iay)");
        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = sd_bus_message_open_container(m, 'r', "iay");
                if (r >= 0)
                        r = sd_bus_message_append(m, "i", list[i].family);
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', list[i].bytes,
                                                        net_address_size(list + i));
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_address_property(const Container *c, sd_bus_message *m) {
        int r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Addresses");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(iay)");
        if (r >= 0)
                r = append_addresses(c, m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void read_usage(const Container *c, int cgroup_root_fd, uint32_t wanted,
                       uint64_t values[static _USAGE_MAX]) {
        _cleanup_close_ int fd = cgroup_root_fd >= 0 && !isempty(c->control_group)
                                         ? cgroup_open(cgroup_root_fd, c->control_group)
                                         : -EBADF;

        cgroup_read_usage(fd, wanted, values);
}

int container_append_measured(const Container *c, int cgroup_root_fd, uint32_t wanted,
                              sd_bus_message *m) {
        uint64_t values[_USAGE_MAX];
        int r = 0;

        if (wanted & USAGE_ALL)
                read_usage(c, cgroup_root_fd, wanted, values);
        for (UsageField f = 0; r >= 0 && f < _USAGE_MAX; f++)
                if (wanted & (1U << f))
                        r = sd_bus_message_append(m, "{sv}", usage_field_to_string(f), "t",
                                                  values[f]);
        if (r >= 0 && (wanted & MEASURE_ADDRESSES))
                r = append_address_property(c, m);
        return r;
}

int container_get_measured(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *reterr_error) {
        const UsageField f = usage_field_from_string(property);
        _cleanup_close_ int root = cgroup_open_root();
        uint64_t values[_USAGE_MAX];

        if (f < 0)
                return append_addresses(userdata, reply);
        read_usage(userdata, root, 1U << f, values);
        return sd_bus_message_append(reply, "t", values[f]);
}
