// SPDX-License-Identifier: Apache-2.0
/*
 * bulkhead-fpm: systemd starts a tenant's php-fpm by this. It passes php-fpm the paths of its sockets, and enters the
 * limits and the jail of the tenant. Units contain all arguments, so none is the tenant's.
 *
 *   bulkhead-fpm tenant     INSTANCE UID PROGRAM CONFIGURATION [SITE]        as the tenant, in its cgroup
 *   bulkhead-fpm root       INSTANCE UID PROGRAM CONFIGURATION [SITE]        as root, in its cgroup: for pools with chroot
 *   bulkhead-fpm slice      INSTANCE UID:GID PROGRAM CONFIGURATION [SITE]    as the tenant; the unit is in its slice
 *   bulkhead-fpm slice-root INSTANCE UID PROGRAM CONFIGURATION [SITE]        as root; the unit is in its slice
 *
 *   bulkhead-fpm copy       INSTANCE UID PROGRAM CONFIGURATION [SITE]        before it is read again
 *   bulkhead-fpm look       INSTANCE UID GID USER KEY DIRECTORY...           prints which of them the tenant cannot enter
 *
 * If the tenant has a jail, or the site one of its own, php-fpm starts inside or not at all. The configuration, which only
 * root can change, is copied to where the jail shows it. KEY names the jail to look in, and is empty without one.
 *
 * A site that has left the policy has no cgroup, and no jail: until the pools are divided anew, its pools run in the rest
 * of the tenant.
 * The process stays the one that systemd started, and there is no other in a unit before the first answer. systemd takes
 * no message from it (NotifyAccess=none), by which a tenant could have its own stop wait for ever.
 */
#define _GNU_SOURCE
#include "program.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


/* The first descriptor that systemd passes. Source: sd_listen_fds(3). */
#define SOCKETS_FROM 3U
#define SOCKETS "FPM_SOCKETS"

enum how { TENANT, ROOT, SLICE, SLICE_ROOT, COPY };

static const char *const names_of_how[] = { "tenant", "root", "slice", "slice-root", "copy", NULL };

struct request {
	enum how how;
	const char *instance, *program, *config, *site;
	char tenant[16]; /* the uid */
	uid_t uid;
	gid_t gid; /* with SLICE */
};

__attribute__((noreturn)) static void end_usage(void)
{
	end(STATUS_FAILED, "Cannot start php-fpm: wrong usage; see the unit");
}

/* --- The words of the unit ------------------------------------------------------------------------------ */

static bool parse_uid(const char *text, char last, uid_t *uid)
{
	unsigned long long number;

	if (!parse_number(text, last, UINT32_MAX - 1, &number))
		return false;
	*uid = (uid_t)number;
	return true;
}

/* The group of root has a number, too. */
static bool parse_gid(const char *text, gid_t *gid)
{
	*gid = 0;
	return !strcmp(text, "0") || parse_uid(text, '\0', gid);
}

static void parse_request(struct request *r, int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "", *colon;
	int each = 0;

	while (names_of_how[each] && strcmp(how, names_of_how[each]))
		each++;
	if (!names_of_how[each])
		end(STATUS_FAILED, "Cannot start php-fpm: \"%s\" is unknown; see the unit", how);
	if (argc != 6 && argc != 7)
		end_usage();
	r->how = (enum how)each;
	r->instance = argv[2];
	r->program = argv[4];
	r->config = argv[5];
	r->site = argc == 7 ? argv[6] : NULL;
	colon = strchr(argv[3], ':');
	if (!is_instance(r->instance) || (r->site && !is_site(r->site)) || r->program[0] != '/' || r->config[0] != '/' ||
	    (r->how == SLICE) != (colon != NULL) || (colon && !parse_gid(colon + 1, &r->gid)) ||
	    !parse_uid(argv[3], colon ? ':' : '\0', &r->uid))
		end_usage();
	(void)snprintf(r->tenant, sizeof(r->tenant), "%u", r->uid);
}

/* --- Sockets -------------------------------------------------------------------------------------------- */

/* php-fpm would split its list at a comma, and take what follows an equals sign for the descriptor. */
static void need_plain_name(const struct request *r, const char *name)
{
	bool is_plain = name[0] != '\0';

	for (const char *each = name; *each; each++)
		is_plain = is_plain && (unsigned char)*each > ' ' && *each != 0x7f && *each != ',' && *each != '=';
	if (!is_plain)
		end(STATUS_FAILED, "Cannot start php-fpm of uid %s: systemd passed a socket with the name \"%s\"", r->tenant, name);
}

/* Sets FPM_SOCKETS to `PATH=3,PATH=4`; how many there are. Without sockets php-fpm would bind its own. */
static unsigned name_sockets(const struct request *r)
{
	static const char *const of_systemd[] = { "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID",
						  "NOTIFY_SOCKET", NULL };
	const char *given = getenv("LISTEN_FDNAMES");
	char *rest = given && given[0] ? strdup(given) : NULL, *name, *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	unsigned count = 0;

	if (given && given[0] && !rest)
		end(STATUS_FAILED, "Out of memory");
	for (; to && (name = strsep(&rest, ":")) != NULL; count++) {
		need_plain_name(r, name);
		(void)fprintf(to, "%s%s=%u", count ? "," : "", name, SOCKETS_FROM + count);
	}
	if (!to || fclose(to) || setenv(SOCKETS, text, 1))
		end(STATUS_FAILED, "Out of memory");
	free(text);
	if (!count)
		end(STATUS_FAILED, "Cannot start php-fpm of uid %s: systemd passed no socket; start its socket units", r->tenant);
	for (const char *const *each = of_systemd; *each; each++)
		(void)unsetenv(*each);
	return count;
}

static void close_others(unsigned sockets)
{
	if (close_from(SOCKETS_FROM + sockets))
		end(STATUS_FAILED, "Cannot close descriptors: %s", strerror(errno));
}

/* --- The steps ------------------------------------------------------------------------------------------ */

/* Also a pool that its units did not have when it was stopped, and a master that is root. */
static void need_running(const struct request *r)
{
	if (is_stopped(r->instance, r->uid, true))
		end(STATUS_FAILED, "Cannot start php-fpm of uid %s: it is stopped; bulkhead start %s lets it run again", r->tenant,
		    r->tenant);
}

__attribute__((noreturn)) static void refuse_jail(const struct request *r, const struct failure *why)
{
	end(STATUS_FAILED, "Cannot start \"%s\" in the jail of \"%s\": %s", r->program, r->tenant, why->text);
}

static void choose(const struct request *r, struct choice *choice)
{
	struct failure why = { "" };

	if (!choose_jail(r->instance, r->uid, r->site, choice, &why))
		return;
	if (r->how == COPY)
		end(STATUS_FAILED, "Cannot copy %s into the jail of uid %s: %s", r->config, r->tenant, why.text);
	refuse_jail(r, &why);
}

/* As root it could leave a jail. */
static void need_no_jail(const struct request *r, const struct choice *choice)
{
	if (choice->key[0])
		end(STATUS_FAILED,
		    "Cannot start php-fpm of uid %s: the policy gives it a jail, and this unit starts it outside; run bulkhead "
		    "web fpm status, which says why, or systemctl reload of the distribution's php-fpm",
		    r->tenant);
}

/*
 * A slice stays after a restart, and its units start before a policy is in force. Neither a tenant nor a site that had a jail
 * starts outside then. The other ways to start need a policy.
 */
static void need_never_jailed(const struct request *r, const struct choice *choice)
{
	struct failure why = { "" };

	if (!choice->key[0] && check_never_jailed(r->instance, r->tenant, r->site, &why))
		end(STATUS_FAILED, "Cannot start php-fpm of uid %s: %s", r->tenant, why.text);
}

/* INSIDE becomes the name that the configuration has in the jail. */
static void copy_config(const struct request *r, const struct choice *choice, char *inside, size_t size)
{
	static const char *const states[] = { [JAIL_WAITING] = "not built yet", [JAIL_FAILED] = "not built",
					      [JAIL_READY] = "ready" };
	struct failure why = { "" };

	(void)umask(022);
	if (copy_inside(r->instance, choice->key, r->config, inside, size, &why))
		end(STATUS_FAILED, "Cannot copy %s into the jail of uid %s, which is %s: %s; run bulkhead apply", r->config,
		    r->tenant, states[choice->jail.state], why.text);
}

/* The site whose cgroup is to be joined; NULL for the rest of the tenant. */
static const char *site_to_join(const struct request *r, const struct choice *choice, const struct destination *to,
				const struct place *place)
{
	/* A site with a jail of its own never starts in the jail of its tenant. */
	if (!r->site || choice->is_of_site)
		return r->site;
	/* The unit is in the slice of the site already. */
	if (r->how == SLICE)
		return NULL;
	if (has_site(to, place))
		return r->site;
	(void)fprintf(stderr, "bulkhead: The site %s of uid %s has no cgroup: its pools run in the rest of the tenant\n", r->site,
		      r->tenant);
	return NULL;
}

static void join(const struct request *r, const struct choice *choice)
{
	struct destination to = { .instance = r->instance, .tenant = r->tenant, .site = r->site, .command = r->program,
				  .uid = r->uid, .patience = SCOPE_SECONDS, .stays = true };
	struct failure f = { "" };
	struct place place;

	if (find_place(&to, &place, &f))
		end(STATUS_FAILED, "%s", f.text);
	to.site = site_to_join(r, choice, &to, &place);
	if (join_place(&to, &place, &f))
		end(STATUS_FAILED, "%s", f.text);
	/* Once more: whoever stopped the tenant meanwhile ends what is in there. */
	need_running(r);
}

__attribute__((noreturn)) static void run(const struct request *r, const char *config, bool in_jail)
{
	/* Nothing else removes old sessions in a jail. */
	const char *const words[] = { r->program, "--nodaemonize", "--fpm-config", config, in_jail ? "-d" : NULL,
				      "session.gc_probability=1", NULL };

	(void)execv(r->program, (char *const *)(uintptr_t)words);
	end_unexecuted(r->program, errno);
}

/* --- The ways to start ---------------------------------------------------------------------------------- */

static void enter(const struct request *r, const struct choice *choice, struct confinement *with)
{
	struct failure f = { "" };

	if (!keep_descriptors_inside(&f) && !enter_vault(r->instance, &f) &&
	    !enter_jail(r->instance, choice->key, &choice->jail, with, &f) && !replace_standard(&f))
		return;
	end(STATUS_FAILED, "Cannot start \"%s\" in the jail of \"%s\": %s; run bulkhead apply", r->program, r->tenant, f.text);
}

/* As bulkhead-exec does it. */
__attribute__((noreturn)) static void start_as_tenant(const struct request *r, const struct choice *choice, unsigned sockets)
{
	static const char *const kept[] = { "TERM", "LANG", SOCKETS };
	bool in_jail = choice->key[0] != '\0';
	struct confinement with = { .landlock = -1 };
	struct environment e = { 0 };
	struct failure f = { "" };
	struct account account;
	char inside[PATH_SIZE];

	(void)umask(022);
	if (in_jail && need_built(&choice->jail, &f))
		refuse_jail(r, &f);
	if (keep_variables(&e, kept, sizeof(kept) / sizeof(kept[0]), &f) || find_account(r->tenant, &account, &f))
		end(STATUS_FAILED, "%s", f.text);
	/* What modules of the name service may have left open. */
	close_others(sockets);
	if (in_jail)
		copy_config(r, choice, inside, sizeof(inside));
	join(r, choice);
	if (choice->jail.home)
		account.home = choice->jail.home;
	if (describe_account(&e, &account, &f) || set_variable(&e, "PWD", "/", &f))
		end(STATUS_FAILED, "%s", f.text);
	if (in_jail)
		enter(r, choice, &with);
	if (become(&account, in_jail ? GAIN_NOTHING : GAIN_SETUID, &f) || (in_jail && confine(&with, &f)))
		end(STATUS_FAILED, "Cannot start \"%s\" as \"%s\": %s", r->program, r->tenant, f.text);
	if (chdir("/"))
		end(STATUS_FAILED, "Cannot change the directory to /");
	environ = e.variables;
	run(r, in_jail ? inside : r->config, in_jail);
}

/* In a slice, without a jail: the environment and the bounding set are the unit's. */
static void become_owner(const struct request *r, unsigned sockets)
{
	struct account account;
	struct failure f = { "" };

	if (find_account(r->tenant, &account, &f))
		end(STATUS_FAILED, "%s", f.text);
	if (!account.group_count)
		end(STATUS_FAILED, "Cannot start php-fpm of uid %s: there is no such account", r->tenant);
	if (account.gid != r->gid) {
		account.gid = r->gid;
		if (find_groups(&account, &f))
			end(STATUS_FAILED, "%s", f.text);
	}
	close_others(sockets);
	if (become(&account, GAIN_ALL, &f))
		end(STATUS_FAILED, "Cannot start \"%s\" as \"%s\": %s", r->program, r->tenant, f.text);
}

__attribute__((noreturn)) static void start(const struct request *r)
{
	struct choice choice = { .key = "" };
	struct failure f = { "" };
	unsigned sockets;

	need_running(r);
	if (reset_oom_score(&f))
		end(STATUS_FAILED, "%s", f.text);
	sockets = name_sockets(r);
	close_others(sockets);
	choose(r, &choice);
	if (r->how == ROOT || r->how == SLICE_ROOT)
		need_no_jail(r, &choice);
	if (r->how == SLICE || r->how == SLICE_ROOT)
		need_never_jailed(r, &choice);
	if (r->how == TENANT || choice.key[0])
		start_as_tenant(r, &choice, sockets);
	if (setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1))
		end(STATUS_FAILED, "Out of memory");
	if (r->how == ROOT)
		join(r, &choice);
	else if (r->how == SLICE)
		become_owner(r, sockets);
	run(r, r->config, false);
}

/* --- look ----------------------------------------------------------------------------------------------- */

/* UID, or UID-SITE. */
static bool is_key_of(const char *key, const char *uid)
{
	size_t length = strlen(uid);

	return !strncmp(key, uid, length) && (!key[length] || (key[length] == '-' && is_site(key + length + 1)));
}

static int look(int argc, char **argv)
{
	const char *instance = argv[2], *key;
	struct account account = { .home = "/", .shell = "/bin/sh" };
	struct failure f = { "" };

	if (argc < 8)
		end(STATUS_FAILED, "Cannot look: wrong usage");
	key = argv[6];
	if (!is_instance(instance) || !parse_uid(argv[3], '\0', &account.uid) || !parse_gid(argv[4], &account.gid) ||
	    !is_account_name(argv[5]) || (key[0] && !is_key_of(key, argv[3])))
		end(STATUS_FAILED, "Cannot look: wrong usage");
	(void)snprintf(account.name, sizeof(account.name), "%s", argv[5]);
	if (look_as(&account, instance, key, &f))
		end(STATUS_FAILED, "%s", f.text);
	for (int each = 7; each < argc; each++)
		if (argv[each][0] != '/' || chdir(argv[each]))
			(void)printf("%s: %s\n", argv[each], argv[each][0] != '/' ? "it is not absolute" : strerror(errno));
	return fflush(stdout) ? STATUS_FAILED : 0;
}

int main(int argc, char **argv)
{
	struct request r = { .site = NULL };
	bool looks = argc > 1 && !strcmp(argv[1], "look");

	if (!looks)
		parse_request(&r, argc, argv);
	if (geteuid() != 0)
		end(STATUS_FAILED, "Cannot start php-fpm of a tenant: only root can");
	if (looks)
		return look(argc, argv);
	if (r.how == COPY) {
		struct choice choice = { .key = "" };
		char inside[PATH_SIZE];

		choose(&r, &choice);
		if (choice.key[0])
			copy_config(&r, &choice, inside, sizeof(inside));
		return 0;
	}
	start(&r);
}
