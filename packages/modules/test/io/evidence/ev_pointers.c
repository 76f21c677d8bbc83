// SPDX-License-Identifier: GPL-2.0-only
/* The same by pointers: no code at all. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#include "evidence.h"

extern int (*const ev_add_device_pointer)(struct device *device);
int (*const ev_add_device_pointer)(struct device *device) = device_register;
EXPORT_SYMBOL(ev_add_device_pointer);

extern void (*const ev_wait_pointer)(void);
void (*const ev_wait_pointer)(void) = synchronize_rcu;
EXPORT_SYMBOL(ev_wait_pointer);
