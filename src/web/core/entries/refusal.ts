/**
 * A datagram about a refused request.
 *
 *     <190>Nov 26 04:48:24 bulkhead: {"owner":"1001","of":"u1001/shop.example","site":"shop.example","client":"203.0.113.7","method":"GET","url":"/a?b"}
 *
 *     <13>Nov 26 05:34:31 bulkhead: bulkhead-apache shop.example 203.0.113.7 D; GET /a?b HTTP/1.1
 *
 * Everything but the limit's owner, or at Apache the name of the vhost, comes from a visitor: its texts are made
 * printable and short. If a datagram has been cut, or is not JSON for another reason, only the limit's owner is used.
 * Source: ngx_syslog.c, ngx_http_log_module.c (escape=json).
 */
import { printable } from '../../../../packages/base/printable.ts';
import type { Member } from '../../../usage/member.ts';

export interface EntryRefusal {
  /** The tenant, site or reseller whose limit refused the request. */
  readonly member: Member;
  readonly site: string;
  readonly client: string;
  readonly method: string;
  readonly url: string;
}

/** nginx takes a request line of 8 KiB, of which JSON may make six times as much. */
export const datagramBytesMax = 64 * 2 ** 10;
/** The text that syslog puts before a message. No text of a visitor's may precede the one that names a tenant. */
const head = String.raw`^(?:<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d bulkhead: )?`;
const ownerFirst = new RegExp(
  String.raw`${head}\{"owner":"(?<owner>\d{1,10})"(?:,"of":"(?<of>[a-z0-9._/-]{1,270})")?`,
);
/** The maximum lengths of a visitor's texts, before they are made printable. */
export const refusalLengths = { site: 255, client: 64, method: 16, url: 500 };

/** Returns the name of a member, if the text is one. */
export function memberIn(text: unknown): Member | undefined {
  const isMember =
    typeof text === 'string' && /^(?:r\d{1,10}|u\d{1,10}(?:\/[a-z0-9._-]{1,253})?)$/.test(text);
  return isMember ? (text as Member) : undefined;
}

/**
 * Parses a datagram; returns nothing if it is not about a refusal. `apacheOwners` has the limit's owner by the name of
 * the Apache vhost.
 */
export function parseEntryRefusal(
  text: string,
  apacheOwners: ReadonlyMap<string, Member> = new Map(),
): EntryRefusal | undefined {
  return fromNginx(text) ?? fromApache(text, apacheOwners);
}

function fromNginx(text: string): EntryRefusal | undefined {
  const found = ownerFirst.exec(text)?.groups;
  if (found === undefined) return undefined;
  const member = memberIn(found['of'] ?? `u${found['owner']}`);
  return member && refusalOf(member, fieldsOf(text.slice(text.indexOf('{'))));
}

/**
 * The format of Apache's line. `D` is mod_qos's mark for a refused request; a site can answer 508 for reasons of its
 * own.
 */
const apacheLine = new RegExp(
  String.raw`${head}bulkhead-apache (?<site>\S{1,300}) (?<client>\S{1,100}) \S{0,20}D\S{0,20} (?<method>\S*) ?(?<url>.*?)(?: HTTP/[\d.]+)?$`,
  's',
);

function fromApache(text: string, owners: ReadonlyMap<string, Member>): EntryRefusal | undefined {
  const fields = apacheLine.exec(text)?.groups;
  const member = fields === undefined ? undefined : owners.get(fields['site']?.toLowerCase() ?? '');
  return member === undefined || fields === undefined ? undefined : refusalOf(member, fields);
}

function refusalOf(member: Member, fields: Readonly<Record<string, unknown>>): EntryRefusal {
  const short = (name: keyof typeof refusalLengths): string => {
    const value = fields[name];
    return typeof value === 'string' ? printable(value.slice(0, refusalLengths[name])) : '';
  };
  return {
    member,
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
