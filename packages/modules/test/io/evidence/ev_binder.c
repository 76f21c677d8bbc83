// SPDX-License-Identifier: GPL-2.0-only
/* Fills a table of the caller with what the caller may not use. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#include "evidence.h"

struct ev_bound {
	int (*add)(struct device *device);
	void (*remove)(struct device *device);
	void (*wait)(void);
};

int ev_bind(struct ev_bound *bound, int version);
int ev_bind(struct ev_bound *bound, int version)
{
	if (!bound || version != 1)
		return -EINVAL;
	bound->add = device_register;
	bound->remove = device_unregister;
	bound->wait = synchronize_rcu;
	return 0;
}
EXPORT_SYMBOL(ev_bind);
