/**
 * The time that entering the jail adds to a session, start to exit. A libpam program opens a
 * session, becomes the user, runs `true` and closes it. Needs root, gcc and libpam0g-dev.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compilePam } from '../scripts/entry.ts';
import { addJailed, jailedFile } from '../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../src/host/paths.ts';
import { buildElsewhere } from '../src/jail/io/build-elsewhere.ts';
import { jailProfile, profilesOf, sessionLines } from '../src/pam/core/profiles.ts';
import type { Bench } from './bench.ts';
import { afterGap } from './exec.ts';
import { besideFirst, type Row, type Section, type Way } from './samples.ts';

const instance = 'bulkhead-bench-login';
const paths = pathsOf(instance);
const home = `/srv/${instance}/home`;
const [user, uid] = ['nobody', 65_534] as const;
const gaps = [60, 0] as const;

export async function benchJailLogin({ directory, quick, signal }: Bench): Promise<Section> {
  await remove();
  try {
    await build();
    const compile = (source: string, ...args: readonly string[]) => {
      const program = join(directory, source.replace(/^.*\/|\.c$/g, ''));
      const file = fileURLToPath(new URL(source, import.meta.url));
      execFileSync('gcc', ['-O2', '-o', program, file, ...args]);
      return program;
    };
    const harness = compile('harness.c');
    const session = compile('../test/jail/session.c', '-rdynamic', '-pthread', '-lpam');
    const without = configuration(join(directory, 'jail-without'), []);
    const entering = configuration(
      join(directory, 'jail-entering'),
      jailLines(compilePam(directory)),
    );
    const rows: Row[] = [];
    for (const gap of gaps) {
      const way = (files: string, who: string): Way =>
        afterGap(harness, gap, [session, files, 'login', who, '/bin/true']);
      const ways: readonly (readonly [label: string, way: Way])[] = [
        ['without the module', way(without, user)],
        ['nobody with a jail', way(entering, 'games')],
        ['in the jail', way(entering, user)],
      ];
      rows.push(...(await besideFirst(ways, gap, quick ? 20 : 200, signal)));
    }
    return {
      name: 'jail-login',
      title: 'A session of PAM that runs true, start to exit',
      beside: 'without',
      rows,
      notes: [],
    };
  } finally {
    await remove();
  }
}

async function build(): Promise<void> {
  mkdirSync(home, { recursive: true, mode: 0o755 });
  chownSync(home, uid, uid);
  const account = { user, uid, gid: uid, home };
  const tenants = [{ uid, account, jail: { profile: 'web', paths: [] } }] as const;
  addJailed(paths, [account]);
  const built = await buildElsewhere({ kind: 'build', instance, databases: [], tenants });
  const problem = built.ok ? built.value.problems[0] : built.error;
  if (problem !== undefined) throw new Error(problem.reason);
}

async function remove(): Promise<void> {
  await buildElsewhere({ kind: 'release', instance });
  for (const path of [paths.runtime, paths.state, `/srv/${instance}`]) {
    rmSync(path, { recursive: true, force: true });
  }
}

function jailLines(module: string): readonly string[] {
  const step = { module, instance, jailed: jailedFile(paths.state) };
  return profilesOf(step, false)
    .filter(({ name }) => name === jailProfile)
    .flatMap(sessionLines);
}

function configuration(directory: string, lines: readonly string[]): string {
  mkdirSync(directory);
  const text = ['session required pam_permit.so', ...lines, ''].join('\n');
  for (const name of ['login', 'other']) writeFileSync(join(directory, name), text);
  return directory;
}
