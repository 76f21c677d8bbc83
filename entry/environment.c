// SPDX-License-Identifier: Apache-2.0
// The environment of what starts as a tenant: made afresh, with a few variables of before.
#define _GNU_SOURCE
#include "entry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For describe_account(), and two more. */
#define MORE 8

int keep_variables(struct environment *e, const char *const *names, size_t count, struct failure *f)
{
	e->count = 0;
	e->variables = calloc(count + MORE, sizeof(*e->variables));
	if (!e->variables)
		return fail(f, "Out of memory");
	for (size_t each = 0; each < count; each++) {
		const char *value = getenv(names[each]);

		if (value && set_variable(e, names[each], value, f))
			return -1;
	}
	(void)clearenv();
	return 0;
}

int keep_matching(struct environment *e, char **variables, bool (*is_kept)(const char *name, size_t length), struct failure *f)
{
	size_t count = 0;

	while (variables[count])
		count++;
	e->count = 0;
	e->variables = calloc(count + MORE, sizeof(*e->variables));
	if (!e->variables)
		return fail(f, "Out of memory");
	for (char **each = variables; *each; each++) {
		size_t length = strcspn(*each, "=");

		if ((*each)[length] == '=' && is_kept(*each, length))
			e->variables[e->count++] = *each;
	}
	return 0;
}

static char **find_variable(const struct environment *e, const char *name)
{
	size_t length = strlen(name);

	for (size_t each = 0; each < e->count; each++)
		if (!strncmp(e->variables[each], name, length) && e->variables[each][length] == '=')
			return &e->variables[each];
	return NULL;
}

const char *value_in(const struct environment *e, const char *name)
{
	char **found = find_variable(e, name);

	return found ? *found + strlen(name) + 1 : NULL;
}

int set_variable(struct environment *e, const char *name, const char *value, struct failure *f)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *text = malloc(size), **found = find_variable(e, name);

	if (!text)
		return fail(f, "Out of memory");
	(void)snprintf(text, size, "%s=%s", name, value);
	if (found)
		*found = text;
	else
		e->variables[e->count++] = text;
	return 0;
}

int describe_account(struct environment *e, const struct account *account, struct failure *f)
{
	if (set_variable(e, "HOME", account->home, f) || set_variable(e, "USER", account->name, f) ||
	    set_variable(e, "LOGNAME", account->name, f) || set_variable(e, "SHELL", account->shell, f))
		return -1;
	return set_variable(e, "PATH", "/usr/local/bin:/usr/bin:/bin", f);
}
