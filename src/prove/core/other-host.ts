/**
 * Another host, for attacks that lead to one: a network namespace at the end of a wire, with addresses that exist nowhere
 * else. A socket of an attack is bound to the wire's device, so that nothing leaves this host, even if the wire has gone.
 *
 *     198.18.0.0/15       is for tests of devices (RFC 2544)
 *     169.254.0.0/16      metadata services are in it; each host uses a few addresses, and these are not among them
 *     fd00::/8            local addresses (RFC 4193)
 */
export interface OtherHost {
  /** This host's end of the wire. */
  readonly device: string;
  /** This host's address there. */
  readonly here: string;
  readonly here6: string;
  /** Addresses of the other host that no rule is about. */
  readonly plain: string;
  readonly plain6: string;
  /** Addresses that the scratch policy refuses. */
  readonly refused: string;
  readonly refused6: string;
  /** Addresses in the prefixes of metadata services. */
  readonly metadata: string;
  readonly metadata6: string;
}

/** Ports of the other host. */
export const otherPorts = {
  mail: 25,
  /** It greets, by TCP and by UDP. */
  greeting: 80,
  /** It connects back to the port that it reads. */
  back: 7001,
  /** It takes all, and answers with the rate. */
  sink: 7002,
} as const;

/** The number of networks that `otherHost()` can name. */
export const otherHostsMax = 256 * 32;

/** Returns the names of a run's wire and addresses; two runs at a time have other numbers. */
export function otherHost(number: number): OtherHost {
  const [third, first] = [number % 256, 8 * (Math.floor(number / 256) % 32)];
  const four = (last: number) => `198.18.${third}.${first + last}`;
  const six = (last: number) => `fd62:7668:${number.toString(16)}::${last}`;
  return {
    device: `bhprove${number}`,
    here: four(1),
    here6: six(1),
    plain: four(2),
    plain6: six(2),
    refused: four(3),
    refused6: six(3),
    metadata: `169.254.199.${1 + (number % 254)}`,
    metadata6: `fe80::6268:${(1 + number).toString(16)}`,
  };
}
