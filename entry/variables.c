// SPDX-License-Identifier: Apache-2.0
/*
 * The variables of a tenant's application, and those in a file of its own, which is read as the tenant:
 *
 *     # comment
 *     DATABASE_URL=postgres://localhost/blog
 *     export GREETING="hello world"
 */
#define _GNU_SOURCE
#include "serve.h"
#include "program.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 65536

bool is_application(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length > 0 && length <= 32 && !name[length] && name[0] != '-';
}

bool is_file(int fd, unsigned long long *size)
{
	struct statx found;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &found) || !S_ISREG(found.stx_mode))
		return false;
	if (size)
		*size = found.stx_size;
	return true;
}

static void put_line(struct variables *all, char *line)
{
	size_t name = strcspn(line, "=");

	for (size_t each = 0; each < all->count; each++)
		if (!strncmp(all->list[each], line, name + 1)) {
			all->list[each] = line;
			return;
		}
	if (all->count == VARIABLES_MAX)
		end(STATUS_FAILED, "Cannot set more than %d variables for the application", VARIABLES_MAX);
	all->list[all->count++] = line;
}

void put_variable(struct variables *all, const char *name, const char *value)
{
	char *line;

	if (asprintf(&line, "%s=%s", name, value) < 0)
		end(STATUS_FAILED, "Out of memory");
	put_line(all, line);
}

static char *without_blanks(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	for (length = strlen(text); length > 0 && strchr(" \t\r", text[length - 1]); length--)
		text[length - 1] = '\0';
	return text;
}

static char *without_quotes(char *text)
{
	size_t length = strlen(text);

	if (length < 2 || (text[0] != '"' && text[0] != '\'') || text[length - 1] != text[0])
		return text;
	text[length - 1] = '\0';
	return text + 1;
}

static void read_line(struct variables *all, char *line, const char *path, unsigned int number)
{
	char *name = without_blanks(line), *equals;

	if (!*name || *name == '#')
		return;
	if (!strncmp(name, "export ", 7))
		name = without_blanks(name + 7);
	equals = strchr(name, '=');
	if (equals)
		*equals = '\0';
	if (!equals || check_variable(without_blanks(name)) == 0) {
		(void)fprintf(stderr, "bulkhead: Line %u of %s is not NAME=VALUE and is left out\n", number, path);
		return;
	}
	put_variable(all, without_blanks(name), without_quotes(without_blanks(equals + 1)));
}

static void read_file(struct variables *all, const char *path)
{
	static char text[FILE_BYTES_MAX + 1];
	size_t length = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	unsigned int number = 0;
	char *rest = text;

	if (fd < 0)
		end(STATUS_FAILED, "Cannot read the environment file \"%s\": %s", path, strerror(errno));
	if (!is_file(fd, NULL))
		end(STATUS_FAILED, "Cannot read the environment file \"%s\": it is not a file", path);
	while (length < sizeof(text) && (got = read(fd, text + length, sizeof(text) - length)) > 0)
		length += (size_t)got;
	(void)close(fd);
	if (got < 0)
		end(STATUS_FAILED, "Cannot read the environment file \"%s\": %s", path, strerror(errno));
	if (length > FILE_BYTES_MAX)
		end(STATUS_FAILED, "Cannot read the environment file \"%s\": it has more than %d bytes", path, FILE_BYTES_MAX);
	text[length] = '\0';
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		read_line(all, line, path, ++number);
}

void start_variables(struct variables *all, char **list, const char *path)
{
	memset(all, 0, sizeof(*all));
	for (; *list; list++)
		put_line(all, *list);
	if (path)
		read_file(all, path);
}
