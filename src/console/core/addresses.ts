/** The addresses on which systemd listens for the console: both families or one that cannot be mistaken for another. */
import type { ConsoleSettings } from '../../policy/elements/console-settings.ts';
import { valueKinds, type Endpoint } from '../../policy/value-kinds.ts';

const pairs = [
  ['0.0.0.0', '::'],
  ['127.0.0.1', '::1'],
] as const;

/**
 * Returns all addresses for `0.0.0.0` and `::`, and both loopback addresses for one of them: somebody else could take the
 * port on the other one, and a name leads browsers to either.
 */
export function addressesOf({ host, port }: Endpoint, hasIpv6: boolean): readonly string[] {
  const pair = pairs.find((each) => each.some((one) => one === host)) ?? [host];
  return pair
    .filter((each) => hasIpv6 || each === host || !each.includes(':'))
    .map((each) => valueKinds.endpoint.format({ host: each, port }));
}

/** Returns the URLs on the network, for people; never by a name, which also somebody else can have. */
export const listensAt = (settings: ConsoleSettings | undefined): readonly string[] =>
  settings?.tls === undefined
    ? []
    : addressesOf(settings.tls.listen, true).map((each) => `https://${each}`);

/** Returns the drop-in of the socket unit. */
export const dropInText = (addresses: readonly string[]): string =>
  [
    '# Written by "bulkhead console enable" from <console listen="…"/> of the policy.',
    '[Socket]',
    ...addresses.map((each) => `ListenStream=${each}`),
    '',
  ].join('\n');
