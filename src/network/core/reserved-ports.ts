/**
 * Ports that the kernel gives to nobody who asks for any port: `net.ipv4.ip_local_reserved_ports`. Ours are added to
 * the administrator's, and only ours are removed.
 *
 *     7001-7010,8080
 *
 * Source: ip-sysctl.rst of the kernel.
 */
import type { PortRange } from './rules.ts';

export type Ports = ReadonlySet<number>;

/** Returns undefined for a text that is not such a list. */
export function parsePorts(text: string): Ports | undefined {
  const ports = new Set<number>();
  for (const part of text.trim().split(',')) {
    if (part === '') continue;
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (first > last || last > 65_535) return undefined;
    for (let port = first; port <= last; port++) ports.add(port);
  }
  return ports;
}

export const portsOf = (ranges: readonly PortRange[]): Ports =>
  new Set(
    ranges.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, at) => first + at),
    ),
  );

/** Returns the ports in order, neighbours as ranges, as the kernel prints them. */
export function formatPorts(ports: Ports): readonly string[] {
  const ranges: { first: number; last: number }[] = [];
  for (const port of [...ports].toSorted((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range?.last === port - 1) range.last = port;
    else ranges.push({ first: port, last: port });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
}

/** Parses `32768	60999`, the range of ports for those who ask for any. Source: ip-sysctl.rst. */
export function parsePortRange(text: string): PortRange | undefined {
  const [, first, last] = /^(\d{1,5})\s+(\d{1,5})\s*$/.exec(text) ?? [];
  return first === undefined ? undefined : { first: Number(first), last: Number(last) };
}

/** Whether less than half of the range would be left: then programs of the host could not connect any more. */
export function leavesTooFew(reserved: Ports, range: PortRange): boolean {
  const size = range.last - range.first + 1;
  const taken = [...reserved].filter((port) => range.first <= port && port <= range.last).length;
  return taken > size / 2;
}

export interface ReservedPorts {
  /** The list that the kernel gets. */
  readonly all: Ports;
  /** The ports among them that we have added. */
  readonly ours: Ports;
}

/** `now`: what the kernel has; `ours`: what we added before. A port that was there without us is not ours. */
export function mergePorts(now: Ports, ours: Ports, wanted: Ports): ReservedPorts {
  const others = now.difference(ours);
  return { all: others.union(wanted), ours: wanted.difference(others) };
}
