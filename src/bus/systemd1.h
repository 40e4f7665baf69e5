/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client of systemd's own D-Bus interface: scopes, units, jobs. Versions differ here and only here: PIDFDs= in
 * StartTransientUnit since systemd 255, DelegateSubgroup= since 254. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/macros.h"

/* systemd is the service manager of this system (sd_booted(3)). */
bool systemd_is_running(void);
/* "machine-web.scope", "berth@web.service": the scope's name is escaped as systemd-escape(1) does it, the service's
 * instance is the name as it is (all of a name's characters are valid there), so that %i is the name. Allocated. */
char *systemd1_scope_name(const char *container);
char *systemd1_service_name(const char *container);

/* Appends NAME=VALUE from a spec's resources.properties as a (sv) of an open a(sv) array: the types come from a table of the unit
 * properties that systemd.resource-control(5) and systemd.exec-less scopes know. ERROR_INVALID_SETTING names the property. */
int systemd1_append_property(sd_bus_message *m, const char *assignment, Error *reterr);
/* Checks without a bus: for `berth verify` and before anything is started. */
int systemd1_check_property(const char *assignment, Error *reterr);
bool systemd1_property_is_known(const char *name);

/* Applies properties at run time to a loaded unit (SetUnitProperties, runtime). Blocking; for programs that may wait. */
int systemd1_set_properties(sd_bus *bus, const char *unit, char *const *assignments, Error *reterr);

/* Takes back what systemd1_set_properties() has set: systemd keeps such values in drop-ins below /run until the host reboots. names:
 * property names without value. Reloads systemd if there was anything. */
int systemd1_forget_properties(sd_bus *bus, const char *unit, char *const *names, Error *reterr);

typedef enum UnitAction {
        UNIT_START,
        UNIT_STOP,
        UNIT_RESTART
} UnitAction;
/* Queues the job and waits for its result (JobRemoved). Blocking; for the command line. A failed job is an ERROR_UNIT_FAILED that
 * says how the unit ended (Result, ExecMainStatus, StatusText) and where its log is. */
int systemd1_unit_run(sd_bus *bus, UnitAction action, const char *unit, Error *reterr);
/* Has it run its generators and read all units anew. Blocking. */
int systemd1_reload(sd_bus *bus, Error *reterr);
/* EnableUnitFiles/DisableUnitFiles and Reload. */
int systemd1_unit_enable(sd_bus *bus, char *const *units, bool enable, Error *reterr);
/* A job is queued for it, or it is between its beginning and its end: "activating", "deactivating". */
bool systemd1_unit_is_busy(sd_bus *bus, const char *unit);
/* Units that require this one and are not at rest: they will be stopped with it. -EXXX: cannot be told. */
int systemd1_unit_list_dependents(sd_bus *bus, const char *unit, char ***ret);
int systemd1_unit_get_string(sd_bus *bus, const char *unit, const char *interface,
                             const char *property, char **ret, Error *reterr);
