// SPDX-License-Identifier: GPL-2.0-only
/* A table that is empty in the file, and filled when the module starts. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#define EVIDENCE_INIT ev_fill()

struct ev_filled {
	int (*add)(struct device *device);
	void (*remove)(struct device *device);
	void (*wait)(void);
};

extern struct ev_filled ev_filled;
struct ev_filled ev_filled;
EXPORT_SYMBOL(ev_filled);

static int ev_fill(void)
{
	ev_filled.add = device_register;
	ev_filled.remove = device_unregister;
	ev_filled.wait = synchronize_rcu;
	return 0;
}
#include "evidence.h"
