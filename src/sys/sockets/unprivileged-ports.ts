/** `/proc/sys/net/ipv4/ip_unprivileged_port_start`: `1024`. It is for IPv6 too. Source: ip(7). */
import { readText } from '../files/read.ts';

/** The first port that every account may listen on; where the kernel does not say, its default. */
export function unprivilegedPortStart(proc: string): number {
  const text = readText(`${proc}/sys/net/ipv4/ip_unprivileged_port_start`)?.trim() ?? '';
  return /^\d+$/.test(text) ? Number(text) : 1024;
}
