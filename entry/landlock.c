// SPDX-License-Identifier: Apache-2.0
/*
 * Landlock for a process in a jail: with what it starts, it opens files below the root of its jail and no others, looks
 * into processes of its own domain and no others, and connects to abstract sockets of its own domain and no others.
 *
 * Everything below the root is allowed: what may be done there the mounts say. Signals are not restricted, since a tenant
 * ends in one session what it began in another.
 *
 * Source: linux/landlock.h, of which old distributions have old versions.
 */
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_ADD_RULE 445
#define LANDLOCK_RESTRICT_SELF 446
#define LANDLOCK_VERSION 1
#define LANDLOCK_PATH_BENEATH 1
#define LANDLOCK_SCOPE_ABSTRACT_SOCKETS 1

/* Linux 5.19: with the first one no file can be renamed to another directory. */
#define LANDLOCK_ABI_MIN 2

struct landlock_handled {
	uint64_t files, network, scopes;
};

struct landlock_beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

/* All kinds of access to files that the kernel knows, of the sixteen known here. */
static uint64_t accesses(int abi)
{
	if (abi < 3)
		return 0x3fff;
	return abi < 5 ? 0x7fff : 0xffff; /* truncate, ioctl */
}

/* The rules for the jail that this process is in, or -1. */
int landlock_open(void)
{
	int abi = (int)syscall(LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION), root, rules, error;
	struct landlock_handled handled = { 0 };
	struct landlock_beneath beneath = { 0 };

	if (abi >= 0 && abi < LANDLOCK_ABI_MIN)
		errno = EOPNOTSUPP;
	if (abi < LANDLOCK_ABI_MIN)
		return -1;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	handled.files = beneath.allowed = accesses(abi);
	handled.scopes = abi < 6 ? 0 : LANDLOCK_SCOPE_ABSTRACT_SOCKETS;
	beneath.parent = root;
	rules = (int)syscall(LANDLOCK_CREATE_RULESET, &handled, sizeof(handled), 0);
	error = errno;
	if (rules >= 0 && syscall(LANDLOCK_ADD_RULE, rules, LANDLOCK_PATH_BENEATH, &beneath, 0)) {
		error = errno;
		(void)close(rules);
		rules = -1;
	}
	(void)close(root);
	errno = error;
	return rules;
}

/* This thread and its children, for good. */
int landlock_enforce(int rules)
{
	return (int)syscall(LANDLOCK_RESTRICT_SELF, rules, 0);
}
