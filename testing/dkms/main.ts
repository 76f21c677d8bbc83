/**
 * The trial behind the figures of docs/modules.md: `node testing/dkms/main.ts [--no-rebuild] [PACKAGE…]`; all of
 * Debian's DKMS packages if none is named. Takes hours; fetched and built files are kept in ~/.cache/bulkhead/dkms.
 */
import { formatCause, type Cause } from '../../packages/base/problem.ts';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ScanReport } from '../../packages/modules/core/reports/report.ts';
import { ensurePrerequisites } from '../prerequisites.ts';
import { buildByDkms } from './build.ts';
import { DkmsPackages } from './packages.ts';
import { questions, tryPackage, verdictOn, type TrialResponse } from './trial.ts';

const log = (line: string) => process.stdout.write(`${line}\n`);

function need<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Cause },
): T {
  if (result.ok) return result.value;
  log(`Cannot run the trial: ${formatCause(result.error)}`);
  process.exit(1);
}

const ready = await ensurePrerequisites('modules', log);
if (!ready.ok) need({ ok: false, error: { reason: ready.reason } });
const rebuilds = !process.argv.includes('--no-rebuild');
const named = process.argv.slice(2).filter((each) => !each.startsWith('-'));
const packages = need(await DkmsPackages.open());
const build = need(await packages.headers());
const dkms = need(await packages.dkms());
const answers: TrialResponse[] = [];
const roots: string[] = [];

for (const name of named.length > 0 ? named : await packages.names()) {
  const [version = '', older] = await packages.versions(name);
  const source = await packages.source(name, version);
  if (!source.ok) {
    log(`${name}: left out: ${source.error.reason}`);
    continue;
  }
  const built = packages.builtDirectory(source.value, build.release);
  const made = existsSync(built)
    ? { ok: true as const }
    : await buildByDkms(source.value, build, dkms, built);
  if (!made.ok) {
    log(`${name}: does not build: ${made.error.reason}`);
    rmSync(built, { recursive: true, force: true });
    continue;
  }
  const other = older === undefined ? undefined : await packages.source(name, older);
  const found = await tryPackage({
    source: source.value,
    other: other?.ok === true ? other.value : undefined,
    built,
    build,
    rebuildsMax: rebuilds ? 1 : 0,
  });
  answers.push(...found);
  roots.push(built);
  for (const each of found) {
    const hasNone = each.why.includes('has no srcversion');
    if (verdictOn(each) !== 'right' && !hasNone)
      log(`${name}: ${each.module}: ${each.question}: ${each.outcome}: ${each.why}`);
  }
  log(`${name} ${version}: ${new Set(found.map((each) => each.module)).size} modules`);
}

log('');
log(`| ${'offered'.padEnd(30)} | right | wrong |   undecided |`);
log(`| ${'-'.repeat(30)} | ----: | ----: | ----------: |`);
for (const question of questions) {
  const asked = answers.filter((each) => each.question === question);
  const count = (verdict: string, width: number) =>
    String(asked.filter((each) => verdictOn(each) === verdict).length).padStart(width);
  const counts = [count('right', 5), count('wrong', 5), count('undecided', 11)];
  log(`| ${[question.padEnd(30), ...counts].join(' | ')} |`);
}
scan(roots);

/** Reports the result of `scan --deep` for all built modules. */
function scan(directories: readonly string[]): void {
  const program = join(import.meta.dirname, '../../bulkhead');
  const headers = build.mounts[0]!.from;
  const argv = [
    'modules',
    'scan',
    '--deep',
    '--json',
    '--no-cache',
    '--kernel',
    headers,
    ...directories,
  ];
  const run = spawnSync(program, argv, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (!run.stdout.startsWith('{')) {
    log(`Cannot scan what was built: ${run.stderr.trim()}`);
    return;
  }
  const { modules } = JSON.parse(run.stdout) as ScanReport;
  const contradicted = modules.filter((each) => each.trustLevel === 'contradicted');
  log(`\n${modules.length} modules scanned, ${contradicted.length} contradicted`);
  for (const { name, evidence } of contradicted) {
    const proofs = evidence.filter((each) => each.weight === 'proof');
    log(`  ${name}: ${proofs.map((each) => each.message).join('; ')}`);
  }
}
