/**
 * Start-to-exit latency of a CGI program: by Debian's suexec alone, by bulkhead-suexec, and by it into a jail. Each caller is
 * the web server's account. Needs root, and Debian's packages, which are unpacked and not installed.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import type { Bench } from './bench.ts';
import { afterGap } from './exec.ts';
import { besideFirst, type Section } from './samples.ts';

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
    const ways = [
      way('suexec', 'bob', suexec),
      way('bulkhead-suexec', 'bob', stage.wrapper),
      way('bulkhead-suexec, jail', 'alice', stage.wrapper),
    ];
    return {
      name: 'suexec',
      title: 'a CGI program through suexec, start to exit',
      beside: 'suexec',
      rows: await besideFirst(ways, gapMs, quick ? 10 : 40, signal),
      notes: [],
    };
  } finally {
    stage.remove();
  }
}
