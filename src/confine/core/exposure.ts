/**
 * Parses how exposed systemd judges a service to be, from 0 (nothing is open) to 10.
 *
 *     → Overall exposure level for nginx.service: 9.6 UNSAFE 😨
 *
 * Source: systemd-analyze(1).
 */
export function parseExposure(text: string): number | undefined {
  const found = /Overall exposure level for \S+: (\d+\.\d)/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

export const exposureText = (exposure: number | undefined): string =>
  exposure === undefined ? '-' : exposure.toFixed(1);
