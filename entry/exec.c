// SPDX-License-Identifier: Apache-2.0
/*
 * bulkhead-exec: runs a command as a tenant, inside the tenant's limits and jail. See usage below.
 *
 * It joins the cgroups while it is still root, so that the first instruction of the tenant is limited. It becomes the
 * command: no process stays between the caller and the command, but the one that passes on notifications. Nothing is
 * found through environment variables, which callers such as CGI let users set. If any step fails, the command does not
 * run.
 */
#define _GNU_SOURCE
#include "program.h"
#include "serve.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_USAGE 2
#define STATUS_FULL 75 /* EX_TEMPFAIL. Source: sysexits.h. */

#define APP_IDLE_MAX 100000000

#define SEE_HELP "; see bulkhead-exec --help"

static const char usage[] =
	"Usage: bulkhead-exec [OPTION]... TENANT -- COMMAND [ARGUMENT]...\n"
	"\n"
	"Runs COMMAND as TENANT (an account or a uid) inside the limits of TENANT, with no way\n"
	"to gain privileges, a clean environment, and the home of TENANT as working directory;\n"
	"in the jail of TENANT, or of its site, where the policy gives it one.\n"
	"\n"
	"  --chdir DIR       start in DIR (absolute), or not at all\n"
	"  --site NAME       run inside the limits of this site of TENANT, too\n"
	"  --keep-env NAME   pass this environment variable on (may be repeated)\n"
	"  --keep-fds        pass file descriptors above 2 on, too, such as the sockets of a unit;\n"
	"                    into a jail, no directories\n"
	"  --allow-setuid    let setuid and setgid programs work, such as sendmail; not in a jail\n"
	"  --entry           run only if fewer commands run in this way than TENANT has entries,\n"
	"                    and the site, and the reseller of TENANT\n"
	"  --app NAME        COMMAND is an application behind the listening socket that is descriptor 3,\n"
	"                    and listens at the path in PORT; this process passes connections on to it\n"
	"  --app-descriptor  the application listens at its own descriptor 3, as systemd passes sockets\n"
	"  --app-tcp         the application listens at the TCP port in PORT, in a network of its own\n"
	"  --app-private     only processes of TENANT may connect, not even root\n"
	"  --app-idle SECS   end the application after so long without a connection\n"
	"  --app-ready SECS  how long the application may take until it listens; 60 without this\n"
	"  --app-end SECS    kill the application so long after it was asked to end; 10 without this\n"
	"  --app-env FILE    set the variables in this file, which is read as TENANT\n"
	"  --stay-in-slice   do not leave a unit that is in the slice of TENANT already\n"
	"  --without-jail    outside the jail of TENANT, for what has to act on the host; as with\n"
	"                    --allow-setuid, in the directory /, and no variable is passed on\n"
	"  --for-jail        the same for a process in the jail: HOME is /nonexistent, and where the\n"
	"                    kernel keeps jails apart, few programs start, and nothing of TENANT\n"
	"  --instance NAME   the instance of Bulkhead to ask (default: bulkhead)\n"
	"  --help            this text\n"
	"\n"
	"The exit status is that of COMMAND; 1 if it could not be started inside the limits,\n"
	"2 for wrong usage, 75 if all entries of TENANT are in use, 126 if COMMAND cannot be\n"
	"executed, 127 if it does not exist.\n"
	"\n"
	"COMMAND gets the terminal, file descriptors 0 to 2 and the process id of the launcher,\n"
	"so LISTEN_PID, LISTEN_FDS and NOTIFY_SOCKET of a unit can be kept. From a\n"
	"terminal of root, make sure that sysctl dev.tty.legacy_tiocsti is 0 (Linux 6.2 and newer),\n"
	"or give COMMAND a terminal of its own with script(1); otherwise it can type into the one\n"
	"of root.\n";

enum outside { INSIDE, WITHOUT_JAIL, FOR_JAIL };

struct options {
	const char *instance, *directory, *site, *tenant;
	char **command;
	char shown[256];   /* the command in messages, which have room for the reason, too */
	const char **kept; /* names of variables */
	size_t kept_count;
	struct service service;
	bool keep_fds, allow_setuid, entry, stays;
	enum outside outside;
};

/* --- The command line ----------------------------------------------------------------------------------- */

/* The value of OPTION, from `--option=VALUE` or the next word; NULL if the word is another option. */
static const char *value_of(const char *option, int argc, char **argv, int *at)
{
	size_t length = strlen(option);
	const char *word = argv[*at];

	if (strncmp(word, option, length) || (word[length] && word[length] != '='))
		return NULL;
	if (word[length] == '=')
		return word + length + 1;
	if (*at + 1 >= argc)
		end(STATUS_USAGE, "Option %s needs a value" SEE_HELP, option);
	return argv[++*at];
}

static bool take_flag(struct options *o, const char *word)
{
	if (!strcmp(word, "--keep-fds"))
		o->keep_fds = true;
	else if (!strcmp(word, "--allow-setuid"))
		o->allow_setuid = true;
	else if (!strcmp(word, "--entry"))
		o->entry = true;
	else if (!strcmp(word, "--app-descriptor"))
		o->service.takes_descriptor = true;
	else if (!strcmp(word, "--app-tcp"))
		o->service.takes_tcp = true;
	else if (!strcmp(word, "--app-private"))
		o->service.is_private = true;
	else if (!strcmp(word, "--stay-in-slice"))
		o->stays = true;
	else if (!strcmp(word, "--without-jail"))
		o->outside = WITHOUT_JAIL;
	else if (!strcmp(word, "--for-jail"))
		o->outside = FOR_JAIL;
	else
		return false;
	return true;
}

static unsigned int seconds_of(const char *value)
{
	unsigned long long seconds;

	if (!parse_number(value, '\0', APP_IDLE_MAX, &seconds))
		end(STATUS_USAGE, "\"%.200s\" is not a number of seconds from 1 to %d" SEE_HELP, value, APP_IDLE_MAX);
	return (unsigned int)seconds;
}

static bool take_app_value(struct options *o, int argc, char **argv, int *at)
{
	const char *value;

	if ((value = value_of("--app", argc, argv, at)) != NULL) {
		if (!is_application(value))
			end(STATUS_USAGE, "\"%.200s\" is not the name of an application" SEE_HELP, value);
		o->service.name = value;
	} else if ((value = value_of("--app-idle", argc, argv, at)) != NULL) {
		o->service.idle_seconds = seconds_of(value);
	} else if ((value = value_of("--app-ready", argc, argv, at)) != NULL) {
		o->service.ready_seconds = seconds_of(value);
	} else if ((value = value_of("--app-end", argc, argv, at)) != NULL) {
		o->service.end_seconds = seconds_of(value);
	} else if ((value = value_of("--app-env", argc, argv, at)) != NULL) {
		o->service.environment = value;
	} else {
		return false;
	}
	return true;
}

static bool take_value(struct options *o, int argc, char **argv, int *at)
{
	const char *value;

	if ((value = value_of("--chdir", argc, argv, at)) != NULL) {
		if (value[0] != '/')
			end(STATUS_USAGE, "Directory \"%.200s\" is not absolute" SEE_HELP, value);
		o->directory = value;
	} else if ((value = value_of("--instance", argc, argv, at)) != NULL) {
		if (!is_instance(value))
			end(STATUS_USAGE, "\"%.200s\" is not the name of an instance" SEE_HELP, value);
		o->instance = value;
	} else if ((value = value_of("--keep-env", argc, argv, at)) != NULL) {
		int checked = check_variable(value);

		if (checked == 0)
			end(STATUS_USAGE, "\"%.200s\" is not the name of a variable" SEE_HELP, value);
		if (checked < 0)
			end(STATUS_USAGE, "Variable %s is always set afresh and cannot be kept" SEE_HELP, value);
		o->kept[o->kept_count++] = value;
	} else if ((value = value_of("--site", argc, argv, at)) != NULL) {
		if (!is_site(value))
			end(STATUS_USAGE, "\"%.200s\" is not the name of a site: a host name in lower case" SEE_HELP, value);
		o->site = value;
	} else {
		return false;
	}
	return true;
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int at = 1;

	o->kept = calloc((size_t)argc + 2, sizeof(*o->kept));
	if (!o->kept)
		end(STATUS_FAILED, "Out of memory");
	o->kept[o->kept_count++] = "TERM";
	o->kept[o->kept_count++] = "LANG";
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--help")) {
			(void)fputs(usage, stdout);
			exit(fflush(stdout) ? STATUS_FAILED : 0);
		}
		if (!strcmp(argv[at], "--"))
			end(STATUS_USAGE, "TENANT is missing" SEE_HELP);
		if (!take_flag(o, argv[at]) && !take_value(o, argc, argv, &at) && !take_app_value(o, argc, argv, &at))
			end(STATUS_USAGE, "Unknown option \"%.200s\"" SEE_HELP, argv[at]);
	}
	if ((o->service.takes_tcp || o->service.takes_descriptor) && !o->service.name)
		end(STATUS_USAGE, "--app-tcp and --app-descriptor need --app" SEE_HELP);
	if (o->service.takes_tcp && o->service.takes_descriptor)
		end(STATUS_USAGE, "--app-tcp and --app-descriptor exclude each other" SEE_HELP);
	/* Its socket. */
	o->keep_fds = o->keep_fds || o->service.name;
	if (o->outside && o->directory)
		end(STATUS_USAGE, "Without a jail the command starts in /; leave out --chdir" SEE_HELP);
	if (at >= argc || !argv[at][0])
		end(STATUS_USAGE, "TENANT is missing" SEE_HELP);
	o->tenant = argv[at];
	if (at + 1 >= argc || strcmp(argv[at + 1], "--"))
		end(STATUS_USAGE, "Between TENANT and COMMAND there must be --" SEE_HELP);
	o->command = argv + at + 2;
	if (at + 2 >= argc || !o->command[0][0])
		end(STATUS_USAGE, "COMMAND is missing" SEE_HELP);
	if (o->command[0][0] == '-')
		end(STATUS_USAGE, "Command \"%.200s\" begins with a dash; write a path" SEE_HELP, o->command[0]);
	(void)snprintf(o->shown, sizeof(o->shown), "%s", o->command[0]);
}

/* --- The environment ------------------------------------------------------------------------------------ */

static void add_variable(struct environment *e, const char *name, const char *value)
{
	struct failure f = { "" };

	if (set_variable(e, name, value, &f))
		end(STATUS_FAILED, "%s", f.text);
}

/* Takes what is kept; from here on, no library sees another variable. */
static void keep_environment(struct environment *e, const struct options *o)
{
	struct failure f = { "" };

	if (keep_variables(e, o->kept, o->outside ? 0 : o->kept_count, &f))
		end(STATUS_FAILED, "%s", f.text);
}

/* --- The steps ------------------------------------------------------------------------------------------ */

/* To be asked first, and once more in the cgroup: whoever stops the tenant meanwhile ends what is in there. */
static void need_running(const struct options *o, const struct account *account)
{
	if (!is_stopped(o->instance, account->uid, true))
		return;
	end(STATUS_FAILED, "Cannot start \"%s\": \"%s\" is stopped; bulkhead start %s lets it run again", o->shown, o->tenant,
	    o->tenant);
}

/* Before the cgroup is joined, where neither memory nor a process may be left for this. */
static void need_entries(const struct destination *to)
{
	struct failure why = { "" };

	switch (take_entries(to, &why)) {
	case SLOT_TAKEN:
		break;
	case SLOT_FULL:
		end(STATUS_FULL, "%s", why.text);
	case SLOT_FAILED:
		end(STATUS_FAILED, "%s", why.text);
	}
}

/* Which jail, if any; no other will do if that one cannot be entered. */
static void choose(const struct options *o, const struct account *account, struct choice *choice)
{
	struct failure why = { "" };

	if (choose_jail(o->instance, account->uid, o->site, choice, &why) ||
	    (choice->key[0] && need_built(&choice->jail, &why)))
		end(STATUS_FAILED, "Cannot start \"%s\" in the jail of \"%s\": %s", o->shown, o->tenant, why.text);
}

static void enter(const struct options *o, const struct account *account, const struct choice *choice,
		  struct environment *e, struct confinement *with)
{
	const char *value = value_in(e, "NOTIFY_SOCKET"), *notify = value && value[0] ? value : NULL;
	struct failure why = { "" };
	char address[64];

	if (!keep_descriptors_inside(&why) && !enter_vault(o->instance, &why) &&
	    (!notify || !relay_notifications(notify, o->instance, choice->key, account->uid, address, sizeof(address),
					     &why)) &&
	    !enter_jail(o->instance, choice->key, &choice->jail, with, &why) && !replace_standard(&why)) {
		if (notify)
			add_variable(e, "NOTIFY_SOCKET", address);
		return;
	}
	end(STATUS_FAILED, "Cannot start \"%s\" in the jail of \"%s\": %s; run bulkhead apply", o->shown, o->tenant, why.text);
}

/* As the tenant, who may have put a link to anywhere in place of its home. */
static void change_directory(const struct options *o, const struct account *account, struct environment *e)
{
	const char *at = o->directory ? o->directory : account->home;

	if (o->directory && chdir(at)) {
		end(STATUS_FAILED, "Cannot start \"%s\": cd %.200s: %s", o->shown, at, strerror(errno));
	}
	if (!o->directory && (o->outside || chdir(at))) {
		at = "/";
		if (chdir(at))
			end(STATUS_FAILED, "Cannot change the directory to /");
	}
	/* As a shell has it after cd: by the name that was given, where that is a plain one. */
	if (at[0] != '/' || strstr(at, "/.") || strstr(at, "//"))
		at = getcwd(NULL, 0);
	if (at && !o->outside)
		add_variable(e, "PWD", at);
}

__attribute__((noreturn)) static void run(const struct options *o, struct environment *e)
{
	if (o->service.name)
		serve(&o->service, o->command, e);
	environ = e->variables;
	(void)execvp(o->command[0], o->command);
	end_unexecuted(o->shown, errno);
}

static void become_tenant(const struct options *o, const struct account *account, bool in_jail,
			  const struct confinement *with)
{
	struct failure why = { "" };
	enum gain gain = in_jail || (!o->allow_setuid && !o->outside) ? GAIN_NOTHING : GAIN_SETUID;

	if (o->outside == WITHOUT_JAIL)
		gain = GAIN_LEASE;
	if (!become(account, gain, &why) && (!in_jail || !confine(with, &why)))
		return;
	end(STATUS_FAILED, "Cannot start \"%s\" as \"%s\": %s", o->shown, o->tenant, why.text);
}

int main(int argc, char **argv)
{
	struct options o = { .instance = "bulkhead" };
	struct environment e = { 0 };
	struct destination to;
	struct place place;
	struct account account;
	struct confinement with = { .landlock = -1 };
	struct failure f = { "" };
	struct choice choice = { .key = "" };

	parse_options(&o, argc, argv);
	keep_environment(&e, &o);
	(void)umask(022);
	if (geteuid() != 0)
		end(STATUS_FAILED, "Cannot enter a tenant: only root can; use sudo");
	/* A descriptor that a careless caller left open would hand the tenant what root has opened. */
	if (!o.keep_fds && close_from(3))
		end(STATUS_FAILED, "Cannot close the descriptors of the caller");
	if (find_account(o.tenant, &account, &f))
		end(STATUS_FAILED, "%s", f.text);
	/* What modules of the name service may have left open. */
	if (!o.keep_fds && close_from(3))
		end(STATUS_FAILED, "Cannot close the descriptors of the name service");
	need_running(&o, &account);
	if (reset_oom_score(&f))
		end(STATUS_FAILED, "%s", f.text);
	if (!o.outside)
		choose(&o, &account, &choice);
	to = (struct destination){ .instance = o.instance, .tenant = o.tenant, .site = o.site, .command = o.shown,
				   .uid = account.uid, .patience = SCOPE_SECONDS, .stays = o.stays };
	if (o.entry)
		need_entries(&to);
	if (find_place(&to, &place, &f) || join_place(&to, &place, &f))
		end(STATUS_FAILED, "%s", f.text);
	need_running(&o, &account);
	/* What a tenant has configured in its home is not for programs outside. */
	if (o.outside == FOR_JAIL)
		account.home = "/nonexistent";
	if (choice.jail.home)
		account.home = choice.jail.home;
	if (describe_account(&e, &account, &f))
		end(STATUS_FAILED, "%s", f.text);
	if (choice.key[0])
		enter(&o, &account, &choice, &e, &with);
	if (o.service.takes_tcp && own_network(account.uid, &f))
		end(STATUS_FAILED, "Cannot start \"%s\" as \"%s\": %s", o.shown, o.tenant, f.text);
	become_tenant(&o, &account, choice.key[0] != '\0', &with);
	change_directory(&o, &account, &e);
	run(&o, &e);
}
