// SPDX-License-Identifier: Apache-2.0
/*
 * pam_bulkhead: puts the process that opens a session (of sshd, su, cron, atd, login) into the jail of its tenant, before
 * any program of the tenant starts.
 *
 *     session [success=1 ignore=1 module_unknown=ignore default=die] /…/pam_bulkhead.so [INSTANCE]
 *
 * The session's tenant is looked up by uid in the state file /run/INSTANCE/jail/tenants/UID or, before the first apply
 * since boot, in the list /var/lib/INSTANCE/jailed. A tenant's session is opened inside the jail or not at all. For root,
 * and for accounts in neither, the module returns PAM_IGNORE, whatever is missing or broken; it takes no lock and waits
 * for nothing.
 *
 * What cannot be undone is taken from the session's own process, too, so that nothing it starts can have it: the
 * capability bounding set, new privileges by setuid programs, the system calls of the filter, and, where the mark says so,
 * by Landlock what is outside of the jail. The capabilities that it holds itself it keeps: sshd, su and cron need them to
 * become the tenant. Descriptors of directories, and those that only stand for a file (O_PATH), which the caller left open,
 * lead out of the jail: no program that the session starts gets them.
 *
 * Nothing comes from the environment, no file is used that others than root can change, and no link is followed but the
 * one that leads from a tenant to the latest of its pins. libexec/bulkhead-exec enters in the same way.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <unistd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>
#include "landlock.h"

#define MARK_MAX 1024
#define LINE_MAX_READ 128
/* The longest filter of ours has fewer than 200. */
#define INSTRUCTIONS_MAX 1024
/* Since a pin is replaced before the one before it is removed, the second look finds it. */
#define LOOKS 3

#define EXPORTED __attribute__((visibility("default")))

/* What open_owned() answers where a file could be somebody else's work; no call of the kernel here does. */
#define NOT_OWNED EOWNERDEAD

struct tenant {
	const char *instance;
	const char *user;
	char uid[16]; /* empty where nobody could tell */
	char mark[MARK_MAX];
	/* Why it was refused: what could not be done, with an errno or 0. */
	const char *failed;
	int error;
};

static int fail(struct tenant *t, const char *what, int error)
{
	t->failed = what;
	t->error = error;
	return -1;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

/* A directory or file that is root's alone; O_NONBLOCK, since a pipe in its place must not make anybody wait. */
static int open_owned(int at, const char *name, int flags, mode_t type)
{
	int fd = openat(at, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct statx st;

	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_UID, &st)) {
		st.stx_mode = 0;
		st.stx_uid = 1;
	}
	if ((st.stx_mode & S_IFMT) == type && st.stx_uid == 0 && (st.stx_mode & (S_IWGRP | S_IWOTH)) == 0)
		return fd;
	(void)close(fd);
	errno = NOT_OWNED;
	return -1;
}

/* A file or directory some directories below AT, each of which is root's alone. */
static int open_below(int at, const char *const *names, int flags, mode_t type)
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

/* Up to SIZE - 1 bytes, with a zero after them. */
static ssize_t read_text(int fd, char *text, size_t size)
{
	ssize_t got = read(fd, text, size - 1);

	text[got > 0 ? got : 0] = '\0';
	return got;
}

/*
 * The root of the host. A service with mounts of its own has copies of them, in which no pins are; process 1 has them. In
 * some containers that is closed even to root, and they have no such services.
 */
static int open_host(void)
{
	int fd = open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == ENOENT))
		fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

/* Whether a line of the list is the name or the uid: 1, 0, or -1 if it cannot be read. */
static int has_line(int fd, const struct tenant *t)
{
	char line[LINE_MAX_READ], block[4096];
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (block[i] != '\n') {
				if (length < sizeof(line) - 1)
					line[length] = block[i];
				length++;
				continue;
			}
			line[length < sizeof(line) ? length : 0] = '\0';
			if (line[0] && (!strcmp(line, t->user) || !strcmp(line, t->uid)))
				return 1;
			length = 0;
		}
	}
	return got < 0 ? -1 : 0;
}

/* Whether the tenant is in the list, if there is one: 1, 0, or -1. */
static int is_listed(int host, const struct tenant *t)
{
	const char *const names[] = { t->instance, "jailed", NULL };
	int above = openat(host, "var/lib", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = above < 0 ? -1 : open_below(above, names, O_RDONLY, S_IFREG);
	int found = fd < 0 ? (errno == ENOENT ? 0 : -1) : has_line(fd, t);

	close_if_open(above);
	close_if_open(fd);
	return found;
}

/* Reads the tenant's mark, if there is one: 1, 0, or -1. */
static int read_mark(int host, struct tenant *t)
{
	const char *const names[] = { "run", t->instance, "jail", "tenants", t->uid, NULL };
	int fd = t->uid[0] ? open_below(host, names, O_RDONLY, S_IFREG) : -1;
	ssize_t got;

	if (fd < 0)
		return t->uid[0] && errno != ENOENT && errno != ENOTDIR ? -1 : 0;
	got = read_text(fd, t->mark, sizeof(t->mark));
	(void)close(fd);
	return got < 0 ? -1 : 1;
}

/* What follows WORD at the beginning of a line of the mark. */
static const char *value_of(const struct tenant *t, const char *word)
{
	const char *line = t->mark;
	size_t length = strlen(word);

	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, word, length))
			return line + length;
	}
	return "";
}

static int open_namespace(int at, const char *name, int type)
{
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return -1;
	if (!fstatfs(fd, &fs) && fs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == type)
		return fd;
	(void)close(fd);
	errno = ENOENT;
	return -1;
}

/* The latest of the tenant's mount namespaces: UID is a link to UID-GENERATION beside it. */
static int open_latest(int directory, const struct tenant *t)
{
	char name[LINE_MAX_READ];
	size_t length = strlen(t->uid);
	int fd = -1;

	for (int look = 0; fd < 0 && look < LOOKS; look++) {
		ssize_t got = readlinkat(directory, t->uid, name, sizeof(name) - 1);

		if (got < 0)
			return -1;
		name[got] = '\0';
		if (strncmp(name, t->uid, length) || name[length] != '-' || strchr(name, '/')) {
			errno = ELOOP;
			return -1;
		}
		fd = open_namespace(directory, name, CLONE_NEWNS);
	}
	return fd;
}

/* In the vault: opens the two namespaces of the tenant. */
static int open_jail(struct tenant *t, int *mounts, int *ipc)
{
	const char *const ns[] = { "run", t->instance, "jail", "in", "ns", NULL };
	const char *const ipcs[] = { "run", t->instance, "jail", "in", "ipc", NULL };
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int of_mounts = open_below(root, ns, O_PATH | O_DIRECTORY, S_IFDIR);
	int of_ipc = open_below(root, ipcs, O_PATH | O_DIRECTORY, S_IFDIR);

	*mounts = of_mounts < 0 ? -1 : open_latest(of_mounts, t);
	*ipc = *mounts < 0 || of_ipc < 0 ? -1 : open_namespace(of_ipc, t->uid, CLONE_NEWIPC);
	if (*ipc < 0)
		(void)fail(t, "its namespaces are not in the vault", errno);
	close_if_open(root);
	close_if_open(of_mounts);
	close_if_open(of_ipc);
	return *ipc < 0 ? -1 : 0;
}

/* In the jail. Where the mark says that no program of the host can load the filter, the kernel may have none. */
static int load_filter(struct tenant *t)
{
	const char *const names[] = { "run", "bulkhead", "seccomp", NULL };
	struct sock_filter code[INSTRUCTIONS_MAX + 1];
	struct sock_fprog program = { .filter = code };
	bool must = !strncmp(value_of(t, "filter "), "yes", 3);
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = open_below(root, names, O_RDONLY, S_IFREG);
	ssize_t got = fd < 0 ? -1 : read(fd, code, sizeof(code));

	close_if_open(root);
	close_if_open(fd);
	if (got < 0 || (size_t)got == sizeof(code) || (size_t)got % sizeof(code[0]) || (must && !got))
		return fail(t, "its seccomp filter cannot be read", got < 0 ? errno : EINVAL);
	program.len = (unsigned short)((size_t)got / sizeof(code[0]));
	if (!got || !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) || !must)
		return 0;
	return fail(t, "its seccomp filter cannot be loaded", errno);
}

static int give_up_privileges(struct tenant *t)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return fail(t, "capabilities cannot be dropped", errno);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(t, "new privileges cannot be ruled out", errno);
	return load_filter(t);
}

/* Whether files outside can be reached below a descriptor, or by opening it again. */
static bool leads_out(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && ((flags & O_PATH) || (!fstat(fd, &st) && S_ISDIR(st.st_mode)));
}

/* Above the three of every program; those which the service itself has open may be in use. */
static int keep_from_programs(struct tenant *t)
{
	DIR *open_files = opendir("/proc/self/fd");
	struct dirent *each;
	int error = 0;

	if (!open_files)
		return fail(t, "its open files cannot be listed", errno);
	while (errno = 0, (each = readdir(open_files)) != NULL) {
		int fd = isdigit((unsigned char)each->d_name[0]) ? atoi(each->d_name) : -1;

		if (fd > STDERR_FILENO && leads_out(fd) && fcntl(fd, F_SETFD, FD_CLOEXEC))
			break;
	}
	error = errno;
	(void)closedir(open_files);
	return error ? fail(t, "its open files cannot be listed", error) : 0;
}

/* In the jail. Input and output of a session is never a directory; /dev/null takes its place. */
static int replace_standard(struct tenant *t)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		int null, same;

		if (!leads_out(fd))
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		same = null < 0 ? -1 : dup2(null, fd);
		if (same < 0)
			(void)fail(t, "its input and output cannot be replaced", errno);
		close_if_open(null);
		if (same < 0)
			return -1;
	}
	return 0;
}

/* In the jail. What can fail for a reason comes before what cannot be undone. */
static int confine(struct tenant *t)
{
	int rules, failed;

	if (strncmp(value_of(t, "landlock "), "yes\n", 4))
		return give_up_privileges(t);
	rules = landlock_open();
	failed = rules < 0 ? fail(t, "Landlock cannot be applied", errno) : give_up_privileges(t);
	if (!failed && landlock_enforce(rules))
		failed = fail(t, "Landlock cannot be applied", errno);
	close_if_open(rules);
	return failed;
}

/* By way of the vault, in which the namespaces of all tenants are pinned. */
static int enter(struct tenant *t, int vault)
{
	int mounts = -1, ipc = -1, failed;

	if (setns(vault, CLONE_NEWNS))
		return fail(t, "the vault cannot be entered", errno);
	failed = open_jail(t, &mounts, &ipc);
	if (!failed && (setns(ipc, CLONE_NEWIPC) || setns(mounts, CLONE_NEWNS)))
		failed = fail(t, "its namespaces cannot be entered", errno);
	close_if_open(mounts);
	close_if_open(ipc);
	if (!failed)
		failed = replace_standard(t);
	return failed ? failed : confine(t);
}

/* As enter(), and back where that fails: whoever goes on all the same must not be left halfway, nor without a log. */
static int enter_or_stay(struct tenant *t, int host)
{
	const char *const names[] = { "run", t->instance, "jail", NULL };
	int jail = open_below(host, names, O_PATH | O_DIRECTORY, S_IFDIR);
	int vault = jail < 0 ? -1 : open_namespace(jail, "vault", CLONE_NEWNS);
	int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int ipc = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	int failed;

	if (vault < 0)
		failed = fail(t, "the vault is not there", errno);
	else if (mounts < 0 || ipc < 0)
		failed = fail(t, "/proc cannot be read", errno);
	else if ((failed = keep_from_programs(t)) != 0)
		;
	else if ((failed = enter(t, vault)) != 0)
		(void)(setns(mounts, CLONE_NEWNS) || setns(ipc, CLONE_NEWIPC));
	close_if_open(jail);
	close_if_open(vault);
	close_if_open(mounts);
	close_if_open(ipc);
	return failed;
}

/* Whether there is a jail to enter. */
static int check_mark(struct tenant *t)
{
	const char *state = value_of(t, "state ");

	if (!strncmp(state, "ready\n", 6))
		return 0;
	if (!strncmp(state, "failed ", 7))
		return fail(t, state + 7, 0);
	return fail(t, "it is not built yet", 0);
}

static const char *reason(int error)
{
	if (error == NOT_OWNED)
		return "others than root can change its files";
	return error == ELOOP ? "a link is in the place of one of its files" : strerror(error);
}

static int refuse(pam_handle_t *pamh, int flags, const struct tenant *t)
{
	int length = (int)strcspn(t->failed, "\n");

	pam_syslog(pamh, LOG_ERR, "no session for %s, whose jail cannot be entered: %.*s%s%s; run bulkhead apply", t->user, length,
		   t->failed, t->error ? ": " : "", t->error ? reason(t->error) : "");
	if (((unsigned)flags & PAM_SILENT) == 0)
		pam_error(pamh, "No session can be opened for this account; the log of the server says why");
	return PAM_SESSION_ERR;
}

static bool is_instance(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strlen(name) <= 41 &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* What a tenant might bring about itself, to be taken for somebody without a jail. */
static bool is_exhausted(int error)
{
	return error == ENOMEM || error == EMFILE || error == ENFILE || error == EIO || error == EBADF;
}

/* Whether anybody has a jail, or had one before the machine was started. */
static bool has_jails(int host, const struct tenant *t)
{
	const char *const names[] = { t->instance, "jailed", NULL };
	int above = openat(host, "var/lib", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = above < 0 ? -1 : open_below(above, names, O_RDONLY, S_IFREG);
	bool found = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);

	close_if_open(above);
	close_if_open(fd);
	return found;
}

/*
 * Whether nobody could say which account it is, as where a directory service does not answer. It may be a second name of
 * a tenant, of which the list has the first. A name that no account has, as of users that a service has by itself, is none.
 */
static bool is_lookup_broken(const struct tenant *t)
{
	struct passwd account, *found = NULL;
	char text[4096];

	return getpwnam_r(t->user, &account, text, sizeof(text), &found) != 0;
}

static int open_inside(pam_handle_t *pamh, int flags, struct tenant *t, int host)
{
	const void *service = NULL;
	int marked = read_mark(host, t), error = errno, listed = marked == 1 ? 1 : is_listed(host, t);

	if (!t->uid[0] && listed != 1 && (listed < 0 || has_jails(host, t)) && is_lookup_broken(t)) {
		(void)fail(t, "whether there is one cannot be known while its account cannot be looked up", 0);
		return refuse(pamh, flags, t);
	}
	if (listed < 0 && is_exhausted(errno)) {
		(void)fail(t, "whether there is one cannot be read", errno);
		return refuse(pamh, flags, t);
	}
	if (listed < 1)
		return PAM_IGNORE;
	if (marked < 1) {
		(void)fail(t, "it is not there any more, or not yet", marked < 0 ? error : 0);
		return refuse(pamh, flags, t);
	}
	/* The manager of a user's units needs the host's cgroups and bus, and starts whatever it is told to. */
	if (pam_get_item(pamh, PAM_SERVICE, &service) == PAM_SUCCESS && service && !strcmp(service, "systemd-user")) {
		pam_syslog(pamh, LOG_NOTICE, "no user manager for %s, who has a jail", t->user);
		return PAM_SESSION_ERR;
	}
	if (check_mark(t) || enter_or_stay(t, host))
		return refuse(pamh, flags, t);
	return PAM_SUCCESS;
}

/* Of a session that is inside: a service may run this twice. */
static const char entered[] = "bulkhead_jail_entered";
static char yes[] = "yes";

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct tenant t = { .instance = argc > 0 ? argv[0] : "bulkhead" };
	const struct passwd *account;
	const void *before;
	int host, answer;

	if (pam_get_user(pamh, &t.user, NULL) != PAM_SUCCESS || !t.user || !strcmp(t.user, "root"))
		return PAM_IGNORE;
	if (!is_instance(t.instance) || pam_get_data(pamh, entered, &before) == PAM_SUCCESS)
		return PAM_IGNORE;
	account = pam_modutil_getpwnam(pamh, t.user);
	if (account && account->pw_uid == 0)
		return PAM_IGNORE;
	if (account)
		(void)snprintf(t.uid, sizeof(t.uid), "%u", account->pw_uid);
	host = open_host();
	answer = open_inside(pamh, flags, &t, host);
	close_if_open(host);
	if (answer == PAM_SUCCESS && pam_set_data(pamh, entered, yes, NULL) != PAM_SUCCESS)
		return PAM_SESSION_ERR;
	return answer;
}

/* Always successful: a jump would make a failure of PAM_IGNORE here. */
EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
