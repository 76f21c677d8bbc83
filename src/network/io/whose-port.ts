/** Destinations on this host, and whose they are, as the programs of the kernel see it. */
import { samePrefix, unmapped } from '../../../packages/base/ip-address.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../../host/paths.ts';
import type { Destination, HereFacts } from '../core/decide.ts';
import { listenerAt, parseListeners } from '../core/listeners.ts';
import type { NetworkRules } from '../core/rules.ts';
import { readNetworkFacts } from './programs/network-facts.ts';

/** Returns what is known of a destination on this host; undefined for another host. */
export function findHere(
  { proc }: Pick<Paths, 'proc'>,
  rules: NetworkRules,
  { protocol, address, port }: Destination,
): HereFacts | undefined {
  const plain = unmapped(address);
  if (!isOwn(plain, readNetworkFacts(proc).addresses)) return undefined;
  if (protocol !== 'tcp' && protocol !== 'udp') return {};
  const served = protocol === 'tcp' ? rules.servedPorts.get(port) : undefined;
  const listeners = ['', '6'].flatMap((family) =>
    parseListeners(readText(`${proc}/net/${protocol}${family}`) ?? '', protocol),
  );
  const uid = served ?? listenerAt(listeners, plain, port)?.uid;
  const tenant = uid === undefined ? undefined : tenantOf(uid, rules);
  return tenant === undefined ? {} : { tenant };
}

function isOwn(address: Uint8Array, known: readonly Uint8Array[]): boolean {
  const isLoopback = address.length === 4 && address[0] === 127;
  const isAny = address.every((byte) => byte === 0);
  return isLoopback || isAny || known.some((each) => samePrefix(each, address, 8 * address.length));
}

/** Returns the tenant that a uid belongs to. */
function tenantOf(uid: number, { tenants, ranges }: NetworkRules): number | undefined {
  if (tenants.some((each) => each.uid === uid)) return uid;
  return ranges.find(([first, last]) => first <= uid && uid <= last)?.[2];
}
