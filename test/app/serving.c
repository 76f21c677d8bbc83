// SPDX-License-Identifier: Apache-2.0
/* Runs an application as the launcher does, without the tenant: serving NAME IDLE-SECONDS port|descriptor|tcp|private FILE|- COMMAND... */
#include "../../entry/serve.c"
#include "../../entry/variables.c"

int main(int argc, char **argv)
{
	struct environment e = { 0 };
	struct failure f = { "" };
	const char *const kept[] = { "HOME", "PATH", "USER" };
	struct service service = { 0 };

	if (argc < 6)
		end(2, "Five arguments are needed");
	service.name = argv[1];
	service.idle_seconds = (unsigned int)strtoul(argv[2], NULL, 10);
	service.takes_descriptor = !strcmp(argv[3], "descriptor");
	service.takes_tcp = !strcmp(argv[3], "tcp");
	service.is_private = !strcmp(argv[3], "private");
	if (service.takes_tcp && own_network(geteuid(), &f))
		end(1, "%s", f.text);
	service.environment = strcmp(argv[4], "-") ? argv[4] : NULL;
	if (keep_variables(&e, kept, 3, &f))
		end(1, "%s", f.text);
	serve(&service, argv + 5, &e);
}
