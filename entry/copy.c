// SPDX-License-Identifier: Apache-2.0
/*
 * Copies a file of root's to where a jail shows it: DIRECTORY/NAME, the end of its path, becomes
 * /.bulkhead/fpm/DIRECTORY/NAME inside. The directory is in the vault, which this process enters and leaves for it.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTS_MAX 32
#define BYTES_MAX (64 << 20)

struct source {
	int root; /* below which its path is, also from the vault */
	int fd;
	gid_t gid;
	char text[PATH_SIZE];
	const char *parts[PARTS_MAX + 1];
	const char *directory, *name;
};

/* Splits the path into its parts, of which at least two are needed. */
static int split_path(struct source *s, const char *path, struct failure *f)
{
	size_t count = 0;
	char *part, *rest = s->text;

	if (path[0] != '/' || (size_t)snprintf(s->text, sizeof(s->text), "%s", path + 1) >= sizeof(s->text))
		return fail(f, "its path is not absolute, or too long");
	while (count < PARTS_MAX && (part = strsep(&rest, "/")) != NULL) {
		if (!part[0] || !strcmp(part, ".") || !strcmp(part, "..") || strlen(part) > NAME_MAX - 4)
			return fail(f, "its path has a part that is not a name");
		s->parts[count++] = part;
	}
	if (rest || count < 2)
		return fail(f, "its path has too many parts, or too few");
	s->directory = s->parts[count - 2];
	s->name = s->parts[count - 1];
	return 0;
}

static int open_source(struct source *s, struct failure *f)
{
	struct statx st;

	s->fd = open_below(s->root, s->parts, O_RDONLY, S_IFREG);
	if (s->fd < 0)
		return fail(f, "it cannot be opened: %s", reason_of(errno));
	if (statx(s->fd, "", AT_EMPTY_PATH, STATX_GID, &st))
		return fail(f, "it cannot be read: %s", strerror(errno));
	s->gid = st.stx_gid;
	return 0;
}

static int copy_bytes(int from, int to)
{
	char block[16384];
	ssize_t got, total = 0;

	while ((got = read(from, block, sizeof(block))) > 0) {
		ssize_t done = write(to, block, (size_t)got);

		total += got;
		if (done == got && total <= BYTES_MAX)
			continue;
		if (done >= 0)
			errno = total > BYTES_MAX ? EFBIG : ENOSPC;
		return -1;
	}
	return got < 0 ? -1 : 0;
}

/* Everybody may pass through, so a tenant's group gets to its file. */
static int open_made(int at, const char *name)
{
	return mkdirat(at, name, 0755) && errno != EEXIST ? -1 : open_owned(at, name, O_PATH | O_DIRECTORY, S_IFDIR);
}

/* The file is replaced in one step: a master may be reading it. */
static int replace(int directory, const struct source *s)
{
	char aside[NAME_MAX + 1];
	int to, failed, error;

	(void)snprintf(aside, sizeof(aside), "%s.new", s->name);
	(void)unlinkat(directory, aside, 0);
	to = openat(directory, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	failed = to < 0 || copy_bytes(s->fd, to) || fchown(to, (uid_t)-1, s->gid) || fchmod(to, 0640) ||
		 renameat(directory, aside, directory, s->name);
	error = errno;
	close_if_open(to);
	if (failed)
		(void)unlinkat(directory, aside, 0);
	errno = error;
	return failed ? -1 : 0;
}

static int write_into(int jail, const struct source *s, struct failure *f)
{
	int all = open_made(jail, "fpm");
	int directory = all < 0 ? -1 : open_made(all, s->directory);
	int failed = directory < 0 || replace(directory, s) ? fail(f, "it cannot be written: %s", reason_of(errno)) : 0;

	close_if_open(all);
	close_if_open(directory);
	return failed;
}

/*
 * In the vault. The source is opened with the lock: nobody replaces a copy by an older one. The lock is where no tenant sees it,
 * who could keep it otherwise, and each jail has its own: a start in a slice that is frozen holds up no other tenant.
 */
static int write_copy(const char *instance, const char *key, struct source *s, struct failure *f)
{
	const char *const names[] = { "run", instance, "jail", "in", NULL }, *const own[] = { "tenant", key, NULL };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int all = root < 0 ? -1 : open_below(root, names, O_PATH | O_DIRECTORY, S_IFDIR);
	int jail = all < 0 ? -1 : open_below(all, own, O_PATH | O_DIRECTORY, S_IFDIR);
	int locks = jail < 0 ? -1 : open_made(all, "locks");
	int lock = locks < 0 ? -1 : open_lock(locks, key);
	int failed;

	if (lock < 0 && errno == EWOULDBLOCK)
		failed = fail(f, "another process is copying it, and does not end");
	else if (lock < 0)
		failed = fail(f, "it cannot be written: %s", reason_of(errno));
	else
		failed = open_source(s, f) || write_into(jail, s, f);
	close_if_open(root);
	close_if_open(all);
	close_if_open(jail);
	close_if_open(locks);
	close_if_open(lock);
	return failed ? -1 : 0;
}

int copy_inside(const char *instance, const char *key, const char *path, char *inside, size_t size, struct failure *f)
{
	struct source s = { .root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), .fd = -1 };
	int here = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int failed;

	if (here < 0 || s.root < 0)
		failed = fail(f, "/proc cannot be read: %s", strerror(errno));
	else
		failed = split_path(&s, path, f) || enter_vault(instance, f);
	if (!failed) {
		failed = write_copy(instance, key, &s, f);
		if (setns(here, CLONE_NEWNS))
			failed = fail(f, "the vault cannot be left: %s", strerror(errno));
	}
	close_if_open(s.root);
	close_if_open(here);
	close_if_open(s.fd);
	if (!failed && (size_t)snprintf(inside, size, "/.bulkhead/fpm/%s/%s", s.directory, s.name) >= size)
		failed = fail(f, "its path is too long");
	return failed ? -1 : 0;
}
