// SPDX-License-Identifier: Apache-2.0
/*
 * Entries: slots of a tenant, a site or a reseller, one file each in /run/INSTANCE/entries/NAME.
 *
 * `limit` is written by apply, and says whose slots count, too; `lock` is locked while a slot is looked for, and 1, 2 and so
 * on are slots: the process id and the start time of the process that took it last. So a slot is free as soon as that
 * process has ended, however it did. The tenant gets no descriptor of them.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_MILLISECONDS 2000
#define NEXT_MILLISECONDS 100
#define STAT_SIZE 4096

static int open_slots(const char *instance, const char *name)
{
	const char *const names[] = { instance, "entries", name, NULL };

	return open_run(names, O_RDONLY | O_DIRECTORY, S_IFDIR);
}

static int read_file(int at, const char *name, char *text, size_t size)
{
	const char *const names[] = { name, NULL };

	return read_below(at, names, text, size);
}

/* Emptying the file first would make a file system on a disk free its block, and wait for the disk, at each start. */
static int write_over(int fd, const char *text, size_t length)
{
	struct statx st;

	if (write(fd, text, length) != (ssize_t)length || statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &st))
		return -1;
	return st.stx_size > length ? ftruncate(fd, (off_t)length) : 0;
}

static int write_holder(int slots, const char *slot, const struct holder *holder)
{
	/* Where the caller limits the size of files, the write fails, and a reason is given. */
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	char text[64];
	int length = snprintf(text, sizeof(text), "%d %llu%s\n", (int)holder->pid, holder->start, holder->hangs ? " hangs" : "");
	int fd = openat(slots, slot, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644), failed;

	(void)sigaction(SIGXFSZ, &ignore, &before);
	failed = fd < 0 || write_over(fd, text, (size_t)length);
	(void)sigaction(SIGXFSZ, &before, NULL);
	close_if_open(fd);
	return failed ? -1 : 0;
}

/* --- Whether holders run -------------------------------------------------------------------------------- */

struct record {
	struct holder holder;
	bool runs;
};

static int read_stat(const char *pid, char *text, size_t size)
{
	char path[64];
	int fd, failed;

	(void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	failed = fd < 0 ? -1 : read_text(fd, text, size);
	close_if_open(fd);
	return failed;
}

/* In a process of its own: tells the start time of each process that may run, 0 if it has ended. */
static void tell_starts(const struct record *records, size_t count, int to)
{
	for (size_t each = 0; each < count; each++) {
		char text[STAT_SIZE], pid[16];
		struct holder found;
		unsigned long long start;

		(void)snprintf(pid, sizeof(pid), "%d", (int)records[each].holder.pid);
		if (!records[each].runs || records[each].holder.hangs)
			start = 0;
		else
			start = !read_stat(pid, text, sizeof(text)) && parse_stat(text, &found) ? found.start : 0;
		if (write(to, &start, sizeof(start)) != (ssize_t)sizeof(start))
			return;
	}
}

/* How many of the records were looked at, until one did not answer. Without a process to look, all may run. */
static size_t look_at(struct record *records, size_t count, int patience)
{
	/* A child that the caller ignores is reaped at once, and its pid is another's. */
	const struct sigaction keep = { .sa_handler = SIG_DFL };
	struct pollfd answer = { .events = POLLIN };
	struct sigaction before;
	pid_t self = getpid();
	unsigned long long start;
	size_t each = 0;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return count;
	(void)sigaction(SIGCHLD, &keep, &before);
	child = fork();
	if (child == 0) {
		/* It shares the lock, and must not keep it when this process is killed. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != self)
			_exit(1);
		tell_starts(records, count, ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	answer.fd = ends[0];
	for (; child > 0 && each < count; each++) {
		int ready;

		while ((ready = poll(&answer, 1, patience)) < 0 && errno == EINTR)
			;
		if (ready == 0)
			break;
		if (ready < 0 || read(ends[0], &start, sizeof(start)) != (ssize_t)sizeof(start)) {
			/* It has ended: nothing is known of the others. */
			each = count;
			break;
		}
		if (!records[each].holder.hangs)
			records[each].runs = start > 0 && start == records[each].holder.start;
	}
	(void)close(ends[0]);
	if (child > 0) {
		(void)kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	(void)sigaction(SIGCHLD, &before, NULL);
	return child < 0 ? count : each;
}

/*
 * A tenant can make whoever reads the file of its process wait for ever: so another process reads it, and where that does
 * not end, the slot is taken for as long as there is a process with that number.
 */
static void find_running(int slots, struct record *records, size_t count)
{
	int patience = READ_MILLISECONDS;
	char name[24];

	for (size_t from = 0; from < count; from++) {
		/* Most slots are free, and a process to look at them would cost more than all else. */
		if (!records[from].runs)
			continue;
		from += look_at(records + from, count - from, patience);
		/* A tenant with many such processes does not add up the time. */
		patience = NEXT_MILLISECONDS;
		if (from >= count)
			return;
		records[from].holder.hangs = true;
		(void)snprintf(name, sizeof(name), "%zu", from + 1);
		if (records[from].runs)
			(void)write_holder(slots, name, &records[from].holder);
	}
}

/* -------------------------------------------------------------------------------------------------------- */

/* All slots that were ever made; NULL where that cannot be told, or without memory. */
static struct record *read_records(int slots, size_t *count)
{
	struct record *records = NULL;
	char name[24], text[64];

	for (*count = 0;; (*count)++) {
		struct record *more = realloc(records, (*count + 1) * sizeof(*records));
		struct record *last;
		int found;

		if (!more) {
			free(records);
			return NULL;
		}
		records = more;
		(void)snprintf(name, sizeof(name), "%zu", *count + 1);
		found = exists(slots, name);
		if (found == 0)
			return records;
		if (found < 0) {
			free(records);
			return NULL;
		}
		last = &records[*count];
		last->runs = !read_file(slots, name, text, sizeof(text)) && parse_holder(text, &last->holder) &&
			     (!kill(last->holder.pid, 0) || errno != ESRCH);
	}
}

/* With the lock: looks for a free slot, and writes this process into it. */
static enum slot take_free(int slots, unsigned limit)
{
	char text[STAT_SIZE], name[24];
	struct record *records;
	struct holder self;
	size_t count, taken = 0, chosen;

	if (read_stat("self", text, sizeof(text)) || !parse_stat(text, &self))
		return SLOT_FAILED;
	records = read_records(slots, &count);
	if (!records)
		return SLOT_FAILED;
	find_running(slots, records, count);
	chosen = count;
	for (size_t each = count; each-- > 0;) {
		taken += records[each].runs;
		if (!records[each].runs)
			chosen = each;
	}
	free(records);
	if (taken >= limit)
		return SLOT_FULL;
	(void)snprintf(name, sizeof(name), "%zu", chosen + 1);
	return write_holder(slots, name, &self) ? SLOT_FAILED : SLOT_TAKEN;
}

static enum slot take_below(int slots, const char *instance, const char *name, struct entries *entries, struct failure *f)
{
	char text[128];
	struct failure why = { "" };
	enum slot result;
	int lock;

	if (read_file(slots, "limit", text, sizeof(text))) {
		if (errno == ENOENT)
			return SLOT_TAKEN;
		(void)fail(&why, "%s", reason_of(errno));
	}
	if (why.text[0] || parse_entries(text, entries, &why)) {
		(void)fail(f, "Cannot use /run/%s/entries/%s/limit: %s; run bulkhead apply", instance, name, why.text);
		return SLOT_FAILED;
	}
	if (!entries->limit)
		return SLOT_TAKEN;
	lock = open_lock(slots, "lock");
	result = lock < 0 ? SLOT_FAILED : take_free(slots, entries->limit);
	close_if_open(lock);
	if (result == SLOT_FAILED)
		(void)fail(f, "/run/%s/entries/%s cannot be locked or written", instance, name);
	return result;
}

enum slot take_slot(const char *instance, const char *name, struct entries *entries, struct failure *f)
{
	int slots = open_slots(instance, name);
	enum slot result;

	memset(entries, 0, sizeof(*entries));
	if (slots < 0 && errno == ENOENT)
		return SLOT_TAKEN;
	if (slots < 0) {
		(void)fail(f, "Cannot use /run/%s/entries/%s: %s", instance, name, reason_of(errno));
		return SLOT_FAILED;
	}
	result = take_below(slots, instance, name, entries, f);
	(void)close(slots);
	return result;
}

void report_refusal(const char *instance, uid_t uid, const char *member, const char *site, const char *command)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+@-";
	const struct timeval second = { .tv_sec = 1 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[2048];
	int length;

	if (fd < 0)
		return;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/run/%s/web.sock", instance);
	/* A word that needs no escapes in JSON, or none. */
	if (command[strspn(command, plain)] || strlen(command) > 1000)
		command = "";
	length = snprintf(text, sizeof(text),
			  "{\"owner\":\"%u\",\"of\":\"%s\",\"site\":\"%s\",\"client\":\"\",\"method\":\"exec\","
			  "\"url\":\"%s\"}",
			  uid, member, site ? site : "", command);
	/* An agent that does not take it is not waited for longer than that. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	(void)sendto(fd, text, (size_t)length, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof(address));
	(void)close(fd);
}
