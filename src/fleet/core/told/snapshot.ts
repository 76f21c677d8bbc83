/**
 * The hosts of a fleet in a file: their centre, which has no rights, writes it for the agent of the same machine, which
 * trusts nothing in it. It has a line about the fleet and a line for each host, so that whatever is in it is read in
 * small pieces.
 *
 *     {"format":1,"fleet":"example","at":1801396800000,"count":1000,"rollout":{…},"problem":null}
 *     {"host":"web-017","wave":1,"status":"{\"format\":1,…}","receivedAt":1801396800000,"heard":…}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import {
  formatOne,
  list,
  name,
  object,
  oneOf,
  orNull,
  text,
  time,
  whole,
  yesNo,
  type Shape,
} from '../fields.ts';
import { parseShape } from '../parse.ts';
import { verdicts, wavesMax, type RolloutVerdict } from '../rollout/record.ts';

export const snapshotBytesMax = 16 * 2 ** 20;
export const snapshotHostsMax = 10_000;
const lineCharsMax = 64 * 2 ** 10;
const textCharsMax = 500;
/** The last moment that a date can have. */
const momentMax = 8.64e15;

export interface SnapshotRecord {
  readonly generation: number;
  readonly verdict: RolloutVerdict;
  readonly wave: number;
  readonly issued: string;
  readonly isFresh: boolean;
  readonly reason: string;
}

export interface SnapshotRollout {
  readonly generation: number;
  readonly waves: readonly { readonly hosts: number; readonly isOpen: boolean }[];
  readonly record: SnapshotRecord | null;
}

export interface SnapshotHead {
  readonly format: 1;
  readonly fleet: string;
  /** The time when it was written, in milliseconds since 1970. */
  readonly at: number;
  /** The number of hosts, also of those that are left out. */
  readonly count: number;
  readonly rollout: SnapshotRollout | null;
  /** The reason why there is no rollout, or why its record does not count. */
  readonly problem: string | null;
}

export interface SnapshotHost {
  readonly host: string;
  /** The wave of the published release; null: it is not in it. */
  readonly wave: number | null;
  /** The text of its last status; null: none has come. */
  readonly status: string | null;
  /** The time when that came, in milliseconds since 1970. */
  readonly receivedAt: number;
  /** The same as an ISO time in UTC. */
  readonly heard: string;
  /** The reason why its newest message was refused. */
  readonly refused: string | null;
  readonly mark: {
    readonly epoch: string;
    readonly stored: number;
    readonly lost: number;
  } | null;
}

export interface Snapshot {
  readonly head: SnapshotHead;
  /** Sorted by name, each once. */
  readonly hosts: readonly SnapshotHost[];
}

const headShape: Shape<SnapshotHead> = {
  format: formatOne,
  fleet: name,
  at: whole(0, momentMax),
  count: whole(0),
  rollout: orNull(
    object<SnapshotRollout>({
      generation: whole(1),
      waves: list(object({ hosts: whole(0), isOpen: yesNo }), 0, wavesMax),
      record: orNull(
        object<SnapshotRecord>({
          generation: whole(1),
          verdict: oneOf(verdicts),
          wave: whole(1, wavesMax),
          issued: time,
          isFresh: yesNo,
          reason: text(textCharsMax),
        }),
      ),
    }),
  ),
  problem: orNull(text(textCharsMax)),
};

const hostShape: Shape<SnapshotHost> = {
  host: name,
  wave: orNull(whole(1, wavesMax)),
  status: orNull(text(lineCharsMax)),
  receivedAt: whole(0, momentMax),
  heard: time,
  refused: orNull(text(textCharsMax)),
  mark: orNull(object({ epoch: name, stored: whole(0), lost: whole(0) })),
};

/** Returns a sentence as a snapshot takes it. */
export const snapshotSentence = (sentence: string): string => sentence.slice(0, textCharsMax);

/** Returns the text of the file; hosts for which it has no space are left out. The hosts are in the order of their names. */
export function snapshotText({ head, hosts }: Snapshot): string {
  const lines = [JSON.stringify(head)];
  let bytes = Buffer.byteLength(lines[0] ?? '') + 1;
  for (const host of hosts.slice(0, snapshotHostsMax)) {
    const line = JSON.stringify(host);
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > snapshotBytesMax) break;
    lines.push(line);
  }
  return `${lines.join('\n')}\n`;
}

export function parseSnapshot(file: string): Result<Snapshot, Cause> {
  const [first = '', ...lines] = linesOf(file);
  if (lines.length > snapshotHostsMax)
    return fail({ reason: `it has more than ${snapshotHostsMax} hosts` });
  const head = parseShape('first line', first, { charsMax: lineCharsMax, shape: headShape });
  if (!head.ok) return head;
  const hosts: SnapshotHost[] = [];
  for (const line of lines) {
    const host = parseShape('line of a host', line, { charsMax: lineCharsMax, shape: hostShape });
    if (!host.ok) return host;
    if (host.value.host <= (hosts.at(-1)?.host ?? ''))
      return fail({ reason: 'its hosts are not in the order of their names' });
    hosts.push(host.value);
  }
  return ok({ head: head.value, hosts });
}

/** Returns no more lines than tell that there are too many: a file may have nothing but line ends. */
function linesOf(file: string): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < file.length && lines.length <= snapshotHostsMax + 1;) {
    const end = file.indexOf('\n', at);
    const next = end === -1 ? file.length : end;
    lines.push(file.slice(at, next));
    at = next + 1;
  }
  return lines;
}
