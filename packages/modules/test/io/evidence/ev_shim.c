// SPDX-License-Identifier: GPL-2.0-only
/* Hands GPL-only functions on to whoever may not use them. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#include "evidence.h"

int ev_add_device(struct device *device);
int ev_add_device(struct device *device)
{
	return device_register(device);
}
EXPORT_SYMBOL(ev_add_device);

void ev_wait(void);
void ev_wait(void)
{
	synchronize_rcu();
}
EXPORT_SYMBOL(ev_wait);
