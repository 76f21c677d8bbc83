/** Reads a directory that `fleet publish` has written: the release whose rollout a controller leads, verified as hosts do. */
import { join } from 'node:path';
import { namesIn } from '../../../../packages/base/io/read.ts';
import { cannotRead, decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { ReleaseHead, TrustDocument } from '../../core/documents.ts';
import { namePattern } from '../../core/fields.ts';
import { limits, parseBundle } from '../../core/parse.ts';
import { wavesOf, type HostWave, type RolloutPlan } from '../../core/rollout/plan.ts';
import { fleetFiles } from '../directory/fleet-directory.ts';
import { readTrustFile } from '../given-trust.ts';
import { verifyHead, verifyHost } from '../verify/verify-bundle.ts';

export interface PublishedFleet {
  readonly trust: TrustDocument;
  readonly plan: RolloutPlan;
}

/** `now` is in milliseconds since 1970. */
export function readPublished(directory: string, now: number): Result<PublishedFleet, Problem> {
  const given = readTrustFile(join(directory, fleetFiles.trust));
  if (!given.ok) return given;
  const { trust } = given.value;
  const below = join(directory, 'hosts');
  const reader = new BundleReader(trust, now);
  for (const file of namesIn(below)) {
    const host = file.slice(0, -'.json'.length);
    if (!file.endsWith('.json') || !namePattern.test(host)) continue;
    const read = readBounded(join(below, file), limits.bundleChars);
    if (!read.ok) return read;
    const problem = reader.add(host, decodeText(read.value));
    if (problem !== undefined) return cannotRead(join(below, file), problem);
  }
  const plan = reader.plan();
  return plan.ok ? ok({ trust, plan: plan.value }) : cannotRead(below, plan.error);
}

const mixed = {
  reason: 'it is not of the same release as the others',
  hint: 'run "bulkhead fleet publish" to its end, and then this again',
};

class BundleReader {
  readonly #trust: TrustDocument;
  readonly #now: number;
  readonly #hosts: HostWave[] = [];
  #envelope = '';
  #head: ReleaseHead | undefined;

  constructor(trust: TrustDocument, now: number) {
    this.#trust = trust;
    this.#now = now;
  }

  /** Returns why a bundle cannot be rolled out. */
  add(host: string, text: string): Cause | undefined {
    const parsed = parseBundle(text);
    if (!parsed.ok) return parsed.error;
    const { head: envelope, host: document } = parsed.value;
    if (this.#head === undefined) {
      const { fleet } = this.#trust;
      const known = { fleet, newest: undefined, now: this.#now };
      const head = verifyHead(envelope, this.#trust, known);
      if (!head.ok) return head.error;
      this.#head = head.value;
      this.#envelope = envelope.document;
    } else if (envelope.document !== this.#envelope) return mixed;
    const verified = verifyHost(document, this.#head, { host });
    if (!verified.ok) return verified.error;
    this.#hosts.push({ host, wave: verified.value.wave });
    return undefined;
  }

  plan(): Result<RolloutPlan, Cause> {
    const head = this.#head;
    if (head === undefined)
      return fail({ reason: 'no release is published', hint: 'run "bulkhead fleet publish"' });
    if (this.#hosts.length !== head.hosts)
      return fail({
        reason: `it has ${this.#hosts.length} of ${head.hosts} hosts`,
        hint: mixed.hint,
      });
    return ok({ head, waves: wavesOf(this.#hosts) });
  }
}
