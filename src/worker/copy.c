/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying. */
#include "worker/worker.h"

int operation_copy(Worker *w, Error *reterr) {
        return error_set(reterr, -EOPNOTSUPP, ERROR_UNSUPPORTED, "Copying is not there yet");
}
