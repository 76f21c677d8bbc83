// SPDX-License-Identifier: Apache-2.0
// Moves this process into the cgroups of its tenant.
#define _GNU_SOURCE
#include "entry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As long as pam_systemd gives a session. */
#define SCOPE_SECONDS 120
#define SCOPE_PAUSE_NS 50000000L
#define NAME_SIZE 640
#define LAUNCH_SIZE 8192

struct scope {
	char slice[NAME_SIZE], name[NAME_SIZE], directory[2 * PATH_SIZE];
};

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

/* Sets PLACE to the cgroup of the tenant below the hierarchy, as in `u1001` or `r1000/u1001`. */
static bool find_place(const char *root, uid_t uid, char *place, size_t size)
{
	char name[32];
	int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listed = top < 0 ? NULL : fdopendir(top);
	bool found = false;

	if (!listed) {
		close_if_open(top);
		return false;
	}
	(void)snprintf(name, sizeof(name), "u%u", uid);
	(void)snprintf(place, size, "%s", name);
	found = !faccessat(top, place, F_OK, 0);
	for (struct dirent *each; !found && (each = readdir(listed)) != NULL;) {
		if (each->d_name[0] != 'r' || (size_t)snprintf(place, size, "%s/%s", each->d_name, name) >= size)
			continue;
		found = !faccessat(top, place, F_OK, 0);
	}
	(void)closedir(listed);
	return found;
}

/* A tenant with sites is divided: s-NAME is a site, and main is for everything else. */
static int join_place(const struct destination *to, const char *join, int tenant)
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

static int join_hierarchy(const struct destination *to, const char *join, const char *root, const char *place,
			  struct failure *f)
{
	char path[PATH_SIZE * 2], site[PATH_SIZE * 3];
	int tenant, failed, error;

	(void)snprintf(path, sizeof(path), "%s/%s", root, place);
	(void)snprintf(site, sizeof(site), "%s/s-%s", path, to->site ? to->site : "");
	if (to->site && access(site, F_OK) && errno == ENOENT)
		return fail(f, "\"%s\" has no site \"%s\": there is no cgroup %s; see bulkhead status", to->tenant, to->site, site);
	tenant = open_directory(AT_FDCWD, path);
	failed = tenant < 0 ? -1 : join_place(to, join, tenant);
	/* Between the two the tenant may have got its first site, or lost its last one. */
	if (failed && tenant >= 0)
		failed = join_place(to, join, tenant);
	error = errno;
	close_if_open(tenant);
	if (!failed)
		return 0;
	return fail(f, "Cannot start \"%s\" inside the limits of \"%s\": %s cannot be joined: %s; run bulkhead verify", to->command,
		    to->tenant, to->site ? site : path, strerror(error));
}

/* --- systemd -------------------------------------------------------------------------------------------- */

static bool name_scope(const struct destination *to, const char *slices, struct scope *scope)
{
	char site[NAME_SIZE / 2] = "", dash[] = "-";

	if (to->site && !escape_dashes(to->site, site, sizeof(site)))
		return false;
	if (!to->site)
		dash[0] = '\0';
	(void)snprintf(scope->slice, sizeof(scope->slice), "user-%u%s%s.slice", to->uid, dash, site);
	(void)snprintf(scope->name, sizeof(scope->name), "%s-%u%s%s.scope", to->instance, to->uid, dash, site);
	(void)snprintf(scope->directory, sizeof(scope->directory), "%s/user-%u.slice%s%s", slices, to->uid, to->site ? "/" : "",
		       to->site ? scope->slice : "");
	return true;
}

/* Whether we have set limits of that unit. */
static bool has_drop_in(const struct destination *to, const char *unit)
{
	char path[PATH_SIZE * 2];

	(void)snprintf(path, sizeof(path), "/etc/systemd/system/%s.d/90-%s.conf", unit, to->instance);
	return !access(path, F_OK);
}

/* Whether this process is below the slice, as a unit with Slice= is. */
static bool is_in_slice(const struct scope *scope)
{
	char text[16384], below[PATH_SIZE * 2 + 8], *line;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	int failed = fd < 0 ? -1 : read_text(fd, text, sizeof(text));

	close_if_open(fd);
	(void)snprintf(below, sizeof(below), "0::%s/", scope->directory + strlen("/sys/fs/cgroup"));
	for (line = failed ? NULL : text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, below, strlen(below)))
			return true;
	}
	return false;
}

/* systemd makes the scope with this process in it, a moment after the answer. */
static void ask_systemd(const struct scope *scope)
{
	char pid[16];
	char *const arguments[] = { "busctl", "--quiet", "--timeout=10", "call", "org.freedesktop.systemd1",
				    "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit",
				    "ssa(sv)a(sa(sv))", (char *)(uintptr_t)scope->name, "fail", "6",
				    "Description", "s", "Processes that Bulkhead placed",
				    "Slice", "s", (char *)(uintptr_t)scope->slice, "Delegate", "b", "true",
				    "TasksMax", "t", "18446744073709551615", "CollectMode", "s", "inactive-or-failed",
				    "PIDs", "au", "1", pid, "0", NULL };
	char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	pid_t child;

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd <= 2; fd++)
			(void)dup2(null, fd);
		(void)close_from(3);
		(void)execve("/usr/bin/busctl", arguments, environment);
		_exit(127);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A scope may end, or be made, meanwhile. */
static int join_scope(const struct scope *scope)
{
	const struct timespec pause = { .tv_nsec = SCOPE_PAUSE_NS };
	struct timespec now, end;
	char path[PATH_SIZE * 4];

	(void)snprintf(path, sizeof(path), "%s/%s/cgroup.procs", scope->directory, scope->name);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SCOPE_SECONDS;
	for (bool is_first = true; write_self(AT_FDCWD, path); is_first = false) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return -1;
		if (!is_first)
			(void)nanosleep(&pause, NULL);
		ask_systemd(scope);
	}
	return 0;
}

/* 1: the tenant is no slice of ours. */
static int join_slice(const struct destination *to, const char *slices, struct failure *f)
{
	struct scope scope;
	char tenant[NAME_SIZE];

	(void)snprintf(tenant, sizeof(tenant), "user-%u.slice", to->uid);
	if (!slices || !has_drop_in(to, tenant))
		return 1;
	if (!name_scope(to, slices, &scope))
		return fail(f, "The name of the site \"%.100s\" is too long for systemd", to->site);
	if (to->site && !has_drop_in(to, scope.slice))
		return fail(f, "\"%s\" has no site \"%s\": %s has no limits; see bulkhead status", to->tenant, to->site,
			    scope.slice);
	if ((to->stays && is_in_slice(&scope)) || !join_scope(&scope))
		return 0;
	return fail(f, "Cannot start \"%s\" inside the limits of \"%s\": systemd makes no scope in %s; run bulkhead verify",
		    to->command, to->tenant, scope.directory);
}

/* -------------------------------------------------------------------------------------------------------- */

static int read_launch(const char *instance, char *text, size_t size, struct launch *launch, struct failure *f)
{
	const char *const names[] = { instance, "launch", NULL };
	struct failure why = { "" };

	if (read_run(names, text, size)) {
		if (errno == ENOENT)
			return fail(f, "No policy is in force: there is no /run/%s/launch; run bulkhead apply", instance);
		return fail(f, "Cannot use /run/%s/launch: %s; run bulkhead apply", instance, reason_of(errno));
	}
	if (parse_launch(text, launch, &why))
		return fail(f, "Cannot use /run/%s/launch: %s; run bulkhead apply", instance, why.text);
	return 0;
}

int join_cgroups(const struct destination *to, struct failure *f)
{
	char text[LAUNCH_SIZE], place[NAME_SIZE];
	struct launch launch;
	int joined;

	if (read_launch(to->instance, text, sizeof(text), &launch, f))
		return -1;
	/* A slice has all controllers. */
	joined = join_slice(to, launch.slices, f);
	if (joined <= 0)
		return joined;
	if (!find_place(launch.roots[0], to->uid, place, sizeof(place)))
		return fail(f, "\"%s\" is not a tenant: uid %u has no cgroup in %s; see bulkhead status", to->tenant, to->uid,
			    launch.roots[0]);
	for (size_t each = 0; each < launch.count; each++)
		if (join_hierarchy(to, launch.by_tasks ? "tasks" : "cgroup.procs", launch.roots[each], place, f))
			return -1;
	return 0;
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
