/** Gets the record of a rollout from web servers, beside the release, for a host whose fleet has controllers. */
import { printable } from '../../../packages/base/printable.ts';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { callAgent } from '../../agent/api/client.ts';
import type { FleetResponse } from '../../agent/api/fleet-api.ts';
import { printError } from '../../cli/shared/output.ts';
import type { Paths } from '../../host/paths.ts';
import { recordCharsMax } from '../core/rollout/parse-record.ts';
import { fetchBundle, rolloutUrl } from '../io/pull/fetch-bundle.ts';

interface PulledRecord {
  readonly url: string;
  readonly text: string;
}

/**
 * Hands over the records of all servers, what claims to be the newest first: none must keep the host from what another
 * one has. Only the newest counts there, so the refusals of others are no news.
 */
export async function pullRecord(
  paths: Paths,
  bases: readonly string[],
  timeoutMilliseconds: number,
): Promise<void> {
  const all = await Promise.all(bases.map((base) => recordFrom(base, timeoutMilliseconds)));
  const found = new Map<string, PulledRecord>();
  for (const each of all)
    if (!each.ok) printError(each.error);
    else found.set(each.value.text, each.value);
  const problems: string[] = [];
  let isTaken = false;
  const newest = [...found.values()].toSorted((a, b) => claimOf(b.text) - claimOf(a.text));
  for (const { url, text } of newest) {
    const taken = await callAgent<FleetResponse>(
      paths,
      '/v1/fleet/record',
      {},
      { method: 'POST', body: text },
    );
    if (taken.ok) isTaken = true;
    else problems.push(`${printable(url)}: ${formatProblem(taken.error)}`);
  }
  if (!isTaken) for (const each of problems) printError(each);
}

/** Returns the number that a record claims. Nobody has verified it. */
const claimOf = (text: string): number =>
  Number(/\\"sequence\\":(\d{1,16}),/.exec(text.slice(0, recordCharsMax))?.[1] ?? 0);

async function recordFrom(
  base: string,
  timeoutMilliseconds: number,
): Promise<Result<PulledRecord, Problem>> {
  const url = rolloutUrl(base);
  if (!url.ok) return failed({ action: 'use the address', object: base, ...url.error });
  const { href } = url.value;
  const fetched = await fetchBundle(url.value, undefined, timeoutMilliseconds);
  if (!fetched.ok) return fetched;
  const text = fetched.value.kind === 'new' ? fetched.value.bundle : '';
  if (text.length <= recordCharsMax) return ok({ url: href, text });
  const reason = `it has more than ${recordCharsMax} characters`;
  return failed({ action: 'take the record of', object: href, reason });
}
