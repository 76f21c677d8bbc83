// SPDX-License-Identifier: Apache-2.0
// libFuzzer's function: every parser gets the input, and what it accepts has to be what it promises.
#include "../../entry/entry.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void need(bool condition)
{
	if (!condition)
		abort();
}

static char *copy(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	need(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void feed_launch(char *text)
{
	struct failure why = { "" };
	struct launch launch;

	if (parse_launch(text, &launch, &why)) {
		need(why.text[0] != '\0');
		return;
	}
	need(launch.count >= 1 && launch.count <= ROOTS_MAX);
	for (size_t each = 0; each < launch.count; each++)
		need(!strncmp(launch.roots[each], "/sys/fs/cgroup/", 15) && !strstr(launch.roots[each], "/.."));
}

static void feed_jail(char *text)
{
	struct failure why = { "" };
	struct jail jail;

	if (parse_jail(text, &jail, &why))
		need(why.text[0] != '\0');
	else
		need(jail.state <= JAIL_READY);
}

static void feed_settings(char *text)
{
	struct failure why = { "" };
	struct settings settings;

	if (parse_settings(text, &settings, &why))
		need(why.text[0]);
	else
		need(settings.caller && is_instance(settings.instance) && settings.program[0] == '/');
}

static void feed_entries(char *text)
{
	struct failure why = { "" };
	struct entries entries;

	if (parse_entries(text, &entries, &why))
		need(why.text[0] != '\0');
	else
		need((entries.limit || entries.reseller) && entries.limit <= 999999999 && entries.reseller != (uid_t)-1);
}

static void feed_names(const char *text)
{
	char escaped[64];

	if (is_instance(text))
		need(!strchr(text, '/') && text[0] != '.');
	if (is_site(text))
		need(!strchr(text, '/') && strcmp(text, ".."));
	if (is_account_name(text))
		need(!strpbrk(text, "/:\n"));
	if (check_variable(text) > 0)
		need(!strpbrk(text, "=;$"));
	if (escape_dashes(text, escaped, sizeof(escaped)))
		need(!strchr(escaped, '-'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned long long number;
	struct holder holder;
	char *text = copy(data, size);

	if (parse_holder(text, &holder))
		need(holder.pid > 0 && holder.start > 0);
	if (parse_stat(text, &holder))
		need(holder.pid > 0);
	if (parse_number(text, '\n', INT_MAX, &number))
		need(number >= 1 && number <= INT_MAX);
	feed_names(text);
	feed_launch(text);
	free(text);
	text = copy(data, size);
	feed_jail(text);
	free(text);
	text = copy(data, size);
	feed_entries(text);
	free(text);
	text = copy(data, size);
	feed_settings(text);
	free(text);
	return 0;
}
