// SPDX-License-Identifier: GPL-2.0-only
/* Ordinary use of GPL-only functions: as steps of something, by their address too, and in every branch. */
#include <linux/device.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "evidence.h"

struct ev_managed {
	struct device device;
	struct device *parent;
	void (*settle)(void);
};

static void ev_release(struct device *device)
{
	kfree(container_of(device, struct ev_managed, device));
}

struct ev_managed *ev_manage(struct device *parent, const char *name);
struct ev_managed *ev_manage(struct device *parent, const char *name)
{
	struct ev_managed *managed = kzalloc(sizeof(*managed), GFP_KERNEL);

	if (!managed)
		return NULL;
	managed->settle = synchronize_rcu;
	managed->device.release = ev_release;
	managed->parent = get_device(parent);
	dev_set_name(&managed->device, "%s", name);
	if (device_register(&managed->device)) {
		put_device(&managed->device);
		return NULL;
	}
	return managed;
}
EXPORT_SYMBOL(ev_manage);

void ev_forget(struct ev_managed *managed);
void ev_forget(struct ev_managed *managed)
{
	managed->settle();
	put_device(managed->parent);
	device_unregister(&managed->device);
}
EXPORT_SYMBOL(ev_forget);

struct device *ev_find(struct device *parent, const char *name);
struct device *ev_find(struct device *parent, const char *name)
{
	return bus_find_device(&platform_bus_type, parent, name, device_match_name);
}
EXPORT_SYMBOL(ev_find);

int ev_value(struct ev_managed *managed);
int ev_value(struct ev_managed *managed)
{
	return managed->device.id;
}
EXPORT_SYMBOL(ev_value);
