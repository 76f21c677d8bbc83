// SPDX-License-Identifier: Apache-2.0
/*
 * Prints what the started process sees of itself: its status, cgroups and mounts, its descriptors, its environment, and
 * whether exec-caller's key is among the keys that it may read. It
 * is linked statically and needs neither memory nor a new descriptor, so that it can tell under every limit that the
 * launcher itself gets along with. With an argument it waits until somebody ends it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

#define DESCRIPTORS_MAX 20000
/* A mount table may be long, and its first lines tell enough. */
#define FILE_MAX 8192

static char block[FILE_MAX];

static void put(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t put = write(STDOUT_FILENO, text, length);

		if (put <= 0)
			_exit(3);
		text += put;
		length -= (size_t)put;
	}
}

static void print(const char *text)
{
	put(text, strlen(text));
}

/* Input gives its place to each of the files: no limit on descriptors can be in the way. */
static void show(const char *path)
{
	size_t length = 0;
	ssize_t got;
	int fd;

	(void)close(STDIN_FILENO);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		print(strerror(errno));
		_exit(4);
	}
	while (length < sizeof(block) && (got = read(fd, block + length, sizeof(block) - length)) > 0)
		length += (size_t)got;
	put(block, length);
	(void)close(fd);
}

static const char *kind_of(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		return "directory";
	return flags >= 0 && (flags & O_PATH) ? "only a name" : "file";
}

static void show_descriptors(void)
{
	static char line[512], path[64], link[256];

	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) {
		ssize_t length;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, link, sizeof(link) - 1);
		link[length < 0 ? 0 : length] = '\0';
		(void)snprintf(line, sizeof(line), "fd %d %s %s\n", fd, kind_of(fd), link);
		print(line);
	}
}

static void show_key(void)
{
	static char value[32];
	long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "bulkhead-key", 0);

	if (key >= 0 && syscall(SYS_keyctl, KEYCTL_READ, key, value, sizeof(value)) > 0)
		print("key of the caller\n");
}

int main(int argc, char **argv)
{
	static char line[64];
	size_t bytes = 0;

	show("/proc/self/status");
	show("/proc/self/cgroup");
	show("/proc/self/mountinfo");
	show_descriptors();
	show_key();
	for (char **each = environ; *each; each++) {
		print("variable ");
		put(*each, strcspn(*each, "="));
		print("\n");
	}
	for (int each = 0; each < argc; each++)
		bytes += strlen(argv[each]);
	(void)snprintf(line, sizeof(line), "\narguments %d %zu\nprobe ends\n", argc, bytes);
	print(line);
	if (argc == 2)
		(void)pause();
	return 0;
}
