/** Lines of sandboxes, for tests. */
import type { ServiceFacts } from '../../src/confine/core/line.ts';

export const facts: ServiceFacts = {
  version: 257,
  homes: ['/home'],
  written: [],
  mailer: undefined,
  apache: { user: 'www-data', modules: new Set() },
  nginxModules: [],
  chrootPools: false,
  sieve: false,
  ownDirectories: ['/var/lib/bulkhead'],
};
