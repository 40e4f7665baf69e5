/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes out of the process that looks at disks, a policy before it: "POLICY\nFACTS". What is decided must lie on the disk. */
#include "image/disk.h"

#include "basic/str.h"
#include "fuzz.h"

static void check_plan(const DiskFacts *f, const DiskPlan *plan) {
        FUZZ_REQUIRE(plan->mounts[DISK_ROOT].partition);
        for (DiskPlace i = 0; i < _DISK_PLACE_MAX; i++) {
                const DiskPartition *p = plan->mounts[i].partition;
                if (!p)
                        continue;
                FUZZ_REQUIRE(i != DISK_SWAP);
                FUZZ_REQUIRE(p->offset <= f->size && p->size <= f->size - p->offset);
                FUZZ_REQUIRE(disk_file_system_is_known(p->file_system));
                for (DiskPlace k = 0; k < i; k++) {
                        const DiskPartition *o = plan->mounts[k].partition;
                        FUZZ_REQUIRE(!o || o->offset + o->size <= p->offset ||
                                     p->offset + p->size <= o->offset);
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        _cleanup_free_ char *text = fuzz_text(bytes, size), *again = NULL;
        _cleanup_(disk_facts_done) DiskFacts f = { 0 }, g = { 0 };
        _cleanup_error_ Error e = ERROR_NULL, wrong = ERROR_NULL;
        DiskPolicy policy;
        DiskPlan plan;

        char *facts = text ? strchr(text, '\n') : NULL;
        if (!facts)
                return 0;
        *facts++ = '\0';
        int r = disk_policy_parse(text[0] ? text : NULL, &policy, &wrong);
        FUZZ_REQUIRE((r < 0) == error_is_set(&wrong));
        if (disk_facts_parse(facts, &f) < 0)
                return 0;
        FUZZ_REQUIRE(disk_facts_print(&f, &again) >= 0);
        if (strlen(again) <= DISK_FACTS_MAX)
                FUZZ_REQUIRE(disk_facts_parse(again, &g) >= 0 && g.n_partitions == f.n_partitions);
        if (r < 0)
                return 0;
        r = disk_decide("/x", &f, &policy, NULL, "x86-64", &plan, &e);
        FUZZ_REQUIRE((r < 0) == error_is_set(&e));
        if (r >= 0)
                check_plan(&f, &plan);
        return 0;
}
