// SPDX-License-Identifier: Apache-2.0
// Moves this process into the cgroups of its tenant.
#define _GNU_SOURCE
#include "entry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How often a tenant may get another reseller while a process joins its cgroups. */
#define MOVES_MAX 3
/* Clients of a database are frozen for up to a second, and then thawed for 50 ms. */
#define THAW_LOOKS 150
#define THAW_LOOK_MS 10

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* 0 is the process that writes it. */
static int write_self(int at, const char *file)
{
	int fd = openat(at, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	int failed = fd < 0 || write(fd, "0", 1) != 1;
	int error = errno;

	close_if_open(fd);
	errno = error;
	return failed ? -1 : 0;
}

int move_self(const char *cgroup)
{
	int directory = open_directory(AT_FDCWD, cgroup);
	int failed = directory < 0 ? -1 : write_self(directory, "cgroup.procs");
	int error = errno;

	close_if_open(directory);
	errno = error;
	return failed;
}

int refuse_to_join(const struct destination *to, struct failure *f, const char *format, ...)
{
	struct failure why = { "" };
	va_list arguments;

	va_start(arguments, format);
	(void)vfail(&why, format, arguments);
	va_end(arguments);
	if (to->is_session)
		return fail(f, "%s", why.text);
	return fail(f, "Cannot start \"%s\" inside the limits of \"%s\": %s; run bulkhead verify", to->command, to->tenant,
		    why.text);
}

/* The text of a file of the cgroup; empty if it has no such file. */
static int read_file_of(const char *cgroup, const char *name, char *text, size_t size)
{
	char path[4 * PATH_SIZE + 32];
	int fd, failed, error;

	text[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	failed = read_text(fd, text, size);
	error = errno;
	close_if_open(fd);
	/* It has been removed meanwhile. */
	return failed && error == ENODEV ? 0 : failed;
}

/* Both files count what is above the cgroup, too. Where it cannot be told, it may be frozen. */
static bool is_frozen(const char *cgroup)
{
	char text[512];

	if (read_file_of(cgroup, "freezer.state", text, sizeof(text)))
		return true;
	if (text[0])
		return strcmp(text, "THAWED\n") != 0;
	return read_file_of(cgroup, "cgroup.events", text, sizeof(text)) || strstr(text, "frozen 1\n");
}

int may_join(const struct destination *to, const char *cgroup, struct failure *f)
{
	const struct timespec wait = { .tv_nsec = THAW_LOOK_MS * 1000000L };

	for (int looks = 0; to->is_session && is_frozen(cgroup); looks++) {
		if (looks == THAW_LOOKS)
			return fail(f, "%s is frozen", cgroup);
		(void)nanosleep(&wait, NULL);
	}
	return 0;
}

/* Sets BELOW to the cgroup of the tenant in the hierarchy, as in `u1001` or `r1000/u1001`: 1, 0 if there is none, or -1. */
static int find_cgroup(const char *root, uid_t uid, char *below, size_t size)
{
	char name[32];
	int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found;
	DIR *listed = top < 0 ? NULL : fdopendir(top);
	struct dirent *each;

	if (!listed) {
		int error = errno;

		close_if_open(top);
		errno = error;
		return errno == ENOENT ? 0 : -1;
	}
	(void)snprintf(name, sizeof(name), "u%u", uid);
	(void)snprintf(below, size, "%s", name);
	found = exists(top, below);
	while (found == 0 && (errno = 0, (each = readdir(listed)) != NULL)) {
		if (each->d_name[0] != 'r' || (size_t)snprintf(below, size, "%s/%s", each->d_name, name) >= size)
			continue;
		found = exists(top, below);
	}
	if (found == 0 && errno)
		found = -1;
	(void)closedir(listed);
	return found;
}

/* A tenant with sites is divided: s-NAME is a site, and main is for everything else. */
static int join_divided(const struct destination *to, const char *join, int tenant)
{
	char site[NAME_SIZE];
	int inner, failed, error;

	(void)snprintf(site, sizeof(site), "s-%s", to->site ? to->site : "");
	inner = open_directory(tenant, to->site ? site : "main");
	if (inner < 0 && (to->site || errno != ENOENT))
		return -1;
	failed = write_self(inner < 0 ? tenant : inner, join);
	error = errno;
	close_if_open(inner);
	errno = error;
	return failed;
}

static int join_hierarchy(const struct destination *to, const char *join, const char *root, const char *below,
			  struct failure *f)
{
	char path[PATH_SIZE * 2], site[PATH_SIZE * 3];
	int tenant, failed, error;

	(void)snprintf(path, sizeof(path), "%s/%s", root, below);
	(void)snprintf(site, sizeof(site), "%s/s-%s", path, to->site ? to->site : "");
	if (to->site && exists(AT_FDCWD, site) == 0)
		return fail(f, "\"%s\" has no site \"%s\": there is no cgroup %s; see bulkhead status", to->tenant, to->site, site);
	if (may_join(to, path, f))
		return -1;
	tenant = open_directory(AT_FDCWD, path);
	failed = tenant < 0 ? -1 : join_divided(to, join, tenant);
	/* Between the two the tenant may have got its first site, or lost its last one. */
	if (failed && tenant >= 0)
		failed = join_divided(to, join, tenant);
	error = errno;
	close_if_open(tenant);
	if (!failed)
		return 0;
	return refuse_to_join(to, f, "%s cannot be joined: %s", to->site ? site : path, strerror(error));
}

/* 1: no policy is in force. */
static int read_launch(const char *instance, struct place *place, struct failure *f)
{
	const char *const names[] = { instance, "launch", NULL };
	struct failure why = { "" };

	if (read_run(names, place->text, sizeof(place->text))) {
		if (errno == ENOENT) {
			(void)fail(f, "No policy is in force: there is no /run/%s/launch; run bulkhead apply", instance);
			return 1;
		}
		return fail(f, "Cannot use /run/%s/launch: %s; run bulkhead apply", instance, reason_of(errno));
	}
	if (parse_launch(place->text, &place->launch, &why))
		return fail(f, "Cannot use /run/%s/launch: %s; run bulkhead apply", instance, why.text);
	return 0;
}

int find_place(const struct destination *to, struct place *place, struct failure *f)
{
	int failed = read_launch(to->instance, place, f), found;

	if (failed)
		return failed;
	/* A slice has all controllers. */
	place->is_slice = place->launch.slices && is_slice(to->instance, to->uid);
	found = place->is_slice ? 1 : find_cgroup(place->launch.roots[0], to->uid, place->below, sizeof(place->below));
	if (found == 1)
		return 0;
	if (found < 0)
		return fail(f, "Whether \"%s\" is a tenant cannot be read from %s: %s", to->tenant, place->launch.roots[0],
			    strerror(errno));
	(void)fail(f, "\"%s\" is not a tenant: uid %u has no cgroup in %s; see bulkhead status", to->tenant, to->uid,
		   place->launch.roots[0]);
	return 1;
}

/*
 * No thread of a session may stay behind. Only by cgroup.procs does the kernel move all of them, and after an idle time it
 * waits for a grace period in each hierarchy then.
 */
static bool has_one_thread(void)
{
	struct statx st;

	return !statx(AT_FDCWD, "/proc/self/task", 0, STATX_NLINK, &st) && st.stx_nlink == 3;
}

/* Sets LACKING to the root of the last hierarchy that could not be joined. */
static int join_hierarchies(const struct destination *to, const struct place *place, const char **lacking, struct failure *f)
{
	const struct launch *launch = &place->launch;
	bool by_tasks = launch->by_tasks && (!to->is_session || has_one_thread());
	const char *join = by_tasks ? "tasks" : "cgroup.procs";
	int failed = 0;

	for (size_t each = 0; each < launch->count; each++) {
		if (!join_hierarchy(to, join, launch->roots[each], place->below, f))
			continue;
		failed = -1;
		*lacking = launch->roots[each];
		/* What other hierarchies can hold of a session is held. */
		if (!to->is_session)
			break;
	}
	return failed;
}

/* Looks again where the tenant is. Whether it is somewhere else than before. */
static bool has_moved(const struct destination *to, const char *root, struct place *place)
{
	char now[sizeof(place->below)];

	if (find_cgroup(root, to->uid, now, sizeof(now)) != 1 || !strcmp(now, place->below))
		return false;
	(void)snprintf(place->below, sizeof(place->below), "%s", now);
	return true;
}

int join_place(const struct destination *to, struct place *place, struct failure *f)
{
	const char *lacking = NULL;
	int failed;

	if (place->is_slice)
		return join_slice(to, place->launch.slices, f);
	failed = join_hierarchies(to, place, &lacking, f);
	/* It may get another reseller while this process is in some of its cgroups, with which it moves, and not in others. */
	for (int moves = 0; failed && moves < MOVES_MAX && has_moved(to, lacking, place); moves++)
		failed = join_hierarchies(to, place, &lacking, f);
	return failed;
}

bool has_site(const struct destination *to, const struct place *place)
{
	char path[PATH_SIZE * 3];

	if (place->is_slice)
		return has_site_slice(to, place->launch.slices);
	for (size_t each = 0; each < place->launch.count; each++) {
		(void)snprintf(path, sizeof(path), "%s/%s/s-%s", place->launch.roots[each], place->below, to->site);
		if (exists(AT_FDCWD, path) == 0)
			return false;
	}
	return true;
}

/*
 * Written even when nothing changes: a write by root also sets the floor below which the tenant cannot go again. A kernel
 * without the file has no OOM killer to hide from.
 */
int reset_oom_score(struct failure *f)
{
	static const char path[] = "/proc/self/oom_score_adj";
	char text[16];
	int fd = open(path, O_RDWR | O_CLOEXEC), failed;
	unsigned long long value;

	if (fd < 0 && errno == ENOENT)
		return 0;
	failed = fd < 0 || read_text(fd, text, sizeof(text));
	if (failed || !parse_number(text, '\n', 1000, &value))
		value = 0;
	if (!failed) {
		int length = snprintf(text, sizeof(text), "%llu\n", value);

		failed = lseek(fd, 0, SEEK_SET) != 0 || write(fd, text, (size_t)length) != length;
	}
	if (failed)
		(void)fail(f, "Cannot set %s: %s", path, strerror(errno));
	close_if_open(fd);
	return failed ? -1 : 0;
}
