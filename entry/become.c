// SPDX-License-Identifier: Apache-2.0
// Gives up root for good.
#define _GNU_SOURCE
#include "entry.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (UINT64_C(1) << (cap))

/*
 * Capabilities that sendmail, su and ping need: a setuid program that cannot do what it takes for granted, such as giving
 * up root, is worse than one that can. The others reach beyond the files and processes of the tenant: mounts, devices,
 * modules, the clock, other namespaces.
 */
static const uint64_t setuid_programs = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |
					BIT(CAP_KILL) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) |
					BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW) | BIT(CAP_SYS_CHROOT) |
					BIT(CAP_AUDIT_WRITE);

int drop_bounding_set(uint64_t kept, struct failure *f)
{
	for (unsigned long cap = 0;; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		/* No kernel has fewer than these. */
		if (has < 0 && errno == EINVAL && cap > CAP_AUDIT_READ)
			return 0;
		if (has < 0)
			return fail(f, "capabilities cannot be read: %s", strerror(errno));
		if (has && !(cap < 64 && (kept & BIT(cap))) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return fail(f, "capabilities cannot be dropped: %s", strerror(errno));
	}
}

/* Whatever secure bits the caller has set, no capability is left. */
static int drop_capabilities(struct failure *f)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data))
		return fail(f, "capabilities cannot be dropped: %s", strerror(errno));
	return 0;
}

/*
 * A new keyring in place of the session's, by which the caller's keys could be read, and those of the caller's account. It is
 * root's, since a tenant may have few keys, and many commands at once. Where a container refuses the call, as Docker does,
 * it refuses it to the command, too.
 */
static int leave_keyring(struct failure *f)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS || errno == EPERM)
		return 0;
	return fail(f, "the keyring of the session cannot be replaced: %s", strerror(errno));
}

static bool is_only(const struct account *account)
{
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) || getresgid(&gids[0], &gids[1], &gids[2]))
		return false;
	for (int each = 0; each < 3; each++)
		if (uids[each] != account->uid || gids[each] != account->gid)
			return false;
	return true;
}

int limit_gain(enum gain gain, struct failure *f)
{
	uint64_t kept = gain == GAIN_NOTHING ? 0 : setuid_programs;

	if (gain == GAIN_LEASE)
		kept |= BIT(CAP_LEASE);
	return (gain != GAIN_ALL && drop_bounding_set(kept, f)) || leave_keyring(f) ? -1 : 0;
}

int become(const struct account *account, enum gain gain, struct failure *f)
{
	if (limit_gain(gain, f))
		return -1;
	if (setgroups(account->group_count, account->groups))
		return fail(f, "groups cannot be set: %s", strerror(errno));
	if (setresgid(account->gid, account->gid, account->gid))
		return fail(f, "the gid cannot be set: %s", strerror(errno));
	if (setresuid(account->uid, account->uid, account->uid))
		return fail(f, "the uid cannot be set: %s", strerror(errno));
	if (drop_capabilities(f))
		return -1;
	if (!is_only(account))
		return fail(f, "the uid cannot be set");
	if (gain == GAIN_NOTHING && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(f, "new privileges cannot be ruled out: %s", strerror(errno));
	return 0;
}
