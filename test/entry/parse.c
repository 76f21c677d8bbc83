// SPDX-License-Identifier: Apache-2.0
// The parsers of entry/parse.c, with every file cut off at every byte. Prints each case that is wrong.
#include "../../entry/entry.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed;

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			(void)printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);       \
			failed = 1;                                                        \
		}                                                                          \
	} while (0)

/* A copy without a byte to spare, so that a sanitizer sees what reads past the end. */
static char *copy(const char *text, size_t length)
{
	char *made = malloc(length + 1);

	if (!made)
		exit(2);
	memcpy(made, text, length);
	made[length] = '\0';
	return made;
}

static const char launch_text[] = "launch 1\njoin tasks\nslices /sys/fs/cgroup/user.slice\nroot /sys/fs/cgroup/cpu/bulkhead\n"
				  "root /sys/fs/cgroup/memory/bulkhead\nend\n";
static const char jail_text[] = "jail 1\nprofile web\nstate ready\nfilter yes\nlandlock no\ncommands sendmail\n"
				"home /home/alice/shop\nprint 8f0c\nend\n";

static int launch_of(const char *text, struct launch *launch, char **kept)
{
	struct failure why = { "" };

	*kept = copy(text, strlen(text));
	return parse_launch(*kept, launch, &why);
}

static void check_launch(void)
{
	static const char *const wrong[] = {
		"",
		"end\n",
		"\nend\n",
		"launch 1\nend\n",
		"launch 2\njoin tasks\nroot /sys/fs/cgroup/x\nend\n",
		"launch 11\njoin tasks\nroot /sys/fs/cgroup/x\nend\n",
		"jail 1\njoin tasks\nroot /sys/fs/cgroup/x\nend\n",
		"launch 1\nroot /sys/fs/cgroup/x\nend\n",
		"launch 1\njoin tasks\nend\n",
		"launch 1\njoin task\nroot /sys/fs/cgroup/x\nend\n",
		"launch 1\njoin tasks\nroot /tmp\nend\n",
		"launch 1\njoin tasks\nroot /sys/fs/cgroup/../../tmp\nend\n",
		"launch 1\njoin tasks\nslices /tmp\nroot /sys/fs/cgroup/x\nend\n",
		"launch 1\njoin tasks\nroot /sys/fs/cgroup/x\nbranch y\nend\n",
		"launch 1\njoin tasks\nroot /sys/fs/cgroup/x\nend\n\nend\nx",
	};
	struct launch launch;
	char *kept;

	CHECK(!launch_of(launch_text, &launch, &kept));
	CHECK(launch.by_tasks && launch.count == 2 && !strcmp(launch.slices, "/sys/fs/cgroup/user.slice"));
	CHECK(!strcmp(launch.roots[1], "/sys/fs/cgroup/memory/bulkhead"));
	free(kept);
	for (size_t each = 0; each < sizeof(wrong) / sizeof(wrong[0]); each++) {
		CHECK(launch_of(wrong[each], &launch, &kept));
		free(kept);
	}
	for (size_t length = 0; length < strlen(launch_text); length++) {
		struct failure why = { "" };
		char *cut = copy(launch_text, length);

		CHECK(parse_launch(cut, &launch, &why) && why.text[0]);
		free(cut);
	}
}

static void check_many_roots(void)
{
	char text[4096] = "launch 1\njoin cgroup.procs\n";
	struct launch launch;
	char *kept;

	for (int each = 0; each <= ROOTS_MAX; each++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "root /sys/fs/cgroup/h%d\n", each);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "end\n");
	CHECK(launch_of(text, &launch, &kept));
	free(kept);
}

static char *copied(const char *text)
{
	return copy(text, strlen(text));
}

static void check_jail(void)
{
	/* Without a line, processes could get less than they should. */
	static const char *const wrong[] = {
		"jail 1\nstate ready\nfilter yes\nlandlock maybe\nend\n",
		"jail 1\nstate ready\nfilter yes\nend\n",
		"jail 1\nstate ready\nlandlock yes\nend\n",
	};
	struct failure why = { "" };
	struct jail jail;
	char *text = copy(jail_text, strlen(jail_text));

	CHECK(!parse_jail(text, &jail, &why));
	CHECK(jail.state == JAIL_READY && jail.filter && !jail.landlock && !strcmp(jail.home, "/home/alice/shop"));
	free(text);
	for (size_t length = 0; length < strlen(jail_text); length++) {
		char *cut = copy(jail_text, length);

		why.text[0] = '\0';
		CHECK(parse_jail(cut, &jail, &why) && why.text[0]);
		free(cut);
	}
	text = copied("jail 1\nfilter no\nlandlock no\nstate failed the home is a link\nend\n");
	CHECK(!parse_jail(text, &jail, &why) && jail.state == JAIL_FAILED && !strcmp(jail.why, "the home is a link"));
	free(text);
	text = copied("jail 1\nfilter no\nlandlock no\nstate ready2\nend\n");
	CHECK(!parse_jail(text, &jail, &why) && jail.state == JAIL_WAITING);
	free(text);
	for (size_t each = 0; each < sizeof(wrong) / sizeof(wrong[0]); each++) {
		text = copied(wrong[each]);
		CHECK(parse_jail(text, &jail, &why));
		free(text);
	}
}

static const char entries_text[] = "entries 1\nlimit 20\nreseller 1000\nend\n";

static void check_entries(void)
{
	static const char *const wrong[] = {
		"20\n",
		"entries 1\nend\n",
		"entries 2\nlimit 20\nend\n",
		"launch 1\nlimit 20\nend\n",
		"entries 1\nlimit 0\nend\n",
		"entries 1\nlimit -1\nend\n",
		"entries 1\nlimit 1 1\nend\n",
		"entries 1\nlimit 1000000000\nend\n",
		"entries 1\nlimit 20\nreseller ../1\nend\n",
		"entries 1\nlimit 20\nreseller 4294967295\nend\n",
		"entries 1\nlimits 20\nend\n",
	};
	struct failure why = { "" };
	struct entries entries;
	char *text = copied(entries_text);

	CHECK(!parse_entries(text, &entries, &why) && entries.limit == 20 && entries.reseller == 1000);
	free(text);
	text = copied("entries 1\nlimit 999999999\nend\n");
	CHECK(!parse_entries(text, &entries, &why) && entries.limit == 999999999 && entries.reseller == 0);
	free(text);
	text = copied("entries 1\nreseller 4294967294\nend\n");
	CHECK(!parse_entries(text, &entries, &why) && entries.limit == 0 && entries.reseller == 4294967294U);
	free(text);
	for (size_t each = 0; each < sizeof(wrong) / sizeof(wrong[0]); each++) {
		why.text[0] = '\0';
		text = copied(wrong[each]);
		CHECK(parse_entries(text, &entries, &why) && why.text[0]);
		free(text);
	}
	for (size_t length = 0; length < strlen(entries_text); length++) {
		why.text[0] = '\0';
		text = copy(entries_text, length);
		CHECK(parse_entries(text, &entries, &why) && why.text[0]);
		free(text);
	}
}

static const char settings_text[] = "suexec 1\ninstance bulkhead\ncaller 33\nprogram /usr/lib/apache2/suexec-pristine\nend\n";

static void check_settings(void)
{
	static const char *const wrong[] = {
		"suexec 1\nend\n",
		"suexec 2\ninstance bulkhead\ncaller 33\nprogram /x\nend\n",
		"suexec 1\ncaller 33\nprogram /x\nend\n",
		"suexec 1\ninstance bulkhead\nprogram /x\nend\n",
		"suexec 1\ninstance bulkhead\ncaller 33\nend\n",
		"suexec 1\ninstance bulkhead\ncaller 0\nprogram /x\nend\n",
		"suexec 1\ninstance bulkhead\ncaller 4294967295\nprogram /x\nend\n",
		"suexec 1\ninstance bulkhead\ncaller www-data\nprogram /x\nend\n",
		"suexec 1\ninstance ../x\ncaller 33\nprogram /x\nend\n",
		"suexec 1\ninstance bulkhead\ncaller 33\nprogram x\nend\n",
		"suexec 1\ninstance bulkhead\ncaller 33\nprogram /x\nmore\nend\n",
	};
	struct failure why = { "" };
	struct settings settings;
	char *text = copied(settings_text);

	CHECK(!parse_settings(text, &settings, &why) && settings.caller == 33 && !strcmp(settings.instance, "bulkhead") &&
	      !strcmp(settings.program, "/usr/lib/apache2/suexec-pristine"));
	free(text);
	for (size_t each = 0; each < sizeof(wrong) / sizeof(wrong[0]); each++) {
		why.text[0] = '\0';
		text = copied(wrong[each]);
		CHECK(parse_settings(text, &settings, &why) && why.text[0]);
		free(text);
	}
	for (size_t length = 0; length < strlen(settings_text); length++) {
		why.text[0] = '\0';
		text = copy(settings_text, length);
		CHECK(parse_settings(text, &settings, &why) && why.text[0]);
		free(text);
	}
}

static void check_numbers(void)
{
	unsigned long long number;

	CHECK(parse_number("1", '\0', 9, &number) && number == 1);
	CHECK(parse_number("4294967294\n", '\n', 4294967294ULL, &number) && number == 4294967294ULL);
	CHECK(!parse_number("4294967295", '\0', 4294967294ULL, &number));
	CHECK(parse_number("18446744073709551615", '\0', ULLONG_MAX, &number) && number == ULLONG_MAX);
	CHECK(!parse_number("18446744073709551616", '\0', ULLONG_MAX, &number));
	CHECK(!parse_number("99999999999999999999999", '\0', ULLONG_MAX, &number));
	CHECK(!parse_number("", '\0', 9, &number) && !parse_number("0", '\0', 9, &number));
	CHECK(!parse_number("-1", '\0', 9, &number) && !parse_number("+1", '\0', 9, &number));
	CHECK(!parse_number("01", '\0', 9, &number) && !parse_number("1 ", '\0', 9, &number));
	CHECK(!parse_number("7", '\0', 5, &number));
}

static void check_holders(void)
{
	static const char *const wrong[] = { "", "1", "1\n", "x y\n", "-1 1\n", "0 0\n", "1 2", "1 2 3\n", "1 2 hangs", "1  2\n" };
	struct holder holder;

	CHECK(parse_holder("12 345\n", &holder) && holder.pid == 12 && holder.start == 345 && !holder.hangs);
	CHECK(parse_holder("12 345 hangs\n", &holder) && holder.hangs);
	for (size_t each = 0; each < sizeof(wrong) / sizeof(wrong[0]); each++)
		CHECK(!parse_holder(wrong[each], &holder));
}

static void check_stats(void)
{
	struct holder holder;
#define FIELDS " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 "

	CHECK(parse_stat("12 (sh) S" FIELDS "1 0 345 6 7\n", &holder) && holder.pid == 12 && holder.start == 345);
	CHECK(parse_stat("12 () Z 0) S" FIELDS "1 0 345 6 7\n", &holder) && holder.start == 345);
	CHECK(parse_stat("12 (a\nb) R" FIELDS "2 0 345 6 7\n", &holder) && holder.start == 345);
	CHECK(!parse_stat("12 (sh) Z" FIELDS "1 0 345 6 7\n", &holder));
	CHECK(parse_stat("12 (sh) Z" FIELDS "2 0 345 6 7\n", &holder));
	CHECK(!parse_stat("12 (sh) S 1 1\n", &holder) && !parse_stat("", &holder) && !parse_stat("12", &holder));
}

static void check_names(void)
{
	char escaped[16];

	CHECK(is_instance("bulkhead") && is_instance("a-2"));
	CHECK(!is_instance("") && !is_instance("-a") && !is_instance("2a") && !is_instance("../x") && !is_instance("A"));
	CHECK(is_site("shop.example") && !is_site("") && !is_site("a/b") && !is_site("..") && !is_site("Shop"));
	CHECK(check_variable("LISTEN_FDS") == 1 && check_variable("PATH") == -1 && check_variable("HOME") == -1);
	CHECK(!check_variable("") && !check_variable("1A") && !check_variable("A=B") && !check_variable("A;id"));
	CHECK(is_account_name("alice") && is_account_name("a.b_c-d$") && is_account_name("1001"));
	CHECK(!is_account_name("") && !is_account_name("-x") && !is_account_name(" a") && !is_account_name("a:b"));
	CHECK(!is_account_name("a/b") && !is_account_name("a\nb") && !is_account_name("a\033b"));
	CHECK(escape_dashes("a-b", escaped, sizeof(escaped)) && !strcmp(escaped, "a\\x2db"));
	CHECK(escape_dashes("", escaped, sizeof(escaped)) && !escaped[0]);
	CHECK(!escape_dashes("----", escaped, sizeof(escaped)));
}

static void check_failures(void)
{
	struct failure why = { "" };

	CHECK(fail(&why, "a%s", "\033b\n") == -1 && !strcmp(why.text, "a?b?"));
	CHECK(fail(&why, "later") == -1 && !strcmp(why.text, "a?b?"));
}

int main(void)
{
	check_launch();
	check_many_roots();
	check_jail();
	check_entries();
	check_settings();
	check_numbers();
	check_holders();
	check_stats();
	check_names();
	check_failures();
	return failed;
}
