/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process becomes a tenant's: it joins the tenant's cgroups, enters the jail, and gives up root for good.
 *
 * bulkhead-exec, bulkhead-fpm, bulkhead-suexec and pam_bulkhead.so are made of this. Functions that can fail return 0, or -1 with the reason in the
 * struct failure; nothing here ends the process or prints.
 */
#ifndef BULKHEAD_ENTRY_H
#define BULKHEAD_ENTRY_H

#include <linux/filter.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INSTANCE_MAX 64
#define KEY_MAX 288 /* UID, or UID-SITE */
#define ROOTS_MAX 16
#define PATH_SIZE 1024

/* The first reason counts. */
struct failure {
	char text[1536];
};

__attribute__((format(printf, 2, 3))) int fail(struct failure *f, const char *format, ...);
__attribute__((format(printf, 2, 0))) int vfail(struct failure *f, const char *format, va_list arguments);

/* parse.c: what the files say. Each parser keeps pointers into the text, which it changes. */

/* /run/INSTANCE/launch: where tenants are. Source: src/host/cgroups/launch-file.ts. */
struct launch {
	bool by_tasks;	    /* version 1: a thread is written to `tasks`; version 2: cgroup.procs */
	const char *slices; /* with systemd, the parent of tenants without a reseller; or NULL */
	const char *roots[ROOTS_MAX];
	size_t count;
};

enum jail_state { JAIL_WAITING, JAIL_FAILED, JAIL_READY };

/* /run/INSTANCE/jail/tenants/KEY. Source: src/jail/core/state-file.ts. */
struct jail {
	enum jail_state state;
	const char *why; /* of JAIL_FAILED */
	bool filter, landlock;
	const char *home; /* a site's, or NULL */
};

/* /run/INSTANCE/entries/NAME/limit. Source: src/host/entry-slots.ts. */
struct entries {
	unsigned limit; /* 0: none */
	uid_t reseller; /* whose limit counts, too; or 0 */
};

/* The process that holds a slot: `PID START`, and `hangs` where its file cannot be read. */
struct holder {
	pid_t pid;
	unsigned long long start;
	bool hangs;
};

/* suexec.conf beside bulkhead-suexec. Source: src/web/core/suexec/settings-file.ts. */
struct settings {
	const char *instance;
	uid_t caller;	     /* the user of the web server */
	const char *program; /* the distribution's suexec */
};

int parse_settings(char *text, struct settings *settings, struct failure *f);
int parse_launch(char *text, struct launch *launch, struct failure *f);
int parse_jail(char *text, struct jail *jail, struct failure *f);
int parse_entries(char *text, struct entries *entries, struct failure *f);
/* false if it is not the whole line of a holder. */
bool parse_holder(const char *text, struct holder *holder);
/* The text of /proc/PID/stat; false if the process has ended. */
bool parse_stat(const char *text, struct holder *holder);
/* A number without sign or leading zero, from 1 to MOST, that ends at END. */
bool parse_number(const char *text, char end, unsigned long long most, unsigned long long *number);
bool is_instance(const char *name);
bool is_site(const char *name);
/* Of a variable that may be kept: 1; 0 if it is no name; -1 if it is always set afresh. */
int check_variable(const char *name);
/* No account can have another name. */
bool is_account_name(const char *name);
/* Writes a dash as systemd does in the name of a unit; false if there is no space. */
bool escape_dashes(const char *name, char *escaped, size_t size);

/* files.c: files that only root can have written. */

/* errno of open_owned() where the file could be somebody else's work. */
#define NOT_OWNED EOWNERDEAD

int open_owned(int at, const char *name, int flags, mode_t type);
/* Some directories below AT, each of which is root's; NAMES ends with NULL. */
int open_below(int at, const char *const *names, int flags, mode_t type);
/* The whole file, which has at most SIZE - 1 bytes and none of them zero; -1 otherwise, with errno. */
int read_text(int fd, char *text, size_t size);
/* read_text() of a file below AT. */
int read_below(int at, const char *const *names, char *text, size_t size);
/* The same two below /run. */
int open_run(const char *const *names, int flags, mode_t type);
int read_run(const char *const *names, char *text, size_t size);
/* The root of the host, also for a service with mounts of its own. */
int open_host(void);
void close_if_open(int fd);
/* Whether there is such a file: 1, 0, or -1. By the effective uid; access() asks for the real one, which su still has. */
int exists(int at, const char *path);
/* Text for an errno, and for NOT_OWNED. */
const char *reason_of(int error);
/* Closes what is open from FIRST on. */
int close_from(unsigned int first);

/* lock.c */

/*
 * Locks the file NAME below AT, a directory of root's, and makes it if it is not there: its descriptor, or -1 with errno, which
 * is EWOULDBLOCK if somebody else keeps the lock for ten seconds.
 */
int open_lock(int at, const char *name);

/* environment.c */

struct environment {
	char **variables; /* for execve() */
	size_t count;
};

/* Makes E of the variables that have one of these names; from here on, no library sees another one. */
int keep_variables(struct environment *e, const char *const *names, size_t count, struct failure *f);
/* Makes E of those of VARIABLES whose name is kept. */
int keep_matching(struct environment *e, char **variables, bool (*is_kept)(const char *name, size_t length), struct failure *f);
/* NULL if it has none of that name. */
const char *value_in(const struct environment *e, const char *name);
/* Of these there is room for a few. */
int set_variable(struct environment *e, const char *name, const char *value, struct failure *f);

/* account.c */

struct account {
	char name[256];
	uid_t uid;
	gid_t gid;
	const char *home, *shell;
	gid_t *groups;
	size_t group_count;
};

/* The account, or uid, TENANT. What it points to stays for good. */
int find_account(const char *tenant, struct account *account, struct failure *f);
/* The groups that an account of its name has, with its gid as the first. */
int find_groups(struct account *account, struct failure *f);
/* UNKNOWN is the answer where it cannot be told. */
bool is_stopped(const char *instance, uid_t uid, bool unknown);
/* Sets HOME and the like. */
int describe_account(struct environment *e, const struct account *account, struct failure *f);

/* place.c */

#define NAME_SIZE 640
#define LAUNCH_SIZE 8192
/* Patience for a command, as long as pam_systemd has for a session. */
#define SCOPE_SECONDS 120

struct destination {
	const char *instance, *tenant, *site, *command;
	uid_t uid;
	unsigned patience; /* seconds that systemd gets to make a scope */
	bool stays;	   /* a unit that is in the slice already */
	bool is_session;   /* of PAM: with all its threads, and nowhere that is frozen, where it would hang */
};

/* Where a tenant is. */
struct place {
	char text[LAUNCH_SIZE];
	struct launch launch;
	bool is_slice;
	char below[NAME_SIZE]; /* each root; not of a slice */
};

/* 1: it is no tenant, or no policy is in force. */
int find_place(const struct destination *to, struct place *place, struct failure *f);
/* Moves this process into the cgroups of the tenant, and sets PLACE to where they are if they have moved. */
int join_place(const struct destination *to, struct place *place, struct failure *f);
/* Fails for a session where the cgroup stays frozen. */
int may_join(const struct destination *to, const char *cgroup, struct failure *f);
/* Moves this process, with all its threads, into a cgroup. */
int move_self(const char *cgroup);
/* Always -1: what cannot be joined, and for a command what to do. */
__attribute__((format(printf, 3, 4))) int refuse_to_join(const struct destination *to, struct failure *f, const char *format, ...);
/* Whether the site of TO has its cgroup. */
bool has_site(const struct destination *to, const struct place *place);
/* No process that the kernel must not kill: such a one would spin for ever at its memory limit. */
int reset_oom_score(struct failure *f);

/* scope.c */

/* Whether the tenant is a slice of systemd whose limits we have set. */
bool is_slice(const char *instance, uid_t uid);
bool has_site_slice(const struct destination *to, const char *slices);
int join_slice(const struct destination *to, const char *slices, struct failure *f);

/* session.c */

enum session { SESSION_PLACED, SESSION_LEFT, SESSION_UNPLACED, SESSION_STOPPED };

/*
 * Places the session of SERVICE that this process opens: SESSION_LEFT if it is no tenant's, or pam_systemd, which is TO_FOLLOW,
 * places it.
 */
enum session place_session(const struct destination *session, const char *service, bool to_follow, struct failure *f);

/* jailed.c: who must not run outside a jail, also while no policy is in force. Source: src/host/cgroups/launch-jailed.ts. */

/* The list of tenants below the root HOST. */
int open_jailed(int host, const char *instance);
/* Whether the account is in the list, by one of both: 1, 0 also if there is no list, or -1. */
int is_jailed(int host, const char *instance, const char *user, const char *uid);
/* Whether the site KEY is in the list of sites: the same. */
int is_site_jailed(int host, const char *instance, const char *key);

/* Fails if the account, or its site SITE, which may be NULL, is in these lists, or if that cannot be read. */
int check_never_jailed(const char *instance, const char *uid, const char *site, struct failure *f);

/* slots.c */

enum slot { SLOT_TAKEN, SLOT_FULL, SLOT_FAILED };

/* Takes one of the slots in /run/INSTANCE/entries/NAME for this process; ENTRIES becomes what its file says, if there is one. */
enum slot take_slot(const char *instance, const char *name, struct entries *entries, struct failure *f);
/* Tells the agent, if it listens, that a command was refused at the limit of MEMBER. */
void report_refusal(const char *instance, uid_t uid, const char *member, const char *site, const char *command);

/* entries.c */

/* Takes a slot for each limit that applies to this process: of its site, its tenant and the reseller. */
enum slot take_entries(const struct destination *to, struct failure *f);

/* choose.c */

struct choice {
	char key[KEY_MAX]; /* empty without a jail */
	char state[4096];
	struct jail jail; /* points into STATE */
	bool is_of_site;
};

/* The jail of SITE, which may be NULL, or else of the tenant. */
int choose_jail(const char *instance, uid_t uid, const char *site, struct choice *choice, struct failure *f);
int need_built(const struct jail *jail, struct failure *f);
/* Sets SITE to the site of UID with a jail of its own whose directory PATH is in, or to "". */
int find_jailed_site(const char *instance, const char *uid, const char *path, char *site, size_t size, struct failure *f);

/* jail.c */

#define FILTER_MAX 1024

/* What is loaded last, since it may refuse what has to be done before. */
struct confinement {
	struct sock_filter filter[FILTER_MAX + 1];
	unsigned short length; /* 0: there is none to load */
	int landlock;	       /* the rules, or -1 */
};

/* Enters the vault, where the namespaces of all jails are pinned. */
int enter_vault(const char *instance, struct failure *f);
/* From the vault: enters the jail KEY, and reads what confines its processes. */
int enter_jail(const char *instance, const char *key, const struct jail *jail, struct confinement *with, struct failure *f);
/* Descriptors that lead out of a jail: directories, and those that only stand for a file. */
int keep_descriptors_inside(struct failure *f);
int replace_standard(struct failure *f);
int confine(const struct confinement *with, struct failure *f);

/* copy.c: copies the file PATH, DIRECTORY/NAME at its end, to where the jail KEY has it at INSIDE; one process after another. */
int copy_inside(const char *instance, const char *key, const char *path, char *inside, size_t size, struct failure *f);

/* look.c: sees files as the tenant of whom only uid, gid and name are known, in the jail KEY if that is not empty. */
int look_as(struct account *account, const char *instance, const char *key, struct failure *f);

/* landlock.c */
int landlock_open(void);
int landlock_enforce(int rules);

/* notify.c: passes on to ADDRESS what this process will tell systemd; INSIDE becomes the address for it. */
int relay_notifications(const char *address, const char *instance, const char *key, uid_t uid, char *inside, size_t size,
			struct failure *f);

/* become.c */

/* Of programs that are setuid or have capabilities. */
enum gain {
	GAIN_NOTHING,
	GAIN_SETUID, /* what sendmail, su and ping need */
	GAIN_ALL,    /* whatever the caller leaves them */
	GAIN_LEASE,  /* as GAIN_SETUID, with CAP_LEASE, by which bpf/jail.bpf.c knows what an administrator starts */
};

/* The part of become() that comes before the uid changes: no program gets more than GAIN, nor the caller's keys. */
int limit_gain(enum gain gain, struct failure *f);
/* Gives up root, which every program that this thread starts has lost. */
int become(const struct account *account, enum gain gain, struct failure *f);
int drop_bounding_set(uint64_t kept, struct failure *f);

/* network.c */

/* Leaves the network of the host for one in which there is only the loopback device, and which counts as the tenant's. */
int own_network(uid_t uid, struct failure *f);

#endif
