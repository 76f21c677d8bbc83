/** The evidence of refusals on the network: which programs tried what, of how many addresses. */
import { count, listSome } from '../../../packages/base/list.ts';
import type { EvidenceKind } from '../../usage/evidence.ts';
import { cut } from '../../usage/causes/top-users.ts';
import { wholeNumber } from '../../usage/numbers.ts';

/** The tries of one program at one port within a tick, as far as they were reported. */
export interface Attempt {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The program; empty if only its packets were seen. */
  readonly program: string;
  /** One of the addresses, as text; empty if it is not shown. */
  readonly address: string;
  readonly port: number;
  /** The number of reported tries: the programs report a few a second, and count the rest. */
  readonly tries: number;
  /** The number of addresses that all programs of the tenant were seen to try since it began. */
  readonly addresses: number;
  /** The tenant that the port belongs to; empty if it is not known, or not shown. */
  readonly owner: string;
}

const shownMax = 5;
const programMax = 128;

export const attemptEvidence: EvidenceKind<Attempt> = {
  kind: 'network-attempts',
  fields: {
    at: 'number',
    program: programMax,
    address: 48,
    port: 'number',
    tries: 'number',
    addresses: 'number',
    owner: 64,
  },
  describe(items, showAll) {
    const seen = addressesMax(items);
    const example = items.find(({ address }) => address !== '')?.address;
    const such = showAll && example !== undefined ? `, such as ${cut(example, 48)}` : '';
    const reached =
      seen > 1
        ? `It was at least ${wholeNumber(seen)} addresses${such}`
        : `It was ${portsText(items)}${such}`;
    const ports = seen > 1 ? `, ${portsText(items)}` : '';
    const where = `${reached}${ports}${ownersText(items, showAll)}.`;
    return [where, programsText(items), suspicion(items)].filter((each) => each !== '').join(' ');
  },
  line: ({ program, address, port, tries, owner }) =>
    [
      program === '' ? 'a program' : cut(program, programMax),
      `port ${port}${address === '' ? '' : ` of ${cut(address, 48)}`}`,
      owner === '' ? '' : `which is ${cut(owner, 64)}'s`,
      tries > 1 ? `${wholeNumber(tries)} times` : '',
    ]
      .filter((each) => each !== '')
      .join(', '),
  redact: (each) => ({ ...each, address: '', owner: '' }),
};

const addressesMax = (items: readonly Attempt[]): number =>
  items.reduce((most, { addresses }) => Math.max(most, addresses), 0);

function portsText(items: readonly Attempt[]): string {
  const ports = [...new Set(items.map(({ port }) => String(port)))];
  return `${ports.length === 1 ? 'port' : 'ports'} ${listSome(ports, shownMax)}`;
}

function ownersText(items: readonly Attempt[], showAll: boolean): string {
  const owners = [...new Set(items.map(({ owner }) => owner))].filter((each) => each !== '');
  if (!showAll || owners.length === 0) return '';
  return `, of ${listSome(
    owners.map((each) => cut(each, 64)),
    shownMax,
  )}`;
}

/** Programs by their tries, the most first. */
function programsText(items: readonly Attempt[]): string {
  const tries = new Map<string, number>();
  for (const { program, tries: more } of items)
    if (program !== '') tries.set(program, (tries.get(program) ?? 0) + more);
  const sorted = [...tries]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name]) => cut(name, programMax));
  if (sorted.length === 0) return '';
  if (sorted.length === 1) return `The program was ${sorted[0] ?? ''}.`;
  return `Most by ${sorted[0] ?? ''}; ${count(sorted.length - 1, 'other program was', 'other programs were')} seen: ${listSome(sorted.slice(1), shownMax)}.`;
}

/** The number of addresses from which on tries are no mistake of a program. */
const manyAddresses = 20;
const mailPorts = [25, 465, 587];

/** Says what it looks like, if most of what was tried is one port of many addresses. */
function suspicion(items: readonly Attempt[]): string {
  const tries = new Map<number, number>();
  for (const { port, tries: more } of items) tries.set(port, (tries.get(port) ?? 0) + more);
  const all = [...tries.values()].reduce((sum, each) => sum + each, 0);
  const [port, most] = [...tries].reduce((max, each) => (each[1] > max[1] ? each : max), [0, 0]);
  if (addressesMax(items) < manyAddresses || most <= all / 2) return '';
  return mailPorts.includes(port)
    ? 'So many mail servers: a hacked script is likely.'
    : `Port ${port} of so many addresses: that looks like a scan.`;
}
