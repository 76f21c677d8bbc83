/**
 * `/proc/sys/net/ipv4/ip_unprivileged_port_start`: `1024`. It applies to IPv6, too. Source: ip(7).
 */
import { readText } from '../../../packages/base/io/read.ts';

/**
 * Returns the first port that every account may listen on; the kernel's default if it is not shown.
 */
export function unprivilegedPortStart(proc: string): number {
  const text = readText(`${proc}/sys/net/ipv4/ip_unprivileged_port_start`)?.trim() ?? '';
  return /^\d+$/.test(text) ? Number(text) : 1024;
}
