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
    const example = items.find(({ address }) => address !== '')?.address;
    const address = showAll && example !== undefined ? cut(example, 48) : '';
    const where = `${placeText(items, address)}${ownersText(items, showAll)}.`;
    return [where, programsText(items), suspicion(items)].filter((each) => each !== '').join(' ');
  },
  line: ({ program, address, port, tries, owner }) =>
    [
      program === '' ? 'a program' : cut(program, programMax),
      `${address === '' ? '' : `${cut(address, 48)} `}port ${port}`,
      owner === '' ? '' : `which belongs to ${cut(owner, 64)}`,
      tries > 1 ? `${wholeNumber(tries)} times` : '',
    ]
      .filter((each) => each !== '')
      .join(', '),
  redact: (each) => ({ ...each, address: '', owner: '' }),
};

const addressesMax = (items: readonly Attempt[]): number =>
  items.reduce((most, { addresses }) => Math.max(most, addresses), 0);

const portsOf = (items: readonly Attempt[]) => [...new Set(items.map(({ port }) => String(port)))];

/** Describes addresses and ports; `address` is one of them, or empty. */
function placeText(items: readonly Attempt[], address: string): string {
  const seen = addressesMax(items);
  const ports = portsOf(items);
  const list = listSome(ports, shownMax);
  const at = `at ${ports.length === 1 ? 'port' : 'ports'} ${list}`;
  if (seen > 1) {
    const such = address === '' ? '' : `, such as ${address}`;
    return `At least ${wholeNumber(seen)} addresses were involved${such}, ${at}`;
  }
  if (address !== '') return `The address was ${address}, ${at}`;
  return ports.length === 1 ? `The port was ${list}` : `The ports were ${list}`;
}

function ownersText(items: readonly Attempt[], showAll: boolean): string {
  const owners = [...new Set(items.map(({ owner }) => owner))].filter((each) => each !== '');
  if (!showAll || owners.length === 0) return '';
  const names = listSome(
    owners.map((each) => cut(each, 64)),
    shownMax,
  );
  return `, which ${portsOf(items).length === 1 ? 'belongs' : 'belong'} to ${names}`;
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
  return `Most attempts were made by ${sorted[0] ?? ''}; ${count(sorted.length - 1, 'other program was', 'other programs were')} seen: ${listSome(sorted.slice(1), shownMax)}.`;
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
    ? 'So many mail servers suggest a hacked script.'
    : `Port ${port} at so many addresses looks like a port scan.`;
}
