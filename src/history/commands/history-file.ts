/**
 * The file in which a tenant's history goes to another host: a head, which the host signs, and the records as JSON in
 * zstd. The head has the hash and the length of the JSON, so nothing is unpacked beyond what was signed.
 *
 *     {"kind":"bulkhead-history","head":"{\"format\":1,\"fleet\":\"example\",\"host\":\"web-017\",…}",
 *      "key":"…","signature":"…","packed":"KLUv…"}
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { movedBytesMax } from '../../store/moved/moved-record.ts';

export interface HistoryHead {
  readonly format: 1;
  /** The fleet of the host; null if it is in none: then the file has no signature. */
  readonly fleet: string | null;
  readonly host: string;
  /** The name of the account. */
  readonly tenant: string;
  /** The time of the export: an ISO time in UTC. */
  readonly made: string;
  /** The hash of the JSON, and its length. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface HistoryFile {
  readonly head: HistoryHead;
  /** The exact text of the head, which is signed. */
  readonly headText: string;
  /** Absent if the file has no signature. */
  readonly seal?: { readonly key: string; readonly signature: string };
  /** Base64 of zstd. */
  readonly packed: string;
}

const kind = 'bulkhead-history';
/** Base64 of text that cannot be compressed, and the head. */
export const historyFileBytesMax = Math.ceil((movedBytesMax * 4) / 3) + 2 ** 17;

export const historyFileText = ({ headText, seal, packed }: Omit<HistoryFile, 'head'>): string =>
  `${JSON.stringify({ kind, head: headText, ...seal, packed })}\n`;

const damaged = (reason: string) => fail({ reason: `it is not a history of a tenant: ${reason}` });

/** Parses a file; nothing of it is unpacked or verified yet. */
export function parseHistoryFile(text: string): Result<HistoryFile, Cause> {
  const file = parseObject(text);
  if (file === undefined) return damaged('it is not a JSON object');
  if (file['kind'] !== kind) return damaged(`its kind is not "${kind}"`);
  const { head: headText, key, signature, packed } = file;
  if (typeof headText !== 'string' || headText.length > 4096) return damaged('it has no head');
  if (typeof packed !== 'string') return damaged('it has no records');
  const head = readHead(parseObject(headText));
  if (!head.ok) return head;
  if (key === undefined && signature === undefined)
    return ok({ head: head.value, headText, packed });
  if (!isShort(key) || !isShort(signature)) return damaged('its signature is none');
  return ok({ head: head.value, headText, seal: { key, signature }, packed });
}

const isShort = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9_-]{1,128}$/.test(value);

function readHead(head: unknown): Result<HistoryHead, Cause> {
  if (!isObject(head)) return damaged('its head is not JSON');
  const { format, fleet, host, tenant, made, sha256, bytes } = head;
  if (format !== 1)
    return fail({
      reason: 'its format is not known',
      hint: 'install the version of the host that exported it',
    });
  const isRight =
    (fleet === null || isName(fleet)) &&
    isName(host) &&
    isName(tenant) &&
    isName(made) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256);
  if (!isRight) return damaged('its head has values that cannot be right');
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0)
    return damaged('its head has no length');
  if (bytes > movedBytesMax)
    return damaged(`it says that it unpacks to ${bytes} bytes; at most ${movedBytesMax} may be`);
  return ok({ format, fleet, host, tenant, made, sha256, bytes });
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && /^[\p{L}\p{N}_.@:+$ -]{1,253}$/u.test(value);
