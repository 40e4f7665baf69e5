/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import1: transfers of images as org.freedesktop.import1, the interface of systemd-importd(8), so that machinectl(1) and importctl(1) work
 * with berth where that does not run.
 *
 * A transfer is a process, berth-transfer(8), that the spawner executes with the caller's descriptor, in a scope of its own. berthd hears how far it
 * is and what became of it, tells that by signals, and ends it when it is told to; it never touches what is transferred. A transfer goes on when its
 * caller has left, and is given up when berthd ends.
 *
 * All of it is on a bus connection of its own, as machine1 is (machine1.h). While somebody else has the name, berthd leaves it alone. */
#pragma once

#include "ipc/transfer.h"
#include "manager/access.h"
#include "manager/shared-name.h"
#include "sys/pidfd.h"

#define IMPORT1_TRANSFERS_MAX 64U
#define IMPORT1_TRANSFERS_USER_MAX 8U      /* of one user other than root */
#define IMPORT1_TRANSFERS_ROOT_RESERVE 16U /* of all of them, for root */

typedef struct Import1Transfer Import1Transfer;

struct Import1 {
        Manager *manager;
        SharedName name;
        uint32_t last_id;
        unsigned n_transfers;
        LIST_HEAD(Import1Transfer, transfers); /* the newest first */
};

struct Import1Transfer {
        Import1 *import1;
        uint32_t id;
        TransferType type;
        TransferVerify verify;
        uid_t uid; /* who has started it */
        /* remote: the URL as it may be shown; or "". url: as it was given, or NULL */
        char *local, *remote, *url, *path;
        uint64_t done, total; /* bytes; total 0: not known */
        usec_t told_usec;     /* when its begin, or how far it is, was said last */
        unsigned n_cancels;
        bool ok; /* it has answered that all is done */

        struct Spawn *spawn; /* until the process is known */
        PidRef process;
        int link_fd, progress_fd, hold_fd;
        sd_event_source *link_source, *progress_source, *process_source, *timer;
        sd_bus_slot *match, *start; /* until its scope is there */
        char *scope;
        LIST_FIELDS(Import1Transfer, transfers);
};

int import1_new(Manager *m, Import1 **ret, Error *reterr);
Import1 *import1_free(Import1 *i1);
DEFINE_TRIVIAL_CLEANUP_FUNC(Import1 *, import1_free)
/* Before the manager ends for lack of work: calls start a new one. */
void import1_release(Import1 *i1);

/* in import1-transfer.c */

/* stream_fd: borrowed; -EBADF: none. The caller is m->caller_uid. ERROR_LIMIT_EXCEEDED. *ret is valid until the event loop runs again. */
int import1_transfer_start(Import1 *i1, const TransferRequest *q, int stream_fd,
                           Import1Transfer **ret, Error *reterr);
/* Without a word to anybody; a process that there is gives up. */
Import1Transfer *import1_transfer_free(Import1Transfer *t);
Import1Transfer *import1_transfer_find(const Import1 *i1, uint32_t id); /* or NULL */
/* It gives up, which may take a while; after the second time it is killed. */
void import1_transfer_cancel(Import1Transfer *t);
/* From 0 to 1; negative: not known. */
double import1_transfer_progress(const Import1Transfer *t);

/* in import1-manager.c: objects and methods */
int import1_publish(Import1 *i1);
