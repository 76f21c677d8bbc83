/**
 * Asks the kernel to load files that are not modules: a listed one, one listed to be refused in
 * every mode, and one that is not listed. A file that the gate refuses fails with EPERM, one that
 * it lets pass fails later. The gate counts as "on" only after this test: some kernels accept the
 * programs and never run them.
 */
import { randomBytes, createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cause } from '../../../../packages/base/problem.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { privateDirectory } from '../../../../packages/base/io/private-directory.ts';
import type { GateMode } from '../../core/gate/gate-event.ts';
import { loadBytes, loadFile, moduleCalls, unpacksFiles } from './module-calls.ts';

export interface TestFiles extends Disposable {
  readonly listed: TestFile;
  readonly refused: TestFile;
  readonly unlisted: TestFile;
}

interface TestFile {
  readonly path: string;
  readonly sha256: string;
}

/** Makes files of this process with random content, removed afterwards. Throws Node's errors. */
export function makeTestFiles(): TestFiles {
  const directory = privateDirectory('/run');
  const file = (name: 'listed' | 'refused' | 'unlisted'): TestFile => {
    const path = join(directory.path, `gate-${name}`);
    const text = `not a module ${randomBytes(16).toString('hex')}\n`;
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
    return { path, sha256: createHash('sha256').update(text).digest('hex') };
  };
  const [listed, refused, unlisted] = [file('listed'), file('refused'), file('unlisted')];
  return { listed, refused, unlisted, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

/** Returns why it cannot be shown that the gate does what `mode` says; undefined if it can. */
export function gateSelfTestProblem(
  { listed, refused, unlisted }: TestFiles,
  mode: GateMode,
  sys: string,
): Cause | undefined {
  if (moduleCalls === undefined)
    return { reason: 'the system calls of this processor are not known' };
  const { init, finit } = moduleCalls;
  const isOn = mode === 'on';
  // The kernel rejects anything shorter than a header at once.
  const bytes = new Uint8Array(4096);
  const tries = [
    ['what the gate is told to refuse', true, () => loadFile(finit, refused.path, 'plain')],
    ['a compressed file', unpacksFiles(finit), () => loadFile(finit, refused.path, 'compressed')],
    ['a file that is not listed', isOn, () => loadFile(finit, unlisted.path, 'plain')],
    ['a module from memory', isOn, () => loadBytes(init, bytes)],
    ['a listed file', false, () => loadFile(finit, listed.path, 'plain')],
  ] as const;
  for (const [what, expected, load] of tries) {
    const isRefused = load() === 'EPERM';
    if (isRefused === expected) continue;
    if (!isRefused) return { reason: `the kernel does not refuse ${what}` };
    if (isLockedDown(sys)) continue;
    return { reason: `the kernel refuses ${what}${otherHash}` };
  }
  return undefined;
}

const otherHash = '; it may hash files otherwise than by SHA-256 ("ima_hash=" on its command line)';

/** Whether the kernel is locked down: it then refuses unsigned modules with EPERM itself. */
const isLockedDown = (sys: string): boolean =>
  /\[(integrity|confidentiality)\]/.test(readText(`${sys}/kernel/security/lockdown`) ?? '');
