// SPDX-License-Identifier: Apache-2.0
// Parsers of the files that Bulkhead writes for this library, and of names that a caller gives.
#include "entry.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_MAX 999999999ULL

int vfail(struct failure *f, const char *format, va_list arguments)
{
	if (f->text[0])
		return -1;
	(void)vsnprintf(f->text, sizeof(f->text), format, arguments);
	for (char *each = f->text; *each; each++)
		if ((unsigned char)*each < ' ' || *each == 0x7f)
			*each = '?';
	return -1;
}

int fail(struct failure *f, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vfail(f, format, arguments);
	va_end(arguments);
	return -1;
}

/* The next line, without its newline; NULL at the end, also where the last line has none. */
static char *next_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

/* What follows WORD and a blank, or NULL. */
static const char *value_of(const char *line, const char *word)
{
	size_t length = strlen(word);

	return !strncmp(line, word, length) && line[length] == ' ' ? line + length + 1 : NULL;
}

/* The lines between `FORMAT 1` and `end`: a file without either was cut off, or is of another version. */
static int open_lines(char **text, const char *format, struct failure *f)
{
	size_t length = strlen(*text);
	const char *version, *first;

	if (length < 5 || strcmp(*text + length - 5, "\nend\n"))
		return fail(f, "it is cut off");
	(*text)[length - 4] = '\0';
	first = next_line(text);
	version = first ? value_of(first, format) : NULL;
	if (!version)
		return fail(f, "it is not a file of the kind \"%s\"", format);
	return strcmp(version, "1") ? fail(f, "version \"%.20s\" is not known here", version) : 0;
}

static bool is_cgroup(const char *path)
{
	return !strncmp(path, "/sys/fs/cgroup/", 15) && !strstr(path, "/..") && strlen(path) < PATH_SIZE / 2;
}

int parse_launch(char *text, struct launch *launch, struct failure *f)
{
	const char *value;
	bool has_join = false;
	char *line;

	memset(launch, 0, sizeof(*launch));
	if (open_lines(&text, "launch", f))
		return -1;
	while ((line = next_line(&text)) != NULL) {
		if ((value = value_of(line, "join")) != NULL) {
			launch->by_tasks = !strcmp(value, "tasks");
			has_join = launch->by_tasks || !strcmp(value, "cgroup.procs");
			if (!has_join)
				return fail(f, "\"join %.100s\" is unknown", value);
		} else if ((value = value_of(line, "slices")) != NULL) {
			if (!is_cgroup(value))
				return fail(f, "\"%.200s\" is not a cgroup", value);
			launch->slices = value;
		} else if ((value = value_of(line, "root")) != NULL) {
			if (!is_cgroup(value))
				return fail(f, "\"%.200s\" is not a cgroup", value);
			if (launch->count == ROOTS_MAX)
				return fail(f, "it has more than %d hierarchies", ROOTS_MAX);
			launch->roots[launch->count++] = value;
		} else {
			return fail(f, "\"%.100s\" is unknown", line);
		}
	}
	if (!launch->count)
		return fail(f, "it names no hierarchy");
	return has_join ? 0 : fail(f, "the line \"join\" is missing");
}

static int parse_yes(const char *value, bool *yes, struct failure *f)
{
	*yes = !strcmp(value, "yes");
	return *yes || !strcmp(value, "no") ? 0 : fail(f, "\"%.20s\" is neither yes nor no", value);
}

int parse_jail(char *text, struct jail *jail, struct failure *f)
{
	bool has_filter = false, has_landlock = false;
	const char *value;
	char *line;

	memset(jail, 0, sizeof(*jail));
	if (open_lines(&text, "jail", f))
		return -1;
	while ((line = next_line(&text)) != NULL) {
		if ((value = value_of(line, "state")) != NULL) {
			if (!strcmp(value, "ready"))
				jail->state = JAIL_READY;
			else if ((jail->why = value_of(value, "failed")) != NULL || !strcmp(value, "failed"))
				jail->state = JAIL_FAILED;
		} else if ((value = value_of(line, "filter")) != NULL) {
			has_filter = true;
			if (parse_yes(value, &jail->filter, f))
				return -1;
		} else if ((value = value_of(line, "landlock")) != NULL) {
			has_landlock = true;
			if (parse_yes(value, &jail->landlock, f))
				return -1;
		} else if ((value = value_of(line, "home")) != NULL) {
			jail->home = value;
		}
	}
	return has_filter && has_landlock ? 0 : fail(f, "the line \"filter\" or \"landlock\" is missing");
}

int parse_settings(char *text, struct settings *settings, struct failure *f)
{
	unsigned long long number;
	const char *value;
	char *line;

	memset(settings, 0, sizeof(*settings));
	if (open_lines(&text, "suexec", f))
		return -1;
	while ((line = next_line(&text)) != NULL) {
		if ((value = value_of(line, "instance")) != NULL && is_instance(value))
			settings->instance = value;
		else if ((value = value_of(line, "caller")) != NULL && parse_number(value, '\0', UINT_MAX - 1, &number))
			settings->caller = (uid_t)number;
		else if ((value = value_of(line, "program")) != NULL && value[0] == '/')
			settings->program = value;
		else
			return fail(f, "\"%.100s\" is unknown", line);
	}
	if (settings->instance && settings->caller && settings->program)
		return 0;
	return fail(f, "the line \"instance\", \"caller\" or \"program\" is missing");
}

int parse_entries(char *text, struct entries *entries, struct failure *f)
{
	unsigned long long number;
	const char *value;
	char *line;

	memset(entries, 0, sizeof(*entries));
	if (open_lines(&text, "entries", f))
		return -1;
	while ((line = next_line(&text)) != NULL) {
		if ((value = value_of(line, "limit")) != NULL && parse_number(value, '\0', ENTRIES_MAX, &number))
			entries->limit = (unsigned)number;
		else if ((value = value_of(line, "reseller")) != NULL && parse_number(value, '\0', UINT32_MAX - 1, &number))
			entries->reseller = (uid_t)number;
		else
			return fail(f, "\"%.100s\" is neither a limit nor a reseller", line);
	}
	return entries->limit || entries->reseller ? 0 : fail(f, "it has neither a limit nor a reseller");
}

bool parse_number(const char *text, char end, unsigned long long most, unsigned long long *number)
{
	unsigned long long value = 0;
	const char *each = text;

	if (*each < '1' || *each > '9')
		return false;
	for (; *each >= '0' && *each <= '9'; each++) {
		unsigned digit = (unsigned)(*each - '0');

		if (value > (most - digit) / 10 || most < digit)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return *each == end;
}

bool parse_holder(const char *text, struct holder *holder)
{
	unsigned long long pid;
	const char *start = strchr(text, ' ');
	const char *more = start ? strchr(start + 1, ' ') : NULL;

	memset(holder, 0, sizeof(*holder));
	if (!start || !parse_number(text, ' ', INT_MAX, &pid))
		return false;
	holder->pid = (pid_t)pid;
	holder->hangs = more != NULL && !strcmp(more, " hangs\n");
	if (more && !holder->hangs)
		return false;
	return parse_number(start + 1, more ? ' ' : '\n', ULLONG_MAX, &holder->start);
}

bool parse_stat(const char *text, struct holder *holder)
{
	unsigned long long pid;
	/* A process chooses its own name, with any character; it ends at the last parenthesis. */
	const char *field = strrchr(text, ')');
	char state;
	bool is_only_thread;

	memset(holder, 0, sizeof(*holder));
	if (!field || field[1] != ' ' || !parse_number(text, ' ', INT_MAX, &pid))
		return false;
	holder->pid = (pid_t)pid;
	state = field[2];
	/* Fields 3 (state), 20 (threads) and 22 (start). Source: proc_pid_stat(5). */
	field += 1;
	for (int number = 3; number < 20; number++)
		if (!(field = strchr(field + 1, ' ')))
			return false;
	is_only_thread = !strncmp(field, " 1 ", 3);
	for (int number = 20; number < 22; number++)
		if (!(field = strchr(field + 1, ' ')))
			return false;
	/* A process whose first thread has ended looks like one that has ended, but for its number of threads. */
	if (state == 'Z' && is_only_thread)
		return false;
	return parse_number(field + 1, ' ', ULLONG_MAX, &holder->start);
}

bool is_instance(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strlen(name) < INSTANCE_MAX &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

bool is_site(const char *name)
{
	return name[0] && strlen(name) <= 255 && strcmp(name, ".") && strcmp(name, "..") &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

int check_variable(const char *name)
{
	static const char *const afresh[] = { "HOME", "SHELL",	"USER", "LOGNAME", "PATH",
					      "IFS",  "PWD", "OLDPWD", NULL };
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (!name[0] || (name[0] >= '0' && name[0] <= '9') || name[strspn(name, letters)])
		return 0;
	for (const char *const *each = afresh; *each; each++)
		if (!strcmp(name, *each))
			return -1;
	return 1;
}

bool is_account_name(const char *name)
{
	if (!name[0] || strchr("-+ \t\n\v\f\r", name[0]) || strlen(name) > 255)
		return false;
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f || *name == ':' || *name == '/')
			return false;
	return true;
}

bool escape_dashes(const char *name, char *escaped, size_t size)
{
	size_t length = 0;

	for (; *name; name++) {
		const char *as = *name == '-' ? "\\x2d" : (const char[]){ *name, '\0' };

		for (; *as; as++) {
			if (length + 1 >= size)
				return false;
			escaped[length++] = *as;
		}
	}
	escaped[length] = '\0';
	return true;
}
