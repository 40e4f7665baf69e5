/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names on the bus: ours and those we call. */
#pragma once

#define BERTH_BUS_NAME "org.berth.Containers1"
#define BERTH_MANAGER_PATH "/org/berth/Containers1"
#define BERTH_CONTAINER_PATH_PREFIX \
        "/org/berth/Containers1/container" /* + "/" + escaped name, sd_bus_path_encode() */
#define BERTH_IMAGE_PATH_PREFIX "/org/berth/Containers1/image" /* the same */
#define BERTH_MANAGER_INTERFACE "org.berth.Containers1.Manager"
#define BERTH_CONTAINER_INTERFACE "org.berth.Containers1.Container"
#define BERTH_IMAGE_INTERFACE "org.berth.Containers1.Image"
#define BERTH_ERROR_PREFIX "org.berth.Error."

/* org.freedesktop.LogControl1(5) */
#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

/* systemd-machined's, answered by berthd where that does not run */
#define MACHINE1_BUS_NAME "org.freedesktop.machine1"
#define MACHINE1_MANAGER_PATH "/org/freedesktop/machine1"
#define MACHINE1_MACHINE_PATH_PREFIX "/org/freedesktop/machine1/machine"
#define MACHINE1_IMAGE_PATH_PREFIX "/org/freedesktop/machine1/image"
#define MACHINE1_MANAGER_INTERFACE "org.freedesktop.machine1.Manager"
#define MACHINE1_MACHINE_INTERFACE "org.freedesktop.machine1.Machine"
#define MACHINE1_IMAGE_INTERFACE "org.freedesktop.machine1.Image"
#define MACHINE1_PREFIX "org.freedesktop.machine1." /* of errors and polkit actions */

/* systemd-importd's, answered by berthd where that does not run */
#define IMPORT1_BUS_NAME "org.freedesktop.import1"
#define IMPORT1_MANAGER_PATH "/org/freedesktop/import1"
#define IMPORT1_TRANSFER_PATH_PREFIX "/org/freedesktop/import1/transfer" /* + "/_" + number */
#define IMPORT1_MANAGER_INTERFACE "org.freedesktop.import1.Manager"
#define IMPORT1_TRANSFER_INTERFACE "org.freedesktop.import1.Transfer"
#define IMPORT1_PREFIX "org.freedesktop.import1." /* of errors and polkit actions */

#define SYSTEMD1_BUS_NAME "org.freedesktop.systemd1"
#define SYSTEMD1_PATH "/org/freedesktop/systemd1"
#define SYSTEMD1_MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define SYSTEMD1_SCOPE_INTERFACE "org.freedesktop.systemd1.Scope"

#define POLKIT_BUS_NAME "org.freedesktop.PolicyKit1"

#define ACTION_CREATE "org.berth.containers1.create"
#define ACTION_STOP "org.berth.containers1.stop"
#define ACTION_KILL "org.berth.containers1.kill"
#define ACTION_REBOOT "org.berth.containers1.reboot"
#define ACTION_ATTACH "org.berth.containers1.attach"
#define ACTION_PAUSE "org.berth.containers1.pause"
#define ACTION_EXEC "org.berth.containers1.exec"
#define ACTION_SHELL "org.berth.containers1.shell"
#define ACTION_LOGIN "org.berth.containers1.login"
#define ACTION_COPY "org.berth.containers1.copy"
#define ACTION_BIND "org.berth.containers1.bind"
#define ACTION_SET_PROPERTIES "org.berth.containers1.set-properties"
#define ACTION_IMAGES "org.berth.containers1.manage-images"
#define ACTION_INSPECT "org.berth.containers1.inspect"
