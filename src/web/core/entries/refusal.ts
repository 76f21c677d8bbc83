/**
 * A datagram about a refused request.
 *
 *     <190>Nov 26 04:48:24 bulkhead: {"owner":"1001","site":"shop.example","client":"203.0.113.7","method":"GET","url":"/a?b"}
 *
 * Everything but the owner comes from a visitor: its texts are made printable and short. Where a datagram has been cut, or
 * is otherwise not JSON, the owner alone counts.
 * Source: ngx_syslog.c, ngx_http_log_module.c (escape=json).
 */
import { printable } from '../../../base/printable.ts';

export interface Refusal {
  /** The uid of the tenant. */
  readonly owner: number;
  readonly site: string;
  readonly client: string;
  readonly method: string;
  readonly url: string;
}

/** nginx takes a request line of 8 KiB, of which JSON may make six times as much. */
export const datagramBytesMax = 64 * 2 ** 10;
const ownerFirst = /^(?:<\d{1,3}>[^{]{0,100})?\{"owner":"(\d{1,10})"/;
const lengths = { site: 255, client: 64, method: 16, url: 500 };

/** Nothing for what is none. */
export function parseRefusal(text: string): Refusal | undefined {
  const owner = ownerFirst.exec(text)?.[1];
  if (owner === undefined) return undefined;
  const fields = fieldsOf(text.slice(text.indexOf('{')));
  const short = (name: keyof typeof lengths): string => {
    const value = fields[name];
    return typeof value === 'string' ? printable(value.slice(0, lengths[name])) : '';
  };
  return {
    owner: Number(owner),
    site: short('site'),
    client: short('client'),
    method: short('method'),
    url: short('url'),
  };
}

function fieldsOf(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
