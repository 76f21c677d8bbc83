/**
 * Real requests to sites before and after a change: a site that answered must not fail afterwards. The web server is
 * asked over loopback, with the site's name in the Host header.
 */
import { printable } from '../../../packages/base/printable.ts';

const { request } = process.getBuiltinModule('node:http');

const timeoutMs = 30_000;
/** More sites than this show nothing new. */
export const triedMax = 5;

/** The status of each site's front page; undefined where nothing answered. */
export type SiteAnswers = ReadonlyMap<string, number | undefined>;

export async function askSites(sites: readonly string[]): Promise<SiteAnswers> {
  const answers = new Map<string, number | undefined>();
  for (const site of sites.slice(0, triedMax)) answers.set(site, await statusOf(site));
  return answers;
}

function statusOf(host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', port: 80, path: '/', headers: { host }, timeout: timeoutMs },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

/** Returns the first site that answered before and fails now, as a sentence. */
export function newFailure(before: SiteAnswers, after: SiteAnswers): string | undefined {
  for (const [site, was] of before) {
    const now = after.get(site);
    if (was === undefined || was >= 500 || (now !== undefined && now < 500)) continue;
    const said = now === undefined ? 'does not answer any more' : `answers with status ${now}`;
    return `the site ${printable(site)} answered with status ${was} before, and ${said}`;
  }
  return undefined;
}
