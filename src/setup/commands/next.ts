/** `bulkhead setup next`: lets guards refuse that have reported nothing for seven days. */
import type { Command } from 'commander';
import type { Layer } from '../../../packages/base/layer.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import {
  setElement,
  type Attributes,
  type ElementName,
} from '../../policy/elements/edit-elements.ts';
import { defaultReach } from '../core/network-step.ts';
import { noteReports, whyWait } from '../core/quiet.ts';
import type { Quiet } from '../core/record.ts';
import { lockSetup } from '../io/lock.ts';
import { replacePolicy } from '../../apply/edit.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import type { Words } from '../core/words.ts';
import { runCommand, runCommands } from '../io/run-command.ts';
import type { SetupNextJson } from './json.ts';
import { Journal, writePolicy } from './run-steps.ts';
import {
  layersNow,
  setupSession,
  contextWithoutLimits,
  withRecord,
  type Session,
  type SetupOptions,
} from './session.ts';

type Raise = (session: Session, journal: Journal) => Promise<Result<unknown, Problem>>;

/** How each watching layer begins to refuse. */
const raises: Readonly<Record<string, Raise>> = {
  'symlinks guard': ({ paths, file }) =>
    runCommand(['symlinks', 'guard', 'enable', '--policy', file], paths),
  'strict placement': (session, journal) =>
    refuseInPolicy(session, journal, [{ name: 'placement' }], { strict: 'yes' }),
  'network reach': (session, journal) =>
    refuseInPolicy(session, journal, defaultReach, { mode: 'refuse' }, [
      ['network', 'status', '--wait', '--policy', session.file],
    ]),
  'modules gate': ({ paths, file }) =>
    runCommand(['modules', 'gate', 'enable', '--policy', file], paths),
};

/** `confirm`: commands that succeed once it refuses. */
async function refuseInPolicy(
  session: Session,
  journal: Journal,
  path: readonly ElementName[],
  attributes: Attributes,
  confirm: readonly Words[] = [],
): Promise<Result<unknown, Problem>> {
  const before = readPolicyFile(session.file);
  if (!before.ok) return before;
  const edit = (text: string) => setElement(text, path, attributes);
  const context = await contextWithoutLimits(session, journal.record.answers);
  const edited = writePolicy(session, journal, { edit }, context);
  if (!edited.ok) return edited;
  const applied = await runCommands([['apply', session.file], ...confirm], session.paths);
  if (applied.ok) return applied;
  // Otherwise a later apply would refuse unannounced.
  const restored = replacePolicy(session.file, session.paths, before.value, 'setup next');
  return restored.ok ? applied : restored;
}

async function next(_options: SetupOptions, command: Command): Promise<ExitCode> {
  // "setup" has options of the same names, and takes their values wherever they stand.
  const options = command.optsWithGlobals<SetupOptions>();
  const found = await setupSession(options, command);
  if (typeof found === 'number') return found;
  const lock = lockSetup(found.paths);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  const recorded = withRecord(found, command);
  if (!recorded.ok) return failWith(recorded.error);
  const { session, record } = recorded.value;
  if (record === undefined)
    return failWith({
      action: 'go on with the setup',
      reason: 'it has not run on this host',
      hint: 'run: bulkhead setup',
    });
  const journal = new Journal(session, record);
  const layers = await layersNow(session);
  if (!layers.ok) return failWith(layers.error);
  const now = new Date();
  const quiet = noteReports(layers.value, record.quiet, now.toISOString());
  const noted = journal.update({ quiet });
  if (!noted.ok) return failWith(noted.error);
  const done = await raiseAll(session, journal, layers.value, now);
  if (options.json === true) printJson(done);
  else printNext(done);
  return done.problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

async function raiseAll(
  session: Session,
  journal: Journal,
  layers: readonly Layer[],
  now: Date,
): Promise<SetupNextJson> {
  const raised: string[] = [];
  const waiting: { key: string; reason: string }[] = [];
  const problems: Problem[] = [];
  const isCollected = layers.some(({ key, state }) => key === 'agent' && state === 'enforced');
  for (const layer of layers.filter(({ state }) => state === 'watched')) {
    const { key } = layer;
    const raise = raises[key];
    const quiet = journal.record.quiet[key];
    const wait = isCollected ? waitOf(quiet, now) : 'no agent collects its reports';
    const reason = raise === undefined ? 'raise it yourself' : wait;
    if (raise === undefined || reason !== undefined) {
      waiting.push({ key, reason: [reason ?? '', layer.improve ?? ''].join('; ') });
      continue;
    }
    const done = await raise(session, journal);
    const noted = done.ok ? journal.update({ raised: [...journal.record.raised, key] }) : done;
    if (noted.ok) raised.push(key);
    else problems.push(noted.error);
  }
  return { raised, waiting, problems };
}

const dayMs = 86_400_000;

function waitOf(quiet: Quiet | undefined, now: Date): string | undefined {
  if (quiet === undefined) return 'what it has reported is unknown';
  return whyWait(quiet, Math.floor((now.getTime() - Date.parse(quiet.since)) / dayMs));
}

function printNext({ raised, waiting, problems }: SetupNextJson): void {
  for (const each of raised) print(`${each}: refuses from now on`);
  for (const { key, reason } of waiting) print(`${key}: still watches: ${reason}`);
  for (const each of problems) printError(each);
  if (raised.length + waiting.length + problems.length === 0) print('No layer watches');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead setup next', 'raise what had seven quiet days; show what still waits']),
      )
      .action(run(next));
  },
};
