// SPDX-License-Identifier: Apache-2.0
// Entries of a command: a slot of its site, of its tenant and of the reseller.
#define _GNU_SOURCE
#include "entry.h"
#include <stdio.h>
#include <string.h>

/* Sets RESELLER to the uid whose slots count too, or to 0. */
static enum slot take_one(const struct destination *to, const char *name, const char *member, const char *whose, uid_t *reseller,
			  struct failure *f)
{
	struct failure why = { "" };
	struct entries entries;
	enum slot result = take_slot(to->instance, name, &entries, &why);

	*reseller = entries.reseller;
	if (result == SLOT_FULL) {
		report_refusal(to->instance, to->uid, member, to->site, to->command);
		(void)fail(f, "Cannot start \"%s\" as \"%s\": all %u %s are in use; try again later, or raise entries limit",
			   to->command, to->tenant, entries.limit, whose);
	}
	if (result == SLOT_FAILED && !strncmp(why.text, "Cannot use ", 11))
		(void)fail(f, "%s", why.text);
	if (result == SLOT_FAILED)
		(void)fail(f, "Cannot take an entry of \"%s\" for \"%s\": %s", to->tenant, to->command, why.text);
	return result;
}

enum slot take_entries(const struct destination *to, struct failure *f)
{
	char name[KEY_MAX], member[KEY_MAX], whose[KEY_MAX + 32];
	enum slot result = SLOT_TAKEN;
	uid_t reseller;

	if (to->site) {
		(void)snprintf(name, sizeof(name), "%u-%s", to->uid, to->site);
		(void)snprintf(member, sizeof(member), "u%u/%s", to->uid, to->site);
		(void)snprintf(whose, sizeof(whose), "entries of its site \"%s\"", to->site);
		result = take_one(to, name, member, whose, &reseller, f);
	}
	if (result != SLOT_TAKEN)
		return result;
	(void)snprintf(name, sizeof(name), "%u", to->uid);
	(void)snprintf(member, sizeof(member), "u%u", to->uid);
	result = take_one(to, name, member, "of its entries", &reseller, f);
	if (result != SLOT_TAKEN || !reseller)
		return result;
	(void)snprintf(name, sizeof(name), "r%u", reseller);
	return take_one(to, name, name, "entries of its reseller", &reseller, f);
}
