/** Pools and tenants for tests of their division. */
import { parseFpmSections } from '../../../src/web/core/fpm/dump.ts';
import { parseFpmFile } from '../../../src/web/core/fpm/file.ts';
import {
  splitPools,
  type PoolFile,
  type ServiceTenant,
  type Split,
  type SplitFacts,
} from '../../../src/web/core/fpm/service/split.ts';

export const alice: ServiceTenant = {
  uid: 1001,
  gid: 1001,
  user: 'alice',
  entries: 8,
  hasOwnGroup: true,
};

export const bob: ServiceTenant = { uid: 1002, gid: 100, user: 'bob', hasOwnGroup: false };

export const tenants = [alice, bob];

export const facts = (more: Partial<SplitFacts> = {}): SplitFacts => ({
  tenantOf: (user) => tenants.find((each) => each.user === user || String(each.uid) === user),
  isChosen: () => true,
  gidOf: (group) => ({ alice: 1001, users: 100, 'www-data': 33 })[group],
  unsafeFile: () => undefined,
  unsafeDirectory: () => undefined,
  isPinned: () => false,
  siteOf: () => undefined,
  ...more,
});

export const file = (path: string, text: string, isPublic = true): PoolFile => ({
  ...parseFpmFile(text),
  path: `/pools/${path}`,
  text,
  isPublic,
});

/** Parses sections from a text in the format of `php-fpm -tt`. */
export const dump = (text: string) =>
  parseFpmSections(
    text
      .split('\n')
      .map((line) => `[NOTICE] ${line.startsWith('[') ? line : `\t${line}`}`)
      .join('\n'),
  );

export const pool = (name: string, user: string, more = '') =>
  `[${name}]\nuser = ${user}\nlisten = /run/php/${name}.sock\npm = dynamic\n${more}`;

/** Each file has the pools that its text says. */
export const split = (files: readonly PoolFile[], more: Partial<SplitFacts> = {}): Split =>
  splitPools(dump(files.map(({ text }) => text).join('')), files, facts(more));
