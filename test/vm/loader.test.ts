/**
 * The kernel as oracle: modules are loaded on Debian's own kernel, and errno, taints and messages are what
 * `loaderVerdict` says, none excepted.
 *
 * `family.ts` has a case for each rule, `pairs.ts` what two rules make of one module; then come all modules
 * of the kernel itself. Each sequence starts on a kernel that has loaded nothing.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { logToStderr } from '../../testing/progress.ts';
import { kernelVersionOf } from '../../packages/modules/core/kernel/kernel.ts';
import { readModule } from '../../packages/modules/core/record/read-module.ts';
import { isEarlier } from '../../packages/modules/core/kernel/releases.ts';
import { buildModules } from '../../testing/oracle/build.ts';
import {
  filesOf,
  makeSteps,
  type Case,
  type MadeStep,
  type OracleStep,
} from '../../testing/oracle/cases.ts';
import { setModinfoEntries, type Edit } from '../../testing/oracle/edits.ts';
import { MissingPart } from '../../testing/oracle/object-file.ts';
import { otherKernels, prepareOtherKernel } from '../../testing/oracle/other-kernels.ts';
import { prepareKernelFiles, type OracleKernelFiles } from '../../testing/oracle/kernel-files.ts';
import { Oracle, type Command, type LoadOutcome } from '../../testing/oracle/oracle.ts';
import {
  compareSequence,
  predictedErrnoName,
  type Knowledge,
} from '../../testing/oracle/prediction.ts';
import { compareTree, inLoadOrder } from '../../testing/oracle/all-modules.ts';
import { makeRunDirectory, type RunDirectory } from '../../testing/vm/directories.ts';
import { decompress } from '../../packages/modules/io/inputs/decompress.ts';
import { hostRoots } from '../../packages/modules/io/kernel/kernel-files.ts';
import { readKernel } from '../../packages/modules/io/kernel/read-kernel.ts';
import { makeSignatureChecker } from '../../packages/modules/io/scan/signatures.ts';
import { bootedCases } from '../../packages/modules/test/core/family/booted.ts';
import { cases } from '../../packages/modules/test/core/family/family.ts';
import { features, pairBase, type Feature } from '../../packages/modules/test/core/family/pairs.ts';
import { signedBase } from '../../packages/modules/test/core/family/steps.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { formatProblem } from '../../packages/base/problem.ts';

const prepared = await prepareKernelFiles(logToStderr);
if (!prepared.ok) logToStderr(`Skipping test/vm/loader.test.ts: ${prepared.error.reason}`);
const skip = prepared.ok ? false : prepared.error.reason;

const sources = join(import.meta.dirname, '../../packages/modules/test/core/family');
/** While it starts, a kernel that is locked down says so often that it goes silent for five seconds. */
const lockdownSilenceMs = 6_000;
const moduleBytesMax = 64 * 2 ** 20;

/** Modules whose symbols the tested module uses. */
const providers: Readonly<Record<string, readonly Edit[]>> = {
  'a GPL module': [],
  'a proprietary module': [setModinfoEntries('license', 'Proprietary')],
};

/** A kernel, and the modules that were built for it. */
interface Subject {
  readonly files: OracleKernelFiles;
  readonly bases: ReadonlyMap<string, Uint8Array>;
}

async function subjectOf(files: OracleKernelFiles, scratch: RunDirectory): Promise<Subject> {
  const bases = await buildModules(files, sources, scratch.directory);
  bases.set(signedBase, await debianModule(files, `kernel/fs/nls/${signedBase}.ko`));
  return { files, bases };
}

/** Reads a module of Debian's kernel; Debian 12 does not compress them. */
async function debianModule({ modules }: OracleKernelFiles, path: string): Promise<Uint8Array> {
  const packed = join(modules, `${path}.xz`);
  if (!existsSync(packed)) return new Uint8Array(await readFile(join(modules, path)));
  const bytes = decompress(new Uint8Array(await readFile(packed)), 'xz', moduleBytesMax);
  assert.ok(bytes.ok, path);
  return bytes.value;
}

function knowledgeOf({ modules, image }: OracleKernelFiles, cmdline: string): Knowledge {
  const directories = [modules, dirname(image)];
  const reading = readKernel({ directories, cmdline, roots: hostRoots });
  assert.ok(reading.ok, reading.ok ? '' : formatProblem(reading.error));
  assert.deepEqual(reading.value.gaps, []);
  const { kernel, certificates } = reading.value;
  return { kernel, checkSignature: makeSignatureChecker(certificates, []) };
}

const failsItself = (command: Command, { error }: LoadOutcome) =>
  'name' in command && command.name === 'fam_fails' && predictedErrnoName(error) === 'ENODEV';

interface Sequence {
  readonly name: string;
  readonly steps: readonly MadeStep[];
}

/** Runs every sequence on a kernel of its own, some at a time. */
async function differencesOf(
  { files }: Subject,
  sequences: readonly Sequence[],
  commandLine: string,
  check: (index: number, outcomes: readonly LoadOutcome[]) => readonly string[] = () => [],
): Promise<string[]> {
  const knowledge = knowledgeOf(files, commandLine);
  const needed = filesOf(sequences.flatMap(({ steps }) => steps));
  const settleMs = commandLine.startsWith('lockdown=') ? lockdownSilenceMs : 0;
  await using oracle = await Oracle.start(files, needed, { commandLine, settleMs });
  const differences: string[] = [];
  await inParallel(sequences, async ({ name, steps }, index) => {
    const outcomes = await oracle
      .run(steps.map(({ command }) => command))
      .catch((error: Error) => error);
    if (outcomes instanceof Error) {
      differences.push(`${name}: ${outcomes.message}`);
      return;
    }
    const found = [
      ...check(index, outcomes),
      ...compareSequence(steps, outcomes, knowledge, failsItself),
    ];
    differences.push(...found.map((each) => `${name}: ${each}`));
  });
  return differences;
}

const casesDiffer = (subject: Subject, list: readonly Case[], commandLine: string) => {
  const made = possible(subject, list);
  return differencesOf(subject, made, commandLine, (index, outcomes) =>
    missed(made[index]!, outcomes.at(-1)!),
  );
};

// The long one is one machine that loads; the others can run at the same time.
suite("the kernel's module loader agrees with the prediction", { skip, concurrency: 2 }, () => {
  const files = (prepared as { value: OracleKernelFiles }).value;
  let scratch: RunDirectory;
  let subject: Subject;

  before(
    async () => {
      scratch = await makeRunDirectory();
      subject = await subjectOf(files, scratch);
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => scratch.remove());

  test("for every module of Debian's kernel", { timeout: longPatienceMilliseconds }, async (t) => {
    const paths = (await readdir(files.modules, { recursive: true }))
      .filter((path) => path.endsWith('.ko.xz'))
      .sort();
    const modules = await Promise.all(
      paths.map(async (path) => {
        const file = basename(path, '.ko.xz');
        const bytes = await debianModule(files, path.replace(/\.xz$/, ''));
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
    const compared = compareTree(ordered, outcomes, knowledgeOf(files, ''));
    const failures = [...compared.ownFailures].map(([errno, count]) => `${errno} ${count}`);
    t.diagnostic(
      `${ordered.length} modules: ${compared.loaded} loaded, ${compared.refused} refused as predicted, the rest failed in their own start (${failures.join(', ')})`,
    );
    assert.deepEqual(compared.differences, []);
    assert.ok(compared.loaded > ordered.length * 0.8, `only ${compared.loaded} loaded`);
  });

  test('for each rule', { timeout: longPatienceMilliseconds }, async (t) => {
    t.diagnostic(`${possible(subject, cases).length} of ${cases.length} cases`);
    assert.deepEqual(await casesDiffer(subject, cases, ''), []);
  });

  for (const { commandLine, cases: list } of bootedCases) {
    test(
      `for a kernel started with ${commandLine}`,
      { timeout: longPatienceMilliseconds },
      async () => {
        assert.deepEqual(await casesDiffer(subject, list, commandLine), []);
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
          steps: makeSteps(
            `${index}`,
            pairSteps(edits, first, features.slice(index + 1)),
            subject.bases,
          ),
        }));
        assert.deepEqual(await differencesOf(subject, sequences, ''), []);
      },
    );
  }
});

suite("the loaders of Debian's other kernels agree with the prediction", () => {
  for (const other of otherKernels) {
    test(`for each rule: ${other.name}`, { timeout: longPatienceMilliseconds }, async (t) => {
      const files = await prepareOtherKernel(other, logToStderr);
      if (!files.ok) {
        logToStderr(`Skipping the kernel of ${other.name}: ${files.error.reason}`);
        return t.skip(files.error.reason);
      }
      const scratch = await makeRunDirectory();
      try {
        const subject = await subjectOf(files.value, scratch);
        const sequences = possible(subject, cases);
        t.diagnostic(`${files.value.release}: ${sequences.length} of ${cases.length} cases`);
        assert.ok(sequences.length > cases.length * 0.8);
        assert.deepEqual(await differencesOf(subject, chained(sequences), ''), []);
      } finally {
        scratch.remove();
      }
    });
  }
});

/** Returns the cases that can be made for a kernel: some need features of other releases' modules. */
function possible(
  { files, bases }: Subject,
  list: readonly Case[],
): (Sequence & Pick<Case, 'expect'>)[] {
  const release = kernelVersionOf(files.release);
  return list.flatMap(({ name, steps, expect: now, from, before }, index) => {
    const expect = before !== undefined && isEarlier(release, before.release) ? before.expect : now;
    if (from !== undefined && isEarlier(release, from)) return [];
    try {
      return [{ name, expect, steps: makeSteps(`${index} ${name}`, steps, bases) }];
    } catch (error) {
      if (error instanceof MissingPart) return [];
      throw error;
    }
  });
}

const casesTogether = 12;

/**
 * Several cases on one kernel, with what they loaded unloaded again: what stays is predicted too, and it takes a
 * fraction of the time. A case that changes a setting has a kernel of its own.
 */
function chained(sequences: readonly Sequence[]): Sequence[] {
  const changes = ({ steps }: Sequence) => steps.some(({ command }) => command.do === 'write');
  const others = sequences.filter((each) => !changes(each));
  const groups = Array.from({ length: Math.ceil(others.length / casesTogether) }, (_, index) =>
    others.slice(index * casesTogether, (index + 1) * casesTogether),
  );
  return [
    ...sequences.filter(changes),
    ...groups.map((group) => ({
      name: `from "${group[0]!.name}" on`,
      steps: group.flatMap(({ steps }) => [...steps, ...unloading(steps)]),
    })),
  ];
}

const unloading = (steps: readonly MadeStep[]): MadeStep[] =>
  steps
    .flatMap(({ command }) => ('file' in command ? [command.name] : []))
    .reverse()
    .map((name) => ({ command: { do: 'unload', name }, bytes: undefined }));

/** A case has to come to what it is about. */
function missed({ expect }: Pick<Case, 'expect'>, { error, taints }: LoadOutcome): string[] {
  const came = error === 0 ? { loads: taints } : { refused: predictedErrnoName(error) };
  return JSON.stringify(came) === JSON.stringify(expect)
    ? []
    : [`it should come to ${JSON.stringify(expect)}, and came to ${JSON.stringify(came)}`];
}

/** Returns steps for one feature on its own, then with each of the others. Loaded modules are unloaded again. */
function pairSteps(
  providerEdits: readonly Edit[],
  first: Feature,
  others: readonly Feature[],
): OracleStep[] {
  const alone: Feature = { name: 'alone', edits: [] };
  const provider: OracleStep = { do: 'load', base: 'fam_provider', edits: providerEdits, flags: 0 };
  return [
    provider,
    ...[alone, ...others].flatMap((second): OracleStep[] => [
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
