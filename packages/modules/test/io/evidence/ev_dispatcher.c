// SPDX-License-Identifier: GPL-2.0-only
/* Calls by number what the caller may not call. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#include "evidence.h"

long ev_dispatch(unsigned int number, void *argument);
long ev_dispatch(unsigned int number, void *argument)
{
	switch (number) {
	case 0:
		return device_register(argument);
	case 1:
		device_unregister(argument);
		return 0;
	case 2:
		synchronize_rcu();
		return 0;
	case 3:
		return PTR_ERR_OR_ZERO(get_device(argument));
	case 4:
		put_device(argument);
		return 0;
	default:
		return -ENOSYS;
	}
}
EXPORT_SYMBOL(ev_dispatch);
