/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of address families: those of the kernel's socket.h, which are also its user interface. */
#include "spec/address-families.h"

#include <sys/socket.h>

#include "basic/alloc.h"
#include "basic/str.h"

#define SMC 43 /* headers of old C libraries do not have the last ones */
#define XDP 44
#define MCTP 45

static const struct Family {
        int number;
        const char *name;
} families[] = {
        { AF_UNIX, "AF_UNIX" },
        { AF_INET, "AF_INET" },
        { AF_AX25, "AF_AX25" },
        { AF_IPX, "AF_IPX" },
        { AF_APPLETALK, "AF_APPLETALK" },
        { AF_NETROM, "AF_NETROM" },
        { AF_BRIDGE, "AF_BRIDGE" },
        { AF_ATMPVC, "AF_ATMPVC" },
        { AF_X25, "AF_X25" },
        { AF_INET6, "AF_INET6" },
        { AF_ROSE, "AF_ROSE" },
        { AF_DECnet, "AF_DECnet" },
        { AF_NETBEUI, "AF_NETBEUI" },
        { AF_SECURITY, "AF_SECURITY" },
        { AF_KEY, "AF_KEY" },
        { AF_NETLINK, "AF_NETLINK" },
        { AF_PACKET, "AF_PACKET" },
        { AF_ASH, "AF_ASH" },
        { AF_ECONET, "AF_ECONET" },
        { AF_ATMSVC, "AF_ATMSVC" },
        { AF_RDS, "AF_RDS" },
        { AF_SNA, "AF_SNA" },
        { AF_IRDA, "AF_IRDA" },
        { AF_PPPOX, "AF_PPPOX" },
        { AF_WANPIPE, "AF_WANPIPE" },
        { AF_LLC, "AF_LLC" },
        { AF_IB, "AF_IB" },
        { AF_MPLS, "AF_MPLS" },
        { AF_CAN, "AF_CAN" },
        { AF_TIPC, "AF_TIPC" },
        { AF_BLUETOOTH, "AF_BLUETOOTH" },
        { AF_IUCV, "AF_IUCV" },
        { AF_RXRPC, "AF_RXRPC" },
        { AF_ISDN, "AF_ISDN" },
        { AF_PHONET, "AF_PHONET" },
        { AF_IEEE802154, "AF_IEEE802154" },
        { AF_CAIF, "AF_CAIF" },
        { AF_ALG, "AF_ALG" },
        { AF_NFC, "AF_NFC" },
        { AF_VSOCK, "AF_VSOCK" },
        { AF_KCM, "AF_KCM" },
        { AF_QIPCRTR, "AF_QIPCRTR" },
        { SMC, "AF_SMC" },
        { XDP, "AF_XDP" },
        { MCTP, "AF_MCTP" },
        /* other names */
        { AF_LOCAL, "AF_LOCAL" },
        { AF_ROUTE, "AF_ROUTE" },
};

static int family_from_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(families); i++)
                if (streq(families[i].name, name))
                        return families[i].number;
        return -EINVAL;
}

int families_parse(const char *s, uint64_t *ret) {
        uint64_t mask = 0;
        for (;;) {
                _cleanup_free_ char *word = NULL;
                int r = extract_word(&s, NULL, 0, &word);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (streq(word, "none"))
                        continue;
                int family = family_from_name(word);
                if (family < 0)
                        return family;
                mask |= FAMILY_MASK(family);
        }
        *ret = mask;
        return 0;
}

char *families_format(uint64_t mask) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        char *text;
        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                if (!(mask & FAMILY_MASK(families[i].number)))
                        continue;
                strbuf_addf(&b, "%s%s", b.size > 0 ? " " : "", families[i].name);
                mask &= ~FAMILY_MASK(families[i].number);
        }
        if (b.size == 0)
                strbuf_add(&b, "none");
        return strbuf_finish(&b, &text) < 0 ? NULL : text;
}
