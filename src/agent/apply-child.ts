/**
 * Applies a policy in a process of its own, since making room in a tenant's memory, or a command of
 * systemd, may take a while, and the agent has to go on looking.
 *
 * In: `{"instance":"bulkhead","file":"/etc/bulkhead/policy.xml","text":"…"}`, then the end.
 * Out: `{"changes":12,"failures":["Cannot …"],"homes":[[1001,"131073.1764"]]}` or `{"error":"…"}`.
 */
import { text } from 'node:stream/consumers';
import { markHomes } from '../host/homes.ts';
import { linuxHost } from '../host/host.ts';
import { pathsOf } from '../host/paths.ts';
import { applyPolicy } from './life.ts';
import { resolveText } from './load.ts';

export interface ApplyRequest {
  readonly instance: string;
  readonly file: string;
  readonly text: string;
}

export type ApplyReply =
  | {
      readonly changes: number;
      readonly failures: readonly string[];
      /** What tells home directories apart, by uid. */
      readonly homes: readonly (readonly [uid: number, mark: string])[];
    }
  | { readonly error: string };

function apply({ instance, file, text }: ApplyRequest): ApplyReply {
  const host = linuxHost(pathsOf(instance));
  const { policy, diagnostics } = resolveText(file, text, host.paths);
  if (policy === undefined) return { error: diagnostics[0]?.message ?? 'the policy is wrong' };
  const applied = applyPolicy(policy, host, { kill: false, force: false });
  if (!applied.ok) return { error: applied.error };
  const { operations, failures } = applied.value;
  const accounts = [...policy.tenants, ...policy.resellers].flatMap(({ account }) => account ?? []);
  return {
    changes: operations.length,
    failures: failures.map((each) => each.message),
    homes: markHomes(accounts, host.paths),
  };
}

const request = JSON.parse(await text(process.stdin)) as ApplyRequest;
process.stdout.write(JSON.stringify(apply(request)));
