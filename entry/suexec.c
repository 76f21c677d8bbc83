// SPDX-License-Identifier: Apache-2.0
/*
 * bulkhead-suexec: Apache calls it in place of the distribution's suexec, with the same words:
 *
 *   bulkhead-suexec [~]UID GID COMMAND [ARGUMENT]...
 *
 * It is setuid root. It joins the tenant's cgroups, and executes the distribution's suexec, which makes all of its own
 * checks. Nobody but the user of the web server can have it do anything; suexec checks that once more.
 *
 * The distribution's suexec cannot run in a jail, where neither its log nor its configuration is. So for a tenant with a
 * jail it runs outside, under a filter by which it gets the signal SIGSYS in place of executing the command: it has then
 * accepted the command. The command starts in the jail after that, in the same process, as bulkhead-exec would start it.
 *
 * Settings are in suexec.conf beside this program, and never come from the environment, which visitors can set.
 */
#define _GNU_SOURCE
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A tenant can stop suexec once it has the tenant's uid, but not for longer. */
#define CHECK_SECONDS 10

struct request {
	char text[1024], directory[PATH_MAX], site[KEY_MAX], tenant[16];
	struct settings settings;
	uid_t uid;
	gid_t gid;
	char **words;	/* those that this program got */
	char **command; /* the last of them */
	char shown[256];
	bool serves; /* descriptor 0 listens: a FastCGI program, which serves many requests */
};

/* --- Who calls ------------------------------------------------------------------------------------------ */

/* The directory of this program, also if another one has been put in its place meanwhile. */
static int open_own_directory(void)
{
	char path[PATH_MAX], *names[PATH_MAX / 2], *rest = path, *name;
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	size_t count = 0;
	char *last;
	int root, fd;

	path[length < 0 ? 0 : length] = '\0';
	last = strrchr(path, '/');
	if (!last)
		return -1;
	*last = '\0';
	while ((name = strsep(&rest, "/")) != NULL)
		if (name[0])
			names[count++] = name;
	names[count] = NULL;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 || !count ? -1 : open_below(root, (const char *const *)names, O_PATH | O_DIRECTORY, S_IFDIR);
	close_if_open(root);
	return fd;
}

static void read_settings(struct request *r)
{
	static const char *const names[] = { "suexec.conf", NULL };
	int directory = open_own_directory();
	struct failure why = { "" };

	if (directory < 0 || read_below(directory, names, r->text, sizeof(r->text)))
		end(STATUS_FAILED, "Cannot read suexec.conf beside this program: %s; run bulkhead web suexec enable", reason_of(errno));
	close_if_open(directory);
	if (parse_settings(r->text, &r->settings, &why))
		end(STATUS_FAILED, "Cannot use suexec.conf beside this program: %s; run bulkhead web suexec enable", why.text);
}

/* Before anything else is done. From here on, the user of the web server can neither signal nor trace this process. */
static void need_caller(const struct request *r)
{
	if (getuid() != r->settings.caller)
		end(STATUS_FAILED, "Cannot start a program: only the web server, uid %u, can", r->settings.caller);
	if (geteuid() != 0 || setresuid(0, 0, 0))
		end(STATUS_FAILED, "Cannot start a program: this one is not setuid root; run bulkhead web suexec enable");
}

/*
 * As Apache writes them, and in no other way: suexec reads numbers with atoi(), which takes 4294968297 for 1001, and names
 * may mean another account to it.
 */
static void parse_request(struct request *r, int argc, char **argv)
{
	unsigned long long uid, gid;

	if (argc < 4 || !parse_number(argv[1] + (argv[1][0] == '~'), '\0', UINT_MAX - 1, &uid) ||
	    !parse_number(argv[2], '\0', UINT_MAX - 1, &gid) || !argv[3][0])
		end(STATUS_FAILED, "Cannot start a program: wrong usage; only Apache can call this");
	r->uid = (uid_t)uid;
	r->gid = (gid_t)gid;
	r->words = argv;
	r->command = argv + 3;
	(void)snprintf(r->tenant, sizeof(r->tenant), "%u", r->uid);
	(void)snprintf(r->shown, sizeof(r->shown), "%s", argv[3]);
}

static bool is_listening(int fd)
{
	int listens = 0;
	socklen_t size = sizeof(listens);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) && listens;
}

/* --- Answers -------------------------------------------------------------------------------------------- */

/* A CGI program that does not start answers in its place; else the visitor would get the status 500. */
__attribute__((noreturn)) static void refuse(const struct request *r, const char *status, const char *text,
					     const struct failure *why)
{
	if (!r->serves) {
		(void)printf("Status: %s\r\nRetry-After: 10\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\n", status, text);
		(void)fflush(stdout);
	}
	end(STATUS_FAILED, "%s", why->text);
}

static void need_running(const struct request *r)
{
	struct failure why = { "" };

	if (!is_stopped(r->settings.instance, r->uid, true))
		return;
	(void)fail(&why, "Cannot start \"%s\": uid %u is stopped; bulkhead start %u lets it run again", r->shown, r->uid, r->uid);
	refuse(r, "503 Service Unavailable", "This site is stopped.", &why);
}

/* A FastCGI program keeps running between requests, so it takes no entry. */
static void need_entries(const struct request *r, const struct destination *to)
{
	struct failure why = { "" };
	enum slot result = r->serves ? SLOT_TAKEN : take_entries(to, &why);

	if (result == SLOT_FULL)
		refuse(r, "508 Resource Limit Is Reached", "This site is already serving as many visitors as its plan allows.",
		       &why);
	if (result == SLOT_FAILED)
		end(STATUS_FAILED, "%s", why.text);
}

/* --- suexec --------------------------------------------------------------------------------------------- */

/* suexec sees the caller that this program had, and root as the effective user. */
static void restore_caller(const struct request *r)
{
	if (setresuid(r->settings.caller, 0, 0))
		end(STATUS_FAILED, "Cannot start \"%s\": the uid cannot be set: %s", r->shown, strerror(errno));
}

__attribute__((noreturn)) static void run_suexec(const struct request *r, char **variables)
{
	restore_caller(r);
	(void)syscall(SYS_execveat, AT_FDCWD, r->settings.program, r->words, variables, 0);
	end_unexecuted(r->settings.program, errno);
}

/* execve() becomes a signal; run_suexec() starts a program by another call. */
static int trap_programs(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

__attribute__((noreturn)) static void ask_suexec(const struct request *r, char **variables, pid_t parent)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != parent || setrlimit(RLIMIT_CORE, &none) || trap_programs())
		end(STATUS_FAILED, "Cannot have suexec check \"%s\": %s", r->shown, strerror(errno));
	run_suexec(r, variables);
}

/* The status of a child, which is killed if it does not end in time. */
static int await(pid_t child, const sigset_t *awaited)
{
	const struct timespec pause = { .tv_sec = 1 };
	pid_t ended;
	int status;

	for (int left = CHECK_SECONDS; (ended = waitpid(child, &status, WNOHANG)) == 0; left -= sigtimedwait(awaited, NULL, &pause) < 0)
		if (left <= 0)
			(void)kill(child, SIGKILL);
	return ended < 0 ? -1 : status;
}

/* Ends with the status of suexec if it refuses the command; the reason is in its log. */
static void need_accepted(const struct request *r, char **variables)
{
	const struct sigaction keep = { .sa_handler = SIG_DFL };
	sigset_t awaited, before;
	pid_t self = getpid(), child;
	int status;

	(void)sigaction(SIGCHLD, &keep, NULL);
	(void)sigemptyset(&awaited);
	(void)sigaddset(&awaited, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &awaited, &before);
	child = fork();
	if (child == 0)
		ask_suexec(r, variables, self);
	if (child < 0)
		end(STATUS_FAILED, "Cannot have suexec check \"%s\" of uid %u: %s", r->shown, r->uid,
		    errno == EAGAIN ? "it has as many processes as it may have" : strerror(errno));
	status = await(child, &awaited);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		end(WEXITSTATUS(status), "\"%s\" refuses \"%s\" of uid %u; its log has the reason", r->settings.program, r->shown,
		    r->uid);
	end(STATUS_FAILED, "Cannot have suexec check \"%s\" of uid %u: it ended before it could", r->shown, r->uid);
}

/* --- The environment in a jail -------------------------------------------------------------------------- */

/* Variables of CGI programs. Sources: RFC 3875; "Apache CGI" and "mod_ssl" in the documentation of httpd. */
static bool is_for_programs(const char *name, size_t length)
{
	static const char *const prefixes[] = { "HTTP_", "SSL_", "REDIRECT_", NULL };
	static const char *const names[] = {
		"AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "CONTEXT_DOCUMENT_ROOT", "CONTEXT_PREFIX", "DATE_GMT",
		"DATE_LOCAL", "DOCUMENT_ARGS", "DOCUMENT_NAME", "DOCUMENT_PATH_INFO", "DOCUMENT_ROOT", "DOCUMENT_URI",
		"FCGI_ROLE", "FCGI_APACHE_ROLE", "FILEPATH_INFO", "GATEWAY_INTERFACE", "HTTPS", "LANG", "LAST_MODIFIED",
		"PATH_INFO", "PATH_TRANSLATED", "PHPRC", "PHP_FCGI_CHILDREN", "PHP_FCGI_MAX_REQUESTS", "PHP_INI_SCAN_DIR",
		"QUERY_STRING", "QUERY_STRING_UNESCAPED", "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_PORT",
		"REMOTE_USER", "REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_NAME",
		"SCRIPT_URI", "SCRIPT_URL", "SERVER_ADDR", "SERVER_ADMIN", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL",
		"SERVER_SIGNATURE", "SERVER_SOFTWARE", "TZ", "UNIQUE_ID", "USER_NAME", NULL
	};

	for (const char *const *each = prefixes; *each; each++)
		if (!strncmp(name, *each, strlen(*each)))
			return true;
	for (const char *const *each = names; *each; each++)
		if (strlen(*each) == length && !strncmp(name, *each, length))
			return true;
	return false;
}

/* --- The two ways to start ------------------------------------------------------------------------------ */

__attribute__((noreturn)) static void start_outside(const struct request *r, char **variables, bool is_tenant)
{
	struct failure why = { "" };

	/* suexec itself is not confined by this: it needs no more than a setuid program. */
	if (is_tenant && limit_gain(GAIN_SETUID, &why))
		end(STATUS_FAILED, "Cannot start \"%s\" as uid %u: %s", r->shown, r->uid, why.text);
	run_suexec(r, variables);
}

static void find_owner(const struct request *r, struct account *account, const char *home)
{
	struct failure f = { "" };

	if (find_account(r->tenant, account, &f))
		end(STATUS_FAILED, "%s", f.text);
	account->gid = r->gid;
	if (account->group_count && find_groups(account, &f))
		end(STATUS_FAILED, "%s", f.text);
	if (home)
		account->home = home;
}

__attribute__((noreturn)) static void start_inside(struct request *r, const struct choice *choice, char **variables)
{
	struct confinement with = { .landlock = -1 };
	struct environment e = { 0 };
	struct failure why = { "" };
	struct account account;

	need_accepted(r, variables);
	find_owner(r, &account, choice->jail.home);
	/* What modules of the name service may have left open. */
	if (close_from(3))
		end(STATUS_FAILED, "Cannot close descriptors: %s", strerror(errno));
	if (keep_matching(&e, variables, is_for_programs, &why) || describe_account(&e, &account, &why) ||
	    set_variable(&e, "PWD", r->directory, &why))
		end(STATUS_FAILED, "%s", why.text);
	if (enter_vault(r->settings.instance, &why) ||
	    enter_jail(r->settings.instance, choice->key, &choice->jail, &with, &why) || replace_standard(&why))
		end(STATUS_FAILED, "Cannot start \"%s\" in the jail of uid %u: %s; run bulkhead apply", r->shown, r->uid, why.text);
	if (become(&account, GAIN_NOTHING, &why) || confine(&with, &why))
		end(STATUS_FAILED, "Cannot start \"%s\" as uid %u: %s", r->shown, r->uid, why.text);
	if (chdir(r->directory))
		end(STATUS_FAILED, "Cannot start \"%s\" in the jail of uid %u: cd %.600s: %s", r->shown, r->uid, r->directory,
		    strerror(errno));
	(void)execve(r->command[0], r->command, e.variables);
	end_unexecuted(r->shown, errno);
}

/* Which jail, if any; no other will do if that one cannot be entered. */
static void choose(struct request *r, struct choice *choice)
{
	struct failure why = { "" };

	if (!getcwd(r->directory, sizeof(r->directory)))
		end(STATUS_FAILED, "Cannot start \"%s\": its directory is not there any more", r->shown);
	if (find_jailed_site(r->settings.instance, r->tenant, r->directory, r->site, sizeof(r->site), &why) ||
	    choose_jail(r->settings.instance, r->uid, r->site[0] ? r->site : NULL, choice, &why) ||
	    (choice->key[0] ? need_built(&choice->jail, &why) : check_never_jailed(r->settings.instance, r->tenant, NULL, &why)))
		end(STATUS_FAILED, "Cannot start \"%s\" in the jail of uid %u: %s", r->shown, r->uid, why.text);
}

int main(int argc, char **argv)
{
	static char *none[] = { NULL };
	char **variables = environ;
	struct request r = { .text = "" };
	struct choice choice = { .key = "" };
	struct failure f = { "" };
	struct destination to;
	struct place place;
	int found;

	environ = none;
	read_settings(&r);
	need_caller(&r);
	parse_request(&r, argc, argv);
	if (close_from(3))
		end(STATUS_FAILED, "Cannot close the descriptors of the caller");
	r.serves = is_listening(STDIN_FILENO);
	need_running(&r);
	choose(&r, &choice);
	to = (struct destination){ .instance = r.settings.instance, .tenant = r.tenant, .site = r.site[0] ? r.site : NULL,
				   .command = r.shown, .uid = r.uid, .patience = SCOPE_SECONDS };
	found = find_place(&to, &place, &f);
	/* Other accounts of the web server's, such as the administrator's own, are none of Bulkhead's. */
	if (found > 0 && !choice.key[0])
		start_outside(&r, variables, false);
	if (found || reset_oom_score(&f))
		end(STATUS_FAILED, "%s", f.text);
	need_entries(&r, &to);
	if (join_place(&to, &place, &f))
		end(STATUS_FAILED, "%s", f.text);
	/* Once more: whoever stopped the tenant meanwhile ends what is in there. */
	need_running(&r);
	if (choice.key[0])
		start_inside(&r, &choice, variables);
	start_outside(&r, variables, true);
}
