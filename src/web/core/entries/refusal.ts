/**
 * A datagram about a refused request.
 *
 *     <190>Nov 26 04:48:24 bulkhead: {"owner":"1001","site":"shop.example","client":"203.0.113.7","method":"GET","url":"/a?b"}
 *
 *     <13>Nov 26 05:34:31 bulkhead: bulkhead-apache shop.example 203.0.113.7 D; GET /a?b HTTP/1.1
 *
 * Everything but the owner, or at Apache the name of the vhost, comes from a visitor: its texts are made printable and short. Where a datagram has been cut, or
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
/** What syslog has before a message; nothing of a visitor's may be before what names a tenant. */
const head = String.raw`^(?:<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d bulkhead: )?`;
const ownerFirst = new RegExp(String.raw`${head}\{"owner":"(\d{1,10})"`);
const lengths = { site: 255, client: 64, method: 16, url: 500 };

/** `apacheOwners`: tenants by the names of Apache's vhosts. Nothing for what is none. */
export function parseRefusal(
  text: string,
  apacheOwners: ReadonlyMap<string, number> = new Map(),
): Refusal | undefined {
  return fromNginx(text) ?? fromApache(text, apacheOwners);
}

function fromNginx(text: string): Refusal | undefined {
  const owner = ownerFirst.exec(text)?.[1];
  if (owner === undefined) return undefined;
  const fields = fieldsOf(text.slice(text.indexOf('{')));
  return refusalOf(Number(owner), fields);
}

/** `D` is mod_qos's word for what it has refused; a site can answer 508 for reasons of its own. */
const apacheLine = new RegExp(
  String.raw`${head}bulkhead-apache (?<site>\S{1,300}) (?<client>\S{1,100}) \S{0,20}D\S{0,20} (?<method>\S*) ?(?<url>.*?)(?: HTTP/[\d.]+)?$`,
  's',
);

function fromApache(text: string, owners: ReadonlyMap<string, number>): Refusal | undefined {
  const fields = apacheLine.exec(text)?.groups;
  const owner = fields === undefined ? undefined : owners.get(fields['site']?.toLowerCase() ?? '');
  return owner === undefined || fields === undefined ? undefined : refusalOf(owner, fields);
}

function refusalOf(owner: number, fields: Readonly<Record<string, unknown>>): Refusal {
  const short = (name: keyof typeof lengths): string => {
    const value = fields[name];
    return typeof value === 'string' ? printable(value.slice(0, lengths[name])) : '';
  };
  return {
    owner,
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
