/** Kinds of values that are addresses or ports. */
import {
  formatAddress,
  isMapped,
  parseAddress,
  samePrefix,
  unmapped,
  withoutHostBits,
} from '../../../packages/base/ip-address.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { formatPorts, formatPrefix, type AddressPrefix, type PortRange } from './reach.ts';

const port = String.raw`\d{1,5}(-\d{1,5})?`;
const portMax = 65_535;

export const networkKinds = {
  address: {
    form: 'an address, or a prefix such as `10.0.0.0/8` or `2001:db8::/32`',
    pattern: String.raw`[0-9A-Fa-f:.]{2,45}(/\d{1,3})?`,
    parse: parsePrefix,
    format: formatPrefix,
  },
  ports: {
    form: 'ports and ranges such as `443 8000-8010`, separated by spaces or commas',
    pattern: String.raw`[\s,]*${port}([\s,]+${port})*[\s,]*`,
    parse: parsePorts,
    format: formatPorts,
  },
} as const;

/** Parses an address with or without its number of bits. Only addresses of other hosts make sense here. */
function parsePrefix(text: string): Result<AddressPrefix, Cause> {
  const [written = '', bits, ...more] = text.split('/');
  const address = parseAddress(written);
  if (address === undefined || more.length > 0) return fail(notAnAddress(text));
  const bitsMax = 8 * address.length;
  const prefix = bits === undefined ? bitsMax : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (!(prefix <= bitsMax)) {
    return fail({
      reason: `"${text}" has no prefix of 0 to ${bitsMax} bits`,
      hint: `write for example "${formatAddress(address)}/${bitsMax}"`,
    });
  }
  if (isMapped(address)) return fail(mapped(text, address, prefix));
  const plain = withoutHostBits(address, prefix);
  if (!samePrefix(plain, address, bitsMax)) {
    const [all, one] = [formatPrefix({ address: plain, prefix }), formatAddress(address)];
    return fail({
      reason: `"${text}" has bits beyond its prefix of ${prefix}`,
      hint: `write "${all}" for all of them, or "${one}" for one address`,
    });
  }
  return isThisHost({ address, prefix }) ? fail(thisHost(text)) : ok({ address, prefix });
}

const notAnAddress = (text: string): Cause => ({
  reason: `"${text}" is not an address or a prefix`,
  hint: /[g-z]/i.test(text)
    ? 'names of hosts are not possible, since what they stand for changes; write addresses, for example "192.0.2.1"'
    : 'write for example "10.0.0.0/8", "2001:db8::/32" or "192.0.2.1"',
});

function mapped(text: string, address: Uint8Array, prefix: number): Cause {
  const four = unmapped(address);
  const plain = { address: withoutHostBits(four, prefix - 96), prefix: prefix - 96 };
  return {
    reason: `"${text}" is an IPv4 address in the form of IPv6; rules for IPv4 count for both forms`,
    hint: `write "${formatPrefix(prefix < 96 ? { address: four, prefix: 32 } : plain)}"`,
  };
}

const ownPrefixes: readonly AddressPrefix[] = [
  { address: Uint8Array.of(127, 0, 0, 0), prefix: 8 },
  { address: Uint8Array.of(0, 0, 0, 0), prefix: 8 },
  { address: new Uint8Array(16), prefix: 96 },
];

const isThisHost = ({ address, prefix }: AddressPrefix): boolean =>
  ownPrefixes.some((own) => prefix >= own.prefix && samePrefix(own.address, address, own.prefix));

const thisHost = (text: string): Cause => ({
  reason: `"${text}" is this host itself, for which there are no rules`,
  hint: '<reach tenants="no"> refuses services of other tenants; remove it',
});

function parsePorts(text: string): Result<readonly PortRange[], Cause> {
  const words = text.split(/[\s,]+/).filter((each) => each !== '');
  if (words.length === 0) return fail(notPorts(text));
  const ranges: PortRange[] = [];
  for (const word of words) {
    const parsed = parsePortRange(word);
    if (!parsed.ok) return parsed;
    ranges.push(parsed.value);
  }
  return ok(ranges);
}

/** Parses one range of an attribute, which are reported one by one. */
export function parsePortRange(text: string): Result<PortRange, Cause> {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null) return fail(notPorts(text));
  if (first > last)
    return fail({ reason: `The range "${text}" is backwards`, hint: `write "${last}-${first}"` });
  if (first >= 1 && last <= portMax) return ok({ first, last });
  return fail({ reason: `"${text}" is not within the ports 1 to ${portMax}` });
}

const notPorts = (text: string): Cause => ({
  reason: `"${text}" is not a port or a range of ports`,
  hint: 'write for example "443" or "8000-8010"',
});
