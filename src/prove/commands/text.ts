/** The output of `prove`: the host, a line an attack, the sum. */
import { printable } from '../../../packages/base/printable.ts';
import { table, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import { attacks } from '../attacks/attacks.ts';
import type { Attack } from '../core/attack.ts';
import { broken, type ProofEntry, type AttackVerdict } from '../core/verdict.ts';
import type { ProvedHost } from '../io/host-report.ts';

const nameWidth = Math.max(...attacks.map(({ name }) => name.length));
const verdictWidth = 'not available'.length;
const indent = ' '.repeat(nameWidth + verdictWidth + 4);
const label = ' '.repeat(11);

export const formatAttackList = (chosen: readonly Attack[]): string =>
  table([
    ['ATTACK', 'DEMANDED BY', 'WHAT IS TRIED'],
    ...chosen.map(({ name, demandedBy, summary }) => [name, demandedBy.replace('.', ' '), summary]),
  ]);

export function hostText(
  host: ProvedHost,
  policy: string | undefined,
  { columns }: Pick<Terminal, 'columns'>,
): string {
  const { kernel, cgroups, driver, securityModules, settings, weakLimits, defences } = host;
  const known = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const lines = [
    `Kernel     ${kernel}, cgroup ${cgroups}, driver ${driver}`,
    `Security   ${securityModules?.join(', ') ?? 'the kernel does not say which security modules it has'}`,
    `Sysctl     ${known.join(' ')}`,
    ...defences.map(({ name, detail }) => `${name.padEnd(11)}${detail}`),
    `Weak       ${weakLimits.length === 0 ? 'no limit' : weakLimits.join('; ')}`,
    policy === undefined
      ? 'Policy     there is none, so nothing is demanded'
      : `Policy     ${printable(policy)}; what it demands has a star`,
  ];
  return `${lines.map((line) => wrap(line, columns, label)).join('\n')}\n`;
}

export const waitingText = ({ name }: Attack): string => `\r${name} …`;

export function entryText(entry: ProofEntry, terminal: Terminal): string {
  const { columns, colors } = terminal;
  const paint: Readonly<Record<AttackVerdict, (text: string) => string>> = {
    blocked: colors.green,
    'not blocked': entry.demanded ? colors.red : colors.yellow,
    'not available': colors.dim,
  };
  const star = entry.demanded ? '*' : ' ';
  const head = `${entry.attack.padEnd(nameWidth)} ${star} `;
  const verdict = entry.verdict.padEnd(verdictWidth);
  const line = wrap(`${head}${verdict} ${entry.detail}`, columns, indent);
  const painted = head + paint[entry.verdict](verdict) + line.slice(head.length + verdict.length);
  // Overwrites the name of the attack that was running.
  const clear = terminal.isTerminal ? '\r\u001b[K' : '';
  if (entry.verdict !== 'not blocked') return clear + painted;
  return `${clear}${painted}\n${wrap(`${indent}to block it: ${entry.remedy}`, columns, indent)}`;
}

export function summaryText(entries: readonly ProofEntry[], { colors }: Terminal): string {
  const count = (verdict: AttackVerdict) =>
    entries.filter((each) => each.verdict === verdict).length;
  const open = broken(entries);
  const sum = `\n${count('blocked')} blocked, ${count('not blocked')} not blocked, ${count('not available')} not available here`;
  if (open.length === 0) return `${sum}; nothing that the policy demands is open`;
  const names = open.map(({ attack }) => attack).join(', ');
  return `${sum}\n${colors.red(`The policy demands these, and they were not blocked: ${names}`)}`;
}
