/**
 * The time that the login step adds to a session of su, start to exit, after an idle gap as on a
 * server. Only the processes of this benchmark see its PAM files. The cgroups are a scratch
 * instance's, for the account "nobody".
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePam } from '../scripts/entry.ts';
import { profilesOf, sessionLines, type PamStep } from '../src/pam/core/profiles.ts';
import { sleepSync } from '../src/sys/sleep.ts';
import type { Bench } from './bench.ts';
import { afterGap, launchText, rootsOf } from './exec.ts';
import { besideFirst, type Row, type Section, type Way } from './samples.ts';

const gaps = [60, 0] as const;
const tenant = 'nobody';

export async function benchLogin({ directory, quick, signal }: Bench): Promise<Section> {
  const instance = `bulkhead-logintest-bench-${process.pid}`;
  const runtime = `/run/${instance}`;
  const roots = rootsOf(instance);
  const uid = execFileSync('id', ['-u', tenant], { encoding: 'utf8' }).trim();
  try {
    for (const root of roots) mkdirSync(`${root}/u${uid}`, { recursive: true });
    mkdirSync(runtime);
    writeFileSync(`${runtime}/launch`, launchText(roots));
    const harness = join(directory, 'login-harness');
    execFileSync('gcc', ['-O2', '-o', harness, new URL('harness.c', import.meta.url).pathname]);
    const step = { module: compilePam(), instance };
    const without = pamFiles(join(directory, 'without'), []);
    const withStep = pamFiles(join(directory, 'with'), linesOf(step));
    const missing = pamFiles(
      join(directory, 'missing'),
      linesOf({ ...step, module: '/usr/lib/missing/pam_bulkhead.so' }),
    );
    const rows: Row[] = [];
    for (const gap of gaps) {
      const way = (files: string, user: string) => session(harness, gap, files, user);
      const ways: readonly (readonly [label: string, way: Way])[] = [
        ['without the step', way(without, tenant)],
        ['not a tenant', way(withStep, 'daemon')],
        ['tenant, placed', way(withStep, tenant)],
        ['tenant, module missing', way(missing, tenant)],
      ];
      rows.push(...(await besideFirst(ways, gap, quick ? 10 : 60, signal)));
    }
    return {
      name: 'login',
      title: `su ${tenant} -c true, start to exit`,
      beside: 'without',
      rows,
      notes: [`${roots.length} hierarchies`],
    };
  } finally {
    rmSync(runtime, { recursive: true, force: true });
    for (const path of roots.flatMap((root) => [`${root}/u${uid}`, root])) removeCgroup(path);
  }
}

/** Removes a cgroup; its last process may still be exiting. */
function removeCgroup(path: string): void {
  for (let left = 50; left > 0; left--) {
    try {
      return rmdirSync(path);
    } catch {
      sleepSync(20);
    }
  }
}

const linesOf = (step: PamStep) => profilesOf(step, false).flatMap(sessionLines);

function pamFiles(directory: string, lines: readonly string[]): string {
  mkdirSync(directory);
  const text = [
    'auth sufficient pam_rootok.so',
    'account required pam_permit.so',
    'session required pam_unix.so',
    ...lines,
    '',
  ].join('\n');
  writeFileSync(join(directory, 'su'), text);
  return directory;
}

function session(harness: string, gap: number, files: string, user: string): Way {
  const script = `mount --bind '${files}' /etc/pam.d && exec "$@"`;
  const around = ['unshare', '-m', 'sh', '-c', script, 'sh'];
  return afterGap(harness, gap, ['su', '-s', '/bin/true', user], around);
}
