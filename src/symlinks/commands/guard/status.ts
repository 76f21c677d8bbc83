/** `bulkhead symlinks guard status`: the wanted state, the actual one, and whether it refuses. */
import type { Command } from 'commander';
import { formatCause, type Cause } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { policyReaderOf } from '../../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { count, print, printJson } from '../../../cli/shared/session.ts';
import { terminalOf, wrap } from '../../../cli/shared/terminal.ts';
import { parsePasswd } from '../../../host/accounts/accounts.ts';
import { readGroups } from '../../../host/accounts/groups.ts';
import type { Paths } from '../../../host/paths.ts';
import type { SymlinkRule } from '../../../policy/document.ts';
import { lsmProblem } from '../../../sys/bpf/lsm.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { sameRule } from '../../core/guard/rule.ts';
import { readGuardChoice } from '../../io/guard/choice.ts';
import { inForce, tryGuard, type GuardCounters, type InForce } from '../../io/guard/guard.ts';
import { resolveRule } from '../../io/guard/names.ts';
import type { GuardView, SymlinksGuardStatusJson } from '../json.ts';
import { asRoot } from './session.ts';

export function guardView(symlinks: SymlinkRule | undefined, paths: Paths): GuardView {
  const wanted = symlinks === undefined ? 'off' : readGuardChoice(paths);
  const now = inForce(paths);
  if (now === undefined) {
    const blocker = wanted === 'off' ? undefined : (lsmProblem(paths) ?? notLoaded);
    return { wanted, state: 'off', asWanted: wanted === 'off', ...problemOf(blocker) };
  }
  const broken = tryGuard(now);
  const rule =
    symlinks === undefined || wanted === 'off' ? undefined : resolveRule(symlinks, wanted, paths);
  const inLine = rule?.ok === true && sameRule(rule.value, now.rule);
  return {
    ...seen(now),
    wanted,
    tried: broken === undefined ? 'refuses' : 'does not refuse',
    asWanted: inLine && broken === undefined,
    ...problemOf(broken ?? (inLine ? undefined : otherRule)),
  };
}

const seen = ({ rule, counters }: InForce) => ({ state: rule.mode, rule, counters });
const problemOf = (cause: Cause | undefined) =>
  cause === undefined ? {} : { problem: formatCause(cause) };

const notLoaded: Cause = {
  reason: 'the policy has it, and it is not loaded',
  hint: 'run: bulkhead symlinks guard enable',
};
const otherRule: Cause = {
  reason: 'what is loaded is not what the policy says',
  hint: 'run: bulkhead symlinks guard sync',
};

/** Prints the status; the exit code is 3 if links are followed that the policy refuses. */
async function status(
  { policy, json }: PolicyOptions,
  paths: Paths,
  command: Command,
): Promise<ExitCode> {
  const reader = await policyReaderOf(command);
  const view = guardView(reader.load(policy, paths).policy?.symlinks, paths);
  if (json === true) printJson(view satisfies SymlinksGuardStatusJson);
  else print(statusText(view, paths));
  return view.asWanted ? exitCodes.done : exitCodes.found;
}

function statusText(view: GuardView, paths: Paths): string {
  const { columns } = terminalOf(process.stdout);
  const lines = [`Symlink guard: ${stateText(view)}`, ...ruleLines(view, paths)];
  if (view.counters !== undefined) lines.push(...counterLines(view.counters));
  if (view.problem !== undefined) lines.push(`Note: ${printable(view.problem)}`);
  return lines.map((each) => wrap(each, columns, '  ')).join('\n');
}

export function stateText({ state, wanted, tried }: GuardView): string {
  if (state === 'off')
    return wanted === 'off' ? 'off' : `off, though the policy wants it ${wanted}`;
  if (tried === 'does not refuse') return 'loaded, and refuses nothing';
  return state === 'on' ? 'on; tried just now: it refuses' : 'only watches, and refuses nothing';
}

function ruleLines({ rule }: GuardView, { etc }: Paths): readonly string[] {
  if (rule === undefined) return [];
  const users = new Map(
    parsePasswd(readText(`${etc}/passwd`) ?? '').map(({ user, uid }) => [uid, user] as const),
  );
  const groups = new Map([...readGroups({ etc })].map(([name, gid]) => [gid, name] as const));
  const user = (uid: number) => printable(users.get(uid) ?? `uid ${uid}`);
  const restricted = rule.subjects.map(({ kind, id }) =>
    kind === 'user' ? `user ${user(id)}` : `group ${printable(groups.get(id) ?? String(id))}`,
  );
  const list = (label: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${label}: ${names.join(', ')}`];
  return [
    ...list('Restricted', restricted),
    ...list('Links that are always followed: those of', rule.trusted.map(user)),
    ...list('Files to which all links are followed: those of', rule.targets.map(user)),
  ];
}

function counterLines(counters: GuardCounters): readonly string[] {
  const { followed, refused, watched, tooDeep, noMemory, unreported } = counters;
  const also = [
    watched > 0 ? `${watched} would have been refused` : '',
    tooDeep > 0 ? `${tooDeep} lay within too many links` : '',
    noMemory > 0 ? `${noMemory} found no memory` : '',
    unreported > 0 ? `${unreported} could not be reported` : '',
  ].filter((each) => each !== '');
  return [
    `Since it was loaded: ${[`${count(followed, 'link')} judged, ${refused} refused`, ...also].join('; ')}`,
  ];
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText('after', examples(['bulkhead symlinks guard status --json', '']))
      .action(run(asRoot(status)));
  },
};
