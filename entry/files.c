// SPDX-License-Identifier: Apache-2.0
// Reads files that only root can have written, and closes descriptors.
#define _GNU_SOURCE
#include "entry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int exists(int at, const char *path)
{
	struct statx st;

	if (!statx(at, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st))
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

const char *reason_of(int error)
{
	if (error == NOT_OWNED)
		return "others than root can change it";
	return error == ELOOP || error == ENOTDIR ? "a link is in its place" : strerror(error);
}

/* O_NONBLOCK, since a pipe in its place must not make anybody wait. */
int open_owned(int at, const char *name, int flags, mode_t type)
{
	int fd = openat(at, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct statx st;

	if (fd < 0)
		return -1;
	if (!statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_UID, &st) && (st.stx_mode & S_IFMT) == type &&
	    st.stx_uid == 0 && !(st.stx_mode & (S_IWGRP | S_IWOTH)))
		return fd;
	(void)close(fd);
	errno = NOT_OWNED;
	return -1;
}

int open_below(int at, const char *const *names, int flags, mode_t type)
{
	int here = at, next;

	for (; names[1]; names++) {
		next = open_owned(here, names[0], O_PATH | O_DIRECTORY, S_IFDIR);
		if (here != at)
			(void)close(here);
		if (next < 0)
			return -1;
		here = next;
	}
	next = open_owned(here, names[0], flags, type);
	if (here != at)
		(void)close(here);
	return next;
}

int read_text(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got = 0;

	while (length < size && (got = read(fd, text + length, size - length)) != 0) {
		if (got > 0)
			length += (size_t)got;
		else if (errno != EINTR)
			break;
	}
	text[length < size ? length : size - 1] = '\0';
	if (got < 0)
		return -1;
	if (length < size && strlen(text) == length)
		return 0;
	errno = length < size ? EBADMSG : EFBIG;
	return -1;
}

static int read_and_close(int fd, char *text, size_t size)
{
	int failed = fd < 0 ? -1 : read_text(fd, text, size);
	int error = errno;

	close_if_open(fd);
	errno = error;
	return failed;
}

int read_below(int at, const char *const *names, char *text, size_t size)
{
	return read_and_close(open_below(at, names, O_RDONLY, S_IFREG), text, size);
}

int open_run(const char *const *names, int flags, mode_t type)
{
	int run = open("/run", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = run < 0 ? -1 : open_below(run, names, flags, type);
	int error = errno;

	close_if_open(run);
	errno = error;
	return fd;
}

int read_run(const char *const *names, char *text, size_t size)
{
	return read_and_close(open_run(names, O_RDONLY, S_IFREG), text, size);
}

/*
 * A service with mounts of its own has copies of them, in which no pins are; process 1 has them. In some containers that
 * is closed even to root, and they have no such services.
 */
int open_host(void)
{
	int fd = open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == ENOENT))
		fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

/* Before Linux 5.9. */
static int close_listed(unsigned int first)
{
	DIR *open_files = opendir("/proc/self/fd");
	struct dirent *each;
	int error;

	if (!open_files)
		return -1;
	while (errno = 0, (each = readdir(open_files)) != NULL) {
		unsigned long long fd;

		if (parse_number(each->d_name, '\0', INT_MAX, &fd) && fd >= first && (int)fd != dirfd(open_files))
			(void)close((int)fd);
	}
	error = errno;
	(void)closedir(open_files);
	errno = error;
	return error ? -1 : 0;
}

int close_from(unsigned int first)
{
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, first, ~0U, 0))
		return 0;
#endif
	return close_listed(first);
}
