/**
 * What php-fpm itself says of a configuration before anything is switched: a tenant's as the tenant and in its cgroup,
 * where it will run, and that of the rest. Both together must have every pool of before, with every value, once.
 */
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FpmSection } from '../../core/fpm/dump.ts';
import { originOfLine } from '../../core/fpm/service/config.ts';
import { emptyPoolName } from '../../core/fpm/service/main-file.ts';
import type { Service } from '../../core/fpm/service/split.ts';
import { configName, type Entry } from '../../core/fpm/service/units.ts';
import { dumpPools, placeText } from './inputs.ts';
import type { Layout } from './layout.ts';

/** In a directory that only root can write to, and the tenant can read in. Answers why it is not accepted. */
export async function checkService(
  { libexec, program }: Layout,
  service: Service,
  text: string,
  entry: Entry,
  scratch: string,
): Promise<string | undefined> {
  const { gid } = service.tenant;
  const path = `${scratch}/${configName(service)}`;
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  chownSync(path, 0, gid);
  chmodSync(path, 0o640);
  const { asRoot } = service;
  if (entry.isJailed && asRoot !== undefined)
    return `${asRoot}, for which its master has to be root, and in a jail that is not possible; remove it from the pool, or ${entry.isSiteJailed === true ? 'remove the <jail> of the site' : 'give the tenant <jail profile="none"/>'}`;
  const before = asRoot === undefined ? entering(entry, libexec, service) : [];
  const dumped = entry.isJailed
    ? await dumpPools(program, '/proc/self/fd/4', [...readingFrom(path), ...before, ...passingOn])
    : await dumpPools(program, path, before);
  if (dumped.ok) return samePools(service, dumped.value);
  const { line, message } = dumped.error;
  const origin = line === undefined ? poolNamed(message, service) : originOfLine(text, line);
  return placeText(origin === undefined ? { message } : { ...origin, message });
}

/** `[pool shop] the chdir path … does not exist`: where that pool begins. */
function poolNamed(
  message: string,
  { files }: Service,
): { file: string; line: number } | undefined {
  const pool = /^\[pool ([^\]]+)\]/.exec(message)?.[1];
  for (const { path, sections } of files) {
    const line = sections.find(({ name }) => name === pool)?.line;
    if (line !== undefined) return { file: path, line };
  }
  return undefined;
}

/** From a descriptor, since the file is not in the jail; php-fpm closes the first three. */
const readingFrom = (path: string) => [
  '/bin/sh',
  '-c',
  'path=$1; shift; exec "$@" 4<"$path"',
  'sh',
  path,
];

/** Landlock lets nobody open by its name in /proc what was opened outside, but a pipe that was made inside. */
const passingOn = ['/bin/sh', '-c', 'cat <&4 | "$@" 4<&0', 'sh'];

function entering(entry: Entry, libexec: string, { tenant, site }: Service): readonly string[] {
  const { uid, gid } = tenant;
  if (entry.kind === 'slice' && !entry.isJailed)
    return ['setpriv', '--reuid', `${uid}`, '--regid', `${gid}`, '--init-groups', '--'];
  const isInOwn = entry.kind === 'launcher' || entry.isSiteJailed === true;
  const where = site !== undefined && isInOwn ? ['--site', site] : [];
  const keep = entry.isJailed ? ['--keep-fds'] : [];
  const words = ['--instance', entry.instance, ...where, ...keep, '--allow-setuid', `${uid}`, '--'];
  return [`${libexec}/bulkhead-exec`, ...words];
}

function samePools({ pools }: Service, sections: readonly FpmSection[]): string | undefined {
  const expected = pools.map(({ name, section }) => section ?? name);
  return sectionsDiffer(sections, expected);
}

/** `text` names links that are made below `links`. */
export async function checkMain(
  { program }: Layout,
  text: string,
  links: ReadonlyMap<string, string>,
  expected: readonly FpmSection[],
  scratch: string,
): Promise<string | undefined> {
  for (const [path, target] of links) {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }
  const path = `${scratch}/php-fpm.conf`;
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  const dumped = await dumpPools(program, path);
  if (!dumped.ok) return placeText(dumped.error);
  return sectionsDiffer(dumped.value, [...expected, emptyPoolName]);
}

/** In the same order; of a pool of our own the name counts. */
function sectionsDiffer(
  got: readonly FpmSection[],
  expected: readonly (FpmSection | string)[],
): string | undefined {
  if (got.length !== expected.length)
    return `php-fpm finds ${got.length} pools in it where ${expected.length} were expected`;
  for (const [index, each] of expected.entries()) {
    const found = got[index];
    const same =
      typeof each === 'string'
        ? found?.name === each
        : JSON.stringify([found?.name, ...(found?.values ?? [])]) ===
          JSON.stringify([each.name, ...each.values]);
    if (!same)
      return `php-fpm understands the pool ${typeof each === 'string' ? each : each.name} in another way there`;
  }
  return undefined;
}
