/**
 * Real requests to sites before and after a change: sites that answered must not fail afterwards. The web server is asked
 * over loopback, with the site's name in the Host header.
 *
 * Tenants decide what their sites answer, so one of them must not be able to keep a change from everybody: each is asked
 * for one site, and the change has failed if most of them fail.
 */
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';

const { request } = process.getBuiltinModule('node:http');

const timeoutMs = 30_000;
/** More sites than this show nothing new. */
const triedMax = 5;

/** The status of each site's front page; undefined where nothing answered. */
export type SiteAnswers = ReadonlyMap<string, number | undefined>;

/** Asks one site of each tenant, up to five. */
export async function askSites(
  byTenant: ReadonlyMap<string, readonly string[]>,
): Promise<SiteAnswers> {
  const sites = [...byTenant.values()].flatMap(([first]) => first ?? []).slice(0, triedMax);
  const answers = new Map<string, number | undefined>();
  for (const site of sites) answers.set(site, await statusOf(site));
  return answers;
}

function statusOf(host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    try {
      // The signal also ends a response that comes a byte at a time.
      const signal = AbortSignal.timeout(timeoutMs);
      const where = { host: '127.0.0.1', port: 80, path: '/', headers: { host }, signal };
      const asked = request(where, (response) => {
        resolve(response.statusCode);
        response.destroy();
      });
      asked.on('error', () => resolve(undefined));
      asked.end();
    } catch {
      // The name cannot be in a header.
      resolve(undefined);
    }
  });
}

export interface SiteFailures {
  /** The sites that answered before and fail now, a sentence each. */
  readonly failures: readonly string[];
  /** Whether these are most of those that answered before. */
  readonly isGeneral: boolean;
}

const works = (status: number | undefined) => status !== undefined && status < 500;

export function compareAnswers(before: SiteAnswers, after: SiteAnswers): SiteFailures {
  const worked = [...before].filter(([, status]) => works(status));
  const failures = worked
    .filter(([site]) => !works(after.get(site)))
    .map(
      ([site, was]) =>
        `${printable(site)} answered with status ${was}, and ${said(after.get(site))}`,
    );
  return { failures, isGeneral: failures.length * 2 > worked.length };
}

const said = (status: number | undefined) =>
  status === undefined ? 'does not answer now' : `answers with status ${status} now`;

export const formatFailures = (failures: readonly string[]): string =>
  `${count(failures.length, 'site')}: ${failures.join('; ')}`;
