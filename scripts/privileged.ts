/**
 * Checks what runs as root and is not TypeScript: shell scripts, Perl programs, C, and the structures that BPF programs
 * share: `node scripts/privileged.ts`. Prints what is wrong, and exits with 1 if anything is.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempDisposableSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { tmpdir } from 'node:os';
import type { CStruct } from '../packages/base/c-struct.ts';
import { threadStruct, userStruct } from '../src/database/core/peers/peer-maps.ts';
import { refusalStruct } from '../src/jail/core/refusal.ts';
import { gateEventStruct } from '../src/modules/core/gate/gate-event.ts';
import { networkEventStruct } from '../src/network/core/maps/refusal-event.ts';
import { usageStruct } from '../src/network/core/maps/usage-value.ts';
import { strictEventStruct } from '../src/placement/core/strict-event.ts';
import { refusedLinkStruct } from '../src/symlinks/core/guard/refused-link.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { compileBpf } from './bpf.ts';
import { root } from './steps.ts';

/** Structures of bpf/NAME.bpf.c, as TypeScript reads them. */
const structures: Readonly<Record<string, Readonly<Record<string, CStruct<string>>>>> = {
  database: { thread: threadStruct, user: userStruct },
  jail: { event: refusalStruct },
  modules: { event: gateEventStruct },
  network: { event: networkEventStruct, usage: usageStruct },
  symlinks: { event: refusedLinkStruct },
  placement: { event: strictEventStruct },
};

const scripts = globSync(
  '{bulkhead,.ci/run,scripts/with-node,scripts/package/{deb,rpm}/*,libexec/*,packaging/image/mkosi.finalize.chroot,packaging/image/mkosi.extra/etc/update-motd.d/*,test/**/*.pl}',
  {
    cwd: root,
    withFileTypes: true,
  },
)
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));
const written = (language: RegExp) =>
  scripts.filter((file) => language.test(readFileSync(file, 'utf8').split('\n', 1)[0]!));

let failed = false;

function check(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
  });
  if (status === 0) return stdout;
  failed = true;
  process.stderr.write(
    `${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? error?.message}\n`,
  );
  return '';
}

/** The fields of a structure as pahole prints them, with those of structures inside: `link.owner 68 4`. */
function compiledFields(object: string, structure: string): readonly string[] {
  const lines = check('pahole', '--expand_types', '--class_name', structure, object).split('\n');
  const fields: string[] = [];
  let inside: string[] = [];
  for (const line of lines) {
    const [, name, offset, size] = /(\w+)(?:\[\d+\])*; +\/\* +(\d+) +(\d+) \*\//.exec(line) ?? [];
    if (/^\t+struct .*\{$/.test(line)) inside = [];
    else if (name === undefined) continue;
    else if (line.startsWith('\t}')) {
      fields.push(...inside.map((each) => `${name}.${each}`));
      inside = [];
    } else (line.startsWith('\t\t') ? inside : fields).push(`${name} ${offset} ${size}`);
  }
  return fields;
}

function compareStructures(): void {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'bulkhead-privileged-'));
  for (const object of compileBpf(directory.path)) {
    const name = basename(object, '.bpf.o');
    for (const [structure, { fields }] of Object.entries(structures[name] ?? {})) {
      const compiled = compiledFields(object, structure).join('\n');
      const read = [...fields].map(([field, { offset, size }]) => `${field} ${offset} ${size}`);
      if (compiled === read.join('\n')) continue;
      failed = true;
      process.stderr.write(
        `struct ${structure} of bpf/${name}.bpf.c is (name, offset, size)\n${compiled}\nand TypeScript reads\n${read.join('\n')}\n`,
      );
    }
  }
}

const ready = await ensurePrerequisites('privileged', (line) => process.stdout.write(`${line}\n`));
if (ready.ok) {
  check('shellcheck', ...written(/^#!.*\b(?:ba)?sh\b/));
  for (const file of written(/^#!.*\bperl\b/)) {
    check('perl', '-cT', file);
    check('perlcritic', '--quiet', '--profile', join(root, '.perlcriticrc'), file);
  }
  const analyzed = ['-fanalyzer', '-O2', '-std=c11', '-Wall', '-Wextra', '-Werror'];
  for (const file of globSync('{entry,test/entry}/*.c', { cwd: root }))
    check('gcc', ...analyzed, '-c', file, '-o', '/dev/null');
  compareStructures();
} else process.stdout.write(`Skipped: ${ready.reason}\n`);
process.exitCode = failed ? 1 : 0;
