/**
 * The kernel as oracle: modules are loaded on Debian's own kernel, and errno, taints and messages are what
 * `loaderVerdict` says, none excepted.
 *
 * `family.ts` has a case for each rule, `pairs.ts` what two rules make of one module; then come all modules
 * of the kernel itself. Each sequence starts on a kernel that has loaded nothing.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { readModule } from '../../src/modules/read-module.ts';
import { buildModules } from '../../src/testing/oracle/build.ts';
import {
  filesOf,
  makeSteps,
  type Case,
  type MadeStep,
  type Step,
} from '../../src/testing/oracle/cases.ts';
import { modinfo, type Edit } from '../../src/testing/oracle/edits.ts';
import { prepareKernelFiles, type KernelFiles } from '../../src/testing/oracle/kernel-files.ts';
import { Oracle, type Command, type Outcome } from '../../src/testing/oracle/oracle.ts';
import { compareSequence, errnoName, type Knowledge } from '../../src/testing/oracle/prediction.ts';
import { compareTree, inLoadOrder } from '../../src/testing/oracle/tree.ts';
import { makeRunFolder, type RunFolder } from '../../src/testing/vm/folders.ts';
import { decompress } from '../../src/trust/decompress.ts';
import { hostRoots } from '../../src/trust/kernel-files.ts';
import { readKernel } from '../../src/trust/kernel.ts';
import { makeSignatureChecker } from '../../src/trust/signatures.ts';
import { bootedCases } from '../modules/family/booted.ts';
import { cases } from '../modules/family/family.ts';
import { features, pairBase, type Feature } from '../modules/family/pairs.ts';
import { signedBase } from '../modules/family/steps.ts';
import { longPatienceMilliseconds } from '../../src/testing/patience.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);
const prepared = await prepareKernelFiles(log);
if (!prepared.ok) log(`Skipping test/vm/loader.test.ts: ${prepared.error}`);
const skip = prepared.ok ? false : prepared.error;

const sources = join(import.meta.dirname, '../modules/family');
/** While it starts, a kernel that is locked down says so often that it goes silent for five seconds. */
const lockdownSilenceMs = 6_000;
const mostModuleBytes = 64 * 2 ** 20;

/** Of what the module uses a symbol. */
const providers: Readonly<Record<string, readonly Edit[]>> = {
  'a GPL module': [],
  'a proprietary module': [modinfo('license', 'Proprietary')],
};

// The long one is one machine that loads; beside it there is room for the others.
suite('the loader of the kernel agrees with the prediction', { skip, concurrency: 2 }, () => {
  const files = (prepared as { value: KernelFiles }).value;
  let scratch: RunFolder;
  let bases: Map<string, Uint8Array>;

  before(
    async () => {
      scratch = await makeRunFolder();
      bases = await buildModules(files, sources, scratch.folder);
      bases.set(signedBase, await debianModule(`kernel/fs/nls/${signedBase}.ko.xz`));
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => scratch.remove());

  async function debianModule(path: string): Promise<Uint8Array> {
    const stored = new Uint8Array(await readFile(join(files.modules, path)));
    const bytes = decompress(stored, 'xz', mostModuleBytes);
    assert.ok(bytes.ok, path);
    return bytes.value;
  }

  function knowledgeOf(cmdline: string): Knowledge {
    const reading = readKernel({ folders: [files.modules], cmdline, roots: hostRoots });
    assert.ok(reading.ok, reading.ok ? '' : reading.error);
    assert.deepEqual(reading.value.gaps, []);
    const { kernel, certificates } = reading.value;
    return { kernel, checkSignature: makeSignatureChecker(certificates, []) };
  }

  const failsItself = (command: Command, { error }: Outcome) =>
    'name' in command && command.name === 'fam_fails' && errnoName(error) === 'ENODEV';

  /** Every sequence on a kernel of its own, some at a time. */
  async function differencesOf(
    sequences: readonly { readonly name: string; readonly steps: readonly MadeStep[] }[],
    commandLine: string,
    check: (index: number, outcomes: readonly Outcome[]) => readonly string[] = () => [],
  ): Promise<string[]> {
    const knowledge = knowledgeOf(commandLine);
    const needed = filesOf(sequences.flatMap(({ steps }) => steps));
    const settleMs = commandLine.startsWith('lockdown=') ? lockdownSilenceMs : 0;
    await using oracle = await Oracle.start(files, needed, { commandLine, settleMs });
    const differences: string[] = [];
    await inParallel(sequences, async ({ name, steps }, index) => {
      const outcomes = await oracle.run(steps.map(({ command }) => command));
      const found = [
        ...check(index, outcomes),
        ...compareSequence(steps, outcomes, knowledge, failsItself),
      ];
      differences.push(...found.map((each) => `${name}: ${each}`));
    });
    return differences;
  }

  const casesDiffer = (list: readonly Case[], commandLine: string) =>
    differencesOf(
      list.map(({ name, steps }, index) => ({ name, steps: makeSteps(`${index}`, steps, bases) })),
      commandLine,
      (index, outcomes) => missed(list[index]!, outcomes.at(-1)!),
    );

  test("for every module of Debian's kernel", { timeout: longPatienceMilliseconds }, async (t) => {
    const paths = (await readdir(files.modules, { recursive: true }))
      .filter((path) => path.endsWith('.ko.xz'))
      .sort();
    const modules = await Promise.all(
      paths.map(async (path) => {
        const file = basename(path, '.ko.xz');
        const bytes = await debianModule(path);
        const module = readModule(file, bytes);
        assert.ok(module.ok, path);
        return { file, bytes, module: module.value };
      }),
    );
    const ordered = inLoadOrder(modules);
    const needed = new Map(ordered.map(({ file, bytes }) => [file, bytes]));
    await using oracle = await Oracle.start(files, needed, { memoryMiB: 1536 });
    const commands = ordered.map(
      ({ file, module }) => ({ do: 'load', file, name: module.structName ?? '' }) as const,
    );
    const outcomes = await oracle.run(commands, longPatienceMilliseconds);
    const compared = compareTree(ordered, outcomes, knowledgeOf(''));
    const failures = [...compared.ownFailures].map(([errno, count]) => `${errno} ${count}`);
    t.diagnostic(
      `${ordered.length} modules: ${compared.loaded} loaded, ${compared.refused} refused as predicted, the rest failed in their own start (${failures.join(', ')})`,
    );
    assert.deepEqual(compared.differences, []);
    assert.ok(compared.loaded > ordered.length * 0.8, `only ${compared.loaded} loaded`);
  });

  test('for each rule', { timeout: longPatienceMilliseconds }, async () => {
    assert.deepEqual(await casesDiffer(cases, ''), []);
  });

  for (const { commandLine, cases: list } of bootedCases) {
    test(
      `for a kernel started with ${commandLine}`,
      { timeout: longPatienceMilliseconds },
      async () => {
        assert.deepEqual(await casesDiffer(list, commandLine), []);
      },
    );
  }

  for (const [whose, edits] of Object.entries(providers)) {
    test(
      `for every two rules that meet, and ${whose}`,
      { timeout: longPatienceMilliseconds },
      async () => {
        const sequences = features.map((first, index) => ({
          name: first.name,
          steps: makeSteps(`${index}`, pairSteps(edits, first, features.slice(index + 1)), bases),
        }));
        assert.deepEqual(await differencesOf(sequences, ''), []);
      },
    );
  }
});

/** A case has to come to what it is about. */
function missed({ expect }: Case, { error, taints }: Outcome): string[] {
  const came = error === 0 ? { loads: taints } : { refused: errnoName(error) };
  return JSON.stringify(came) === JSON.stringify(expect)
    ? []
    : [`it should come to ${JSON.stringify(expect)}, and came to ${JSON.stringify(came)}`];
}

/** One feature alone, then with each of the others; what got loaded is unloaded again. */
function pairSteps(
  providerEdits: readonly Edit[],
  first: Feature,
  others: readonly Feature[],
): Step[] {
  const alone: Feature = { name: 'alone', edits: [] };
  const provider: Step = { do: 'load', base: 'fam_provider', edits: providerEdits, flags: 0 };
  return [
    provider,
    ...[alone, ...others].flatMap((second): Step[] => [
      {
        do: 'load',
        base: pairBase,
        edits: [...first.edits, ...second.edits],
        flags: (first.flags ?? 0) | (second.flags ?? 0),
      },
      { do: 'unload last' },
    ]),
  ];
}

async function inParallel<T>(
  items: readonly T[],
  action: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const queue = [...items.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await action(next[1], next[0]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));
}
