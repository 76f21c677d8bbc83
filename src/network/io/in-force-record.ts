/**
 * The rules that the agent has put in force, for commands: a try of the programs does not show which rules they have.
 *
 *     /run/bulkhead/network-rules
 *     {"generation":"mf2k8q1c-7d0e…","rules":"9f3c…"}
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { parseObject } from '../../../packages/base/json.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { NetworkRules } from '../core/rules.ts';

const recordFile = ({ runtime }: Pick<Paths, 'runtime'>) => `${runtime}/network-rules`;

/** Undefined: nothing is in force for sure. A failure shows as rules that are not in force. */
export function recordInForce(
  paths: Pick<Paths, 'runtime'>,
  record: { readonly generation: string; readonly rules: NetworkRules } | undefined,
): void {
  rmSync(recordFile(paths), { force: true });
  if (record === undefined) return;
  const text = JSON.stringify({ generation: record.generation, rules: digestOf(record.rules) });
  replaceStateFile(recordFile(paths), text);
}

/** Whether the agent has put these rules into the programs of that generation. */
export function isRecorded(
  paths: Pick<Paths, 'runtime'>,
  generation: string,
  rules: NetworkRules,
): boolean {
  const record = parseObject(readText(recordFile(paths)) ?? '');
  return record?.['generation'] === generation && record['rules'] === digestOf(rules);
}

/** Digests what is from the policy. Subordinate uids and served ports change without it, and follow within a minute. */
function digestOf({ tenants, resellers }: NetworkRules): string {
  const text = JSON.stringify([tenants, [...resellers]], (_key, value: unknown) =>
    value instanceof Uint8Array ? value.toHex() : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
