/** The description of `<databases>` and the elements in it. */
import { optional, required, type ElementSpec } from '../elements/element-spec.ts';
import { accountRules, holdModes, serverKinds } from './databases-element.ts';

export const databaseElements: Readonly<Record<string, ElementSpec>> = {
  databases: {
    summary:
      'The database servers, and the tenants that their accounts belong to. Without it, servers are found at their usual places, and the names of accounts show whose they are; see docs/database.md.',
    attributes: {
      accounts: optional(
        accountRules,
        'Whether an account belongs to the tenant whose name it has, or begins with before an underscore, if neither <account> nor the panel says whose it is; default: prefix.',
      ),
      exempt: optional(
        'names',
        "Accounts that belong to no tenant, whatever their names. The servers' own, such as root, never do.",
      ),
      hold: optional(
        holdModes,
        'Whether the programs of a tenant above its database CPU limit are paused (on), or it is only reported (watch); default: watch. The other limits do not depend on it.',
      ),
    },
    children: ['server', 'account'],
    holdsLimits: false,
    repeats: false,
    example:
      '<databases exempt="backup" hold="on"><account name="wp_prod" tenant="alice"/></databases>',
  },
  server: {
    summary:
      'A database server that is not found by itself, or that needs credentials. The others are still found.',
    attributes: {
      kind: required(serverKinds, 'The kind of server.'),
      socket: required(
        'path',
        'The unix socket on which it listens. Those of PostgreSQL end with ".s.PGSQL." and the port.',
      ),
      credentials: optional(
        'path',
        'The file with the name and the password of the account to use, which only root may read; default: none, since the server knows the caller by its uid.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<server kind="mariadb" socket="/run/mysqld/mysqld.sock"/>',
  },
  account: {
    summary: 'An account of the database servers, and the tenant to which it belongs.',
    attributes: {
      name: required('databaseAccount', 'Its name, without the host.'),
      tenant: required('tenant', 'The tenant, by name or uid; "none": no tenant.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<account name="wp_prod" tenant="alice"/>',
  },
};
