// SPDX-License-Identifier: GPL-2.0-only
/* The shim again, with lines for the log, and among other exports. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#define EVIDENCE_INIT ev_count(0)

int ev_logged_add(struct device *device);
int ev_logged_add(struct device *device)
{
	int error;

	pr_info("about to add %p for a module\n", device);
	error = device_register(device);
	pr_info("adding %p gave %d, which is all that is known of it\n", device, error);
	return error;
}
EXPORT_SYMBOL(ev_logged_add);

void ev_logged_wait(void);
void ev_logged_wait(void)
{
	pr_info("about to wait\n");
	synchronize_rcu();
	pr_info("waited\n");
}
EXPORT_SYMBOL(ev_logged_wait);

#define OTHER(name, operator)                    \
	int ev_##name(int value);                \
	int ev_##name(int value)                 \
	{                                        \
		return value operator 3;         \
	}                                        \
	EXPORT_SYMBOL(ev_##name)
OTHER(count, *);
OTHER(more, +);
OTHER(less, -);
OTHER(mask, &);
#include "evidence.h"
