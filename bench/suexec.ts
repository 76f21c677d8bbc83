/**
 * Start-to-exit latency of a CGI program: by Debian's suexec alone, by the least program that joins the tenant's cgroups
 * before, by bulkhead-suexec, and by it into a jail. Each caller is the web server's account. Needs root, and Debian's
 * packages, which are unpacked and not installed.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { findTree } from '../test/cli/launch-stage.ts';
import type { Bench } from './bench.ts';
import { afterGap } from './exec.ts';
import { besideFirst, type Row, type Section } from './samples.ts';

const gapMs = 60;
const suexec = '/usr/lib/apache2/suexec-custom';

export async function benchSuexec({ quick, signal }: Bench): Promise<Section> {
  const { SuexecStage, skip, server } = await import('../test/web/suexec/stage.ts');
  if (skip !== false) throw new Error(skip);
  const stage = new SuexecStage('bench');
  try {
    stage.prepare();
    stage.mustApply('<entries limit="20"/>', '<entries limit="20"/>');
    stage.installWrapper(suexec);
    const harness = `${stage.homes}/harness`;
    const source = new URL('harness.c', import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-o', harness, source]);
    chmodSync(harness, 0o755);
    const way = (label: string, tenant: 'alice' | 'bob', program: string) => {
      stage.write(tenant, 'true.cgi', readFileSync('/usr/bin/true'));
      const around = stage.inside(
        'setpriv',
        `--reuid=${server}`,
        `--regid=${server}`,
        '--clear-groups',
        'env',
        `--chdir=${stage.directoryOf(tenant)}`,
      );
      const words = [program, `${stage.uids[tenant]}`, `${stage.gids[tenant]}`, 'true.cgi'];
      return [label, afterGap(harness, gapMs, words, around)] as const;
    };
    const floor = `${dirname(stage.wrapper)}/floor`;
    const { join, roots } = findTree(stage.instance);
    const files = roots.map((root) => `${root}/u${stage.uids.bob}/${join}`);
    stage.installSetuid(compileFloor(stage.homes, files), floor);
    const ways = [
      way('suexec', 'bob', suexec),
      way('joining the cgroups, suexec', 'bob', floor),
      way('bulkhead-suexec', 'bob', stage.wrapper),
      way('bulkhead-suexec, jail', 'alice', stage.wrapper),
    ];
    const rows = await besideFirst(ways, gapMs, quick ? 10 : 40, signal);
    return {
      name: 'suexec',
      title: 'a CGI program through suexec, start to exit',
      beside: 'suexec',
      rows,
      notes: shares(rows, files.length),
    };
  } finally {
    stage.remove();
  }
}

function compileFloor(directory: string, files: readonly string[]): string {
  const made = `${directory}/suexec-floor`;
  const source = new URL('suexec-floor.c', import.meta.url).pathname;
  const names = files.map((each) => JSON.stringify(each)).join(', ');
  const defined = [`-DSUEXEC=${JSON.stringify(suexec)}`, `-DFILES=${names}`];
  execFileSync('gcc', ['-O2', '-static', ...defined, '-o', made, source]);
  return made;
}

/** Shows how much of the wrapper's time even the least program takes. */
function shares(rows: readonly Row[], moves: number): readonly string[] {
  const [alone = NaN, floor = NaN, wrapper = NaN] = rows.map(({ ours }) => ours.p50);
  const [all, least] = [wrapper - alone, floor - alone].map((each) => each.toFixed(2));
  return [
    `The wrapper takes ${all} ms more than suexec; ${least} ms are one more start of a program and ${moves} moves between cgroups.`,
  ];
}
