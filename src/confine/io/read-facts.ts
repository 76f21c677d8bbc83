/** Reads the facts about a host and a running service that its sandbox depends on. */
import { existsSync, globSync, statSync } from 'node:fs';
import { printable } from '../../../packages/base/printable.ts';
import { peopleOf } from '../../host/accounts/people.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { linkAt, namesIn, readText } from '../../../packages/base/io/read.ts';
import type { ServiceFacts } from '../core/line.ts';
import { homeDirectories } from './homes.ts';

export interface Asked {
  readonly paths: Paths;
  readonly policy: Policy | undefined;
  /** The version of systemd. */
  readonly version: number;
}

/** Reads the facts; `mainPid` is the service's, 0 if it does not run. */
export function readServiceFacts({ paths, policy, version }: Asked, mainPid: number): ServiceFacts {
  const { etc, proc, state } = paths;
  return {
    version,
    homes: homeDirectories(peopleOf(policy, paths)),
    written: mainPid > 0 ? writtenFiles(`${proc}/${mainPid}`) : [],
    mailer: installedMailer(),
    apache: { user: apacheUser(etc), modules: apacheModules(etc) },
    nginxModules: namesIn(`${etc}/nginx/modules-enabled`),
    chrootPools: globSync(`${etc}/php/*/fpm/pool.d/*.conf`).some((path) =>
      /^[ \t]*chroot[ \t]*=[ \t]*[^\s;]/m.test(readText(path) ?? ''),
    ),
    sieve: existsSync('/usr/lib/dovecot/modules/lib90_sieve_plugin.so'),
    ownDirectories: [state],
  };
}

function installedMailer(): ServiceFacts['mailer'] {
  if (existsSync('/usr/sbin/exim4')) return 'exim4';
  return existsSync('/usr/sbin/postdrop') ? 'postfix' : undefined;
}

function apacheUser(etc: string): string {
  const text = readText(`${etc}/apache2/envvars`) ?? '';
  return /^export APACHE_RUN_USER=([a-z_][\w-]*)$/m.exec(text)?.[1] ?? 'www-data';
}

const apacheModules = (etc: string): ReadonlySet<string> =>
  new Set(
    namesIn(`${etc}/apache2/mods-enabled`).flatMap((name) =>
      name.endsWith('.load') ? [name.slice(0, -'.load'.length)] : [],
    ),
  );

const filesMax = 100_000;
const accessMode = 0o3;

/** Returns the regular files that the process itself, as root or its own user, has open for writing. */
function writtenFiles(process: string): readonly string[] {
  const found = new Set<string>();
  for (const fd of namesIn(`${process}/fd`).slice(0, filesMax)) {
    const path = linkAt(`${process}/fd/${fd}`);
    if (!path.startsWith('/') || path.endsWith(' (deleted)') || printable(path) !== path) continue;
    const flags = /^flags:\s+([0-7]+)$/m.exec(readText(`${process}/fdinfo/${fd}`) ?? '')?.[1];
    if (flags === undefined || (parseInt(flags, 8) & accessMode) === 0) continue;
    if (statSync(`${process}/fd/${fd}`, { throwIfNoEntry: false })?.isFile() === true)
      found.add(path);
  }
  return [...found].toSorted();
}
