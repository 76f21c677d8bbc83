/** `bulkhead prove`: one attack of each kind, from a scratch tenant on this host, and which of them were blocked. */
import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { ProofReport } from '../../agent/responses/protection-response.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { namesPolicy, policyOption } from '../../cli/shared/policy-option.ts';
import {
  loadPolicyOrReport,
  pathsFor,
  print,
  printError,
  printJson,
  failWith,
} from '../../cli/shared/session.ts';
import { terminalOf } from '../../cli/shared/terminal.ts';
import { keepReport } from '../../host/kept-reports.ts';
import type { Paths } from '../../host/paths.ts';
import { attacks } from '../attacks/attacks.ts';
import { perlPath } from '../attacks/perl.ts';
import type { Attack } from '../core/attack.ts';
import { broken } from '../core/verdict.ts';
import type { PolicyInForce } from '../io/free-uids.ts';
import { cleanUp, prove, type Proof } from '../io/prove.ts';
import { entryText, hostText, formatAttackList, summaryText, waitingText } from './text.ts';
import { startWatchdog } from './watchdog.ts';
import { capabilitiesOf } from '../../cli/capability.ts';
import type { ProveJson } from './json.ts';

interface ProveOptions {
  readonly policy: string;
  readonly only?: readonly string[];
  readonly list?: boolean;
  readonly clean?: boolean;
  readonly json?: boolean;
}

async function run(options: ProveOptions, command: Command): Promise<ExitCode> {
  const chosen = choose(options.only);
  if (chosen === undefined) return exitCodes.usage;
  if (options.list === true) return list(chosen, options);
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0) return refuse({ reason: 'only root can', hint: 'run it as root' });
  if (options.clean === true) return clean(command, paths);
  if (!existsSync(perlPath))
    return refuse({
      reason: `the attacks are programs of Perl, and there is no ${perlPath}`,
      hint: 'install it: apt-get install perl-base (or dnf install perl-interpreter)',
    });
  const inForce = await policyInForce(options, command, paths);
  if (inForce === 'wrong') return exitCodes.failed;
  return attackAll(chosen, inForce, options, command, paths);
}

/** Chooses the attacks; undefined after a message, if one of the names is unknown. */
function choose(only: readonly string[] | undefined): readonly Attack[] | undefined {
  if (only === undefined) return attacks;
  const unknown = only.find((name) => attacks.every((each) => each.name !== name));
  if (unknown === undefined) return attacks.filter(({ name }) => only.includes(name));
  printError({
    action: 'try the attack',
    object: unknown,
    reason: 'there is none of this name',
    hint: '"bulkhead prove --list" lists them',
  });
  return undefined;
}

function list(chosen: readonly Attack[], { json }: ProveOptions): ExitCode {
  if (json === true)
    printJson(
      chosen.map(({ name, summary, demandedBy, remedy }) => ({
        attack: name,
        summary,
        demandedBy,
        remedy,
      })) satisfies ProveJson,
    );
  else print(formatAttackList(chosen));
  return exitCodes.done;
}

/** Loads the policy; undefined if there is none, which is fine as long as nobody has named one. */
async function policyInForce(
  { policy: file }: ProveOptions,
  command: Command,
  paths: Paths,
): Promise<PolicyInForce | undefined | 'wrong'> {
  if (!namesPolicy(command) && !existsSync(file)) return undefined;
  const loaded = await loadPolicyOrReport(command, file, paths);
  return loaded?.document === undefined
    ? 'wrong'
    : { policy: loaded.policy, document: loaded.document };
}

async function clean(command: Command, paths: Paths): Promise<ExitCode> {
  const removed = await cleanUp(capabilitiesOf(command), paths);
  if (removed.ok) return exitCodes.done;
  return failWith(removed.error);
}

async function attackAll(
  chosen: readonly Attack[],
  inForce: PolicyInForce | undefined,
  { json, policy }: ProveOptions,
  command: Command,
  paths: Paths,
): Promise<ExitCode> {
  const interrupted = new AbortController();
  let by: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    by = signal;
    interrupted.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  const watchdog = startWatchdog(paths);
  const live = terminalOf(process.stdout);
  const shows = json !== true;
  const proof = await prove({
    paths,
    capabilities: capabilitiesOf(command),
    inForce,
    attacks: chosen,
    signal: interrupted.signal,
    onHost: (host) => shows && print(hostText(host, inForce && policy, live)),
    onStart: (attack) => shows && process.stderr.isTTY && process.stderr.write(waitingText(attack)),
    onEntry: (entry) => shows && print(entryText(entry, live)),
  });
  // Stopped before this program ends by a signal: it would clean once more, and keep the next run waiting.
  await watchdog.stop();
  for (const signal of signals) process.off(signal, onSignal);
  if (!proof.ok) return failWith(proof.error);
  if (by !== undefined) {
    // Ends with the ordinary status of this signal, now that everything is removed.
    process.kill(process.pid, by);
    return exitCodes.failed;
  }
  if (chosen.length === attacks.length) keepForConsole(proof.value, paths);
  return conclude(proof.value, json === true);
}

function keepForConsole({ host, entries }: Proof, paths: Paths): void {
  const open = broken(entries).map(({ attack }) => attack);
  const report = { kernel: host.kernel, entries, broken: open } satisfies ProofReport;
  const kept = keepReport(paths, 'prove', report);
  if (!kept.ok) printError(kept.error);
}

function conclude(proof: Proof, json: boolean): ExitCode {
  const open = broken(proof.entries);
  if (json) printJson({ ...proof, broken: open.map(({ attack }) => attack) } satisfies ProveJson);
  else print(summaryText(proof.entries, terminalOf(process.stdout)));
  return open.length === 0 ? exitCodes.done : exitCodes.found;
}

function refuse(cause: { readonly reason: string; readonly hint: string }): ExitCode {
  const problem: Problem = { action: 'attack this host', ...cause };
  return failWith(problem);
}

const collect = (name: string, names: readonly string[] = []) => [...names, name];

export const command: CommandModule = {
  define(command, wrap) {
    command
      .addOption(policyOption())
      .addOption(
        new Option('--only <name>', 'try this attack only (may be repeated)').argParser(collect),
      )
      .option('--list', 'list the attacks and what would block each; changes nothing')
      .option('--clean', 'only remove what a run that was killed left behind')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead prove', 'all attacks; takes about half a minute'],
          ['bulkhead prove --only memory-hog --only ptrace', 'two of them'],
          ['bulkhead prove --list', 'the attacks'],
          ['bulkhead prove --json', 'for a program; exits with 3 if the policy is not enforced'],
        ),
      )
      .action(wrap(run));
  },
};
