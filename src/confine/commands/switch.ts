/**
 * The steps that `bulkhead confine enable` and `disable` share: plan, show, ask, write or remove
 * the drop-in, and restart the service.
 */
import type { Command } from 'commander';
import type { Problem } from '../../../packages/base/problem.ts';
import { describeArgument, exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { canAsk, confirm } from '../../cli/confirm.ts';
import { print, printError, printJson, failWith } from '../../cli/shared/output.ts';
import { printDiff } from '../../cli/shared/print-diff.ts';
import { exposureText } from '../core/exposure.ts';
import { profileOf, profiles, whyNot } from '../core/profiles.ts';
import { applyDropIn, undoKilledDropIn } from '../io/apply-drop-in.ts';
import { lockConfine } from '../io/drop-in-file.ts';
import {
  findService,
  installedServices,
  type ConfinePaths,
  type ConfinedService,
} from '../io/places.ts';
import { exposuresOf, survey, type Exposures, type SurveyedService } from '../io/survey.ts';
import { hostOf, type ConfineHost } from './host.ts';
import type { ConfineEnableJson } from './json.ts';

type Verb = 'enable' | 'disable';

interface SwitchOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  /** Whether to restart; false with `--no-restart`. */
  readonly restart?: boolean;
}

/** The change of one service. */
interface Work {
  readonly surveyed: SurveyedService;
  readonly after: string | undefined;
  readonly exposures: Exposures;
  readonly notes: readonly string[];
}

/** The options, and the command that has them. */
interface Request extends SwitchOptions {
  readonly verb: Verb;
}

/** Adds the argument's description, and the options that mean the same in both commands. */
export function withConfineOptions(command: Command): Command {
  describeArgument(
    command,
    'apache2, nginx, php8.4-fpm, exim4, postfix, dovecot, mariadb, named, vsftpd or proftpd',
  );
  return command
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print as JSON; a change needs --yes then');
}

export const switchService =
  (verb: Verb) => (service: string, options: SwitchOptions, command: Command) =>
    run(service.replace(/\.service$/, ''), { ...options, verb }, command);

async function run(name: string, options: Request, command: Command): Promise<ExitCode> {
  const cause = whyNot(name);
  if (cause !== undefined) return usage({ action: 'confine', object: name, ...cause });
  if (profileOf(name) === undefined) return unknown(name);
  const host = await hostOf(command);
  if (typeof host === 'number') return host;
  const service = serviceOf(host.places, name);
  if ('reason' in service) return failWith(service);
  if (options.dryRun === true) return withWork(host, service, options, () => exitCodes.done);
  const lock = lockConfine(host.places);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  const undone = await undoKilledDropIn(host.places, service);
  if (!undone.ok) return failWith(undone.error);
  return withWork(host, service, options, (work) => change(host.places, work, options));
}

/**
 * Finds the service. `php-fpm` means the installed one; if there are several, each has to be named.
 */
function serviceOf(places: ConfinePaths, name: string): ConfinedService | Problem {
  const fpms = installedServices(places).filter(({ profile }) => profile.service === 'php-fpm');
  if (name !== 'php-fpm' || fpms.length === 0) {
    const found = findService(places, name);
    const reason = 'its unit is not installed here';
    return found ?? { action: 'confine', object: name, reason };
  }
  const [only, second] = fpms;
  if (only !== undefined && second === undefined) return only;
  const hint = `name one of ${fpms.map((each) => each.name).join(', ')}`;
  return { action: 'confine', object: name, reason: 'several versions are installed', hint };
}

async function withWork(
  host: ConfineHost,
  service: ConfinedService,
  options: Request,
  use: (work: Work) => ExitCode | Promise<ExitCode>,
): Promise<ExitCode> {
  const { places, asked } = host;
  const surveyed = await survey(places, asked, service);
  if (!surveyed.ok) return failWith(surveyed.error);
  const problem = blocker(surveyed.value, options);
  if (problem !== undefined) return failWith(problem);
  const exposures = await exposuresOf(
    places,
    { ...surveyed.value, text: undefined },
    asked.version,
  );
  const work = workOf(surveyed.value, exposures, options);
  const isDone = work.after === surveyed.value.text && !needsRestart(work, options);
  if (options.json !== true) show(work, isDone, options);
  const status = isDone ? exitCodes.done : await use(work);
  if (options.json === true && status === exitCodes.done)
    printJson(workJson(work, options) satisfies ConfineEnableJson);
  return status;
}

/** Whether the file is right, but the service was not restarted since. */
const needsRestart = ({ surveyed: { now, inForce }, after }: Work, { restart }: Request) =>
  after !== undefined && restart !== false && now.mainPid > 0 && !inForce;

function blocker(surveyed: SurveyedService, { verb, force }: Request): Problem | undefined {
  const { file, state, unknown } = surveyed;
  const action = verb === 'disable' ? 'remove' : 'replace';
  if (state === 'foreign')
    return {
      action,
      object: file,
      reason: 'it was not written by Bulkhead',
      hint: 'rename it',
    };
  if (state === 'changed' && force !== true)
    return {
      action,
      object: file,
      reason: 'it was edited since Bulkhead wrote it',
      hint: 'move the changes to another file beside it, such as 60-local.conf, or pass --force to lose them',
    };
  const missing = unknown.find(({ required }) => required === true);
  if (verb === 'disable' || missing === undefined) return undefined;
  return {
    action: 'confine',
    object: surveyed.service.name,
    reason: `it needs systemd ${missing.since} for ${missing.key}`,
  };
}

function workOf(surveyed: SurveyedService, exposures: Exposures, { verb }: Request): Work {
  if (verb === 'disable') return { surveyed, after: undefined, exposures, notes: [] };
  const { service, now, unknown } = surveyed;
  const notes = [
    ...service.profile.breaks.map((each) => `no longer works: ${each}`),
    ...unknown.map(
      ({ key, value, since }) => `left out, since it needs systemd ${since}: ${key}=${value}`,
    ),
    ...(now.mainPid > 0
      ? []
      : ['it does not run now, so files that it writes elsewhere are not known; start it first']),
  ];
  return { surveyed, after: surveyed.wanted, exposures, notes };
}

function show({ surveyed, after, exposures, notes }: Work, isDone: boolean, options: Request) {
  const { service, file, text } = surveyed;
  if (options.dryRun === true && after !== undefined) print(`# ${file}\n${after}`);
  else if (after !== text) printDiff(file, text ?? '', after ?? '');
  const { before, after: confined } = exposures;
  if (after !== undefined && !isDone)
    print(
      `Exposure by systemd-analyze security: ${exposureText(before)} -> ${exposureText(confined)}`,
    );
  if (!isDone) for (const note of notes) print(`Note: ${note}`);
  if (isDone)
    print(
      options.verb === 'disable'
        ? `${service.name} is not confined by Bulkhead`
        : `${service.name} is confined already`,
    );
}

async function change(places: ConfinePaths, work: Work, options: Request): Promise<ExitCode> {
  const { surveyed, after } = work;
  const { service, now, text } = surveyed;
  const restart = options.restart !== false;
  const restarts = restart && now.active === 'active';
  if (options.yes !== true) {
    if (options.json === true || !canAsk()) {
      const hint = 'pass --yes, or --dry-run to see what would change';
      return usage({ action: 'change this host', reason: 'nobody can be asked here', hint });
    }
    const question = restarts ? `Change this and restart ${service.name}?` : 'Change this?';
    if (!(await confirm(question))) {
      print('Nothing was changed');
      return exitCodes.failed;
    }
  }
  const done = await applyDropIn({ places, service, before: text, after, restart });
  if (!done.ok) return failWith(done.error);
  if (options.json === true) return exitCodes.done;
  const what = after === undefined ? 'no longer confined' : 'confined';
  print(
    done.value === 'running'
      ? `${service.name} was restarted, runs, listens where it did, and is ${what}`
      : `${service.name} is ${what} from its next start on: systemctl restart ${service.unit}`,
  );
  return exitCodes.done;
}

const workJson = ({ surveyed, after, exposures, notes }: Work, options: Request) => ({
  service: surveyed.service.name,
  unit: `${surveyed.service.unit}.service`,
  file: surveyed.file,
  before: surveyed.text ?? null,
  after: after ?? null,
  exposure: exposures.before ?? null,
  exposureConfined: exposures.after ?? null,
  notes,
  dryRun: options.dryRun === true,
});

function unknown(name: string): ExitCode {
  const known = profiles.map(({ service }) => service).join(', ');
  return usage({
    action: 'confine',
    object: name,
    reason: 'there is no sandbox for it',
    hint: `use ${known}`,
  });
}

function usage(problem: Problem): ExitCode {
  printError(problem);
  return exitCodes.usage;
}
