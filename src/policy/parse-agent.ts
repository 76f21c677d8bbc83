/** `<agent>` → AgentSettings, with defaults filled in and every mistake reported. */
import { attributes as limitAttributes, findAttribute } from '../limits/limits.ts';
import { severities, type LimitKey } from '../limits/limit.ts';
import { formatDuration } from '../../packages/base/duration.ts';
import { formatCause, type Cause } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { suggestion, type Diagnostics, type Located } from './diagnostic.ts';
import {
  defaultSettings,
  hostProtection,
  weekdays,
  type AgentSettings,
  type AlertRule,
  type AlertSettings,
  type AlertWords,
  type DigestRule,
  type HistorySettings,
} from './settings.ts';
import { parsePushUrl } from './elements/push-url.ts';
import { valueKinds, type Endpoint } from './value-kinds.ts';
import { childrenOf, xmlAttribute, type XmlElement } from './xml.ts';

/** `memory` is short for `memory.limit`. */
const limitNames = [...limitAttributes.keys()].flatMap((key) => [key, key.replace(/\.limit$/, '')]);

const minute = 60_000;
const hour = 60 * minute;

export function readAgent(
  element: XmlElement,
  diagnostics: Diagnostics,
  words: AlertWords,
): AgentSettings {
  const read = new AttributeReader(element, diagnostics);
  const [history] = childrenOf(element, 'history');
  const [alerts] = childrenOf(element, 'alerts');
  const listen = read.parsed('listen', parseListen);
  const tokenFile = read.parsed('token', valueKinds.path.parse);
  if (listen !== undefined && tokenFile === undefined) {
    diagnostics.error(
      element,
      '"listen" needs the attribute "token", a file with the secret, for example token="/etc/bulkhead/token"',
    );
  }
  if (listen !== undefined && !isLoopback(listen.host)) {
    read.error(
      'listen',
      `"${listen.host}" is not a loopback address; write 127.0.0.1 or [::1], and put a web server with TLS in front of it`,
    );
  }
  return {
    intervalSeconds: read.duration('interval', { min: 1000, max: hour }, 5000) / 1000,
    containers: read.choice('containers', ['leave', 'move']) ?? 'leave',
    listen,
    tokenFile,
    history: history === undefined ? defaultSettings.history : readHistory(history, diagnostics),
    alerts: alerts === undefined ? defaultSettings.alerts : readAlerts(alerts, diagnostics, words),
  };
}

function readHistory(element: XmlElement, diagnostics: Diagnostics): HistorySettings {
  const read = new AttributeReader(element, diagnostics);
  const fallback = defaultSettings.history;
  const range = { min: hour, max: 36_500 * 24 * hour };
  const pushUrl = read.parsed('push', parsePushUrl);
  return {
    detailMilliseconds: read.duration('detail', range, fallback.detailMilliseconds),
    summaryMilliseconds: read.duration('summary', range, fallback.summaryMilliseconds),
    incidentsMilliseconds: read.duration('incidents', range, fallback.incidentsMilliseconds),
    bytesMax: read.parsed('space', valueKinds.space.parse) ?? fallback.bytesMax,
    ...(pushUrl !== undefined && { pushUrl }),
  };
}

function readAlerts(
  element: XmlElement,
  diagnostics: Diagnostics,
  words: AlertWords,
): AlertSettings {
  const read = new AttributeReader(element, diagnostics);
  const all: AlertWords = new Map([...words, ['protection', [hostProtection]]]);
  return {
    from: read.parsed('from', valueKinds.mail.parse),
    smtp: read.parsed('smtp', valueKinds.endpoint.parse),
    rules: element.children.flatMap((child) => readRule(child, diagnostics, all)),
    ...readDigests(element, diagnostics),
  };
}

/** Reads the digests; those for one kind of receiver once. */
function readDigests(
  element: XmlElement,
  diagnostics: Diagnostics,
): Pick<AlertSettings, 'digests'> {
  const elements = childrenOf(element, 'digest');
  if (elements.length === 0) return {};
  const digests = elements.map((each) => readDigest(each, diagnostics));
  for (const [index, { to }] of digests.entries()) {
    const twice = elements[index];
    if (twice !== undefined && digests.findIndex((each) => each.to === to) < index)
      diagnostics.error(twice, `There is a digest to="${to}" already; write one of each kind`);
  }
  return { digests };
}

function readDigest(element: XmlElement, diagnostics: Diagnostics): DigestRule {
  const read = new AttributeReader(element, diagnostics);
  const every = read.choice('every', ['day', 'week']) ?? 'week';
  const day = read.choice('day', weekdays);
  if (every === 'day' && day !== undefined)
    read.error('day', 'A digest of every day has no "day"; remove it, or write every="week"');
  const useMin = read.parsed('choose', valueKinds.percent.parse);
  return {
    ...(useMin !== undefined && { useMin }),
    to: read.choice('to', ['reseller', 'tenant']) ?? 'tenant',
    address: read.parsed('address', valueKinds.mail.parse),
    every,
    day: day ?? 'monday',
    atMinutes: read.parsed('at', valueKinds.time.parse) ?? 7 * 60,
    useFraction: read.parsed('use', valueKinds.percent.parse) ?? 0.8,
    fullMilliseconds: read.duration('full', { min: 24 * hour, max: 8760 * hour }, 14 * 24 * hour),
    language: read.parsed('language', valueKinds.language.parse) ?? 'en',
    messagesMax: read.parsed('most', valueKinds.count.parse) ?? 1000,
  };
}

function readRule(
  element: XmlElement,
  diagnostics: Diagnostics,
  words: AlertWords,
): readonly AlertRule[] {
  const by = element.name === 'webhook' ? 'webhook' : 'mail';
  if (element.name !== by) return [];
  const read = new AttributeReader(element, diagnostics);
  const to = read.choice('to', ['administrator', 'reseller', 'tenant']) ?? 'administrator';
  const limits = read.limits('limits', words);
  if (to !== 'administrator' && limits.includes(hostProtection))
    read.error(
      'limits',
      '"protection" is about the host: only a rule with to="administrator" can have it',
    );
  return [
    {
      to,
      by,
      address:
        by === 'mail'
          ? read.parsed('address', valueKinds.mail.parse)
          : read.parsed('url', valueKinds.url.parse),
      limits,
      severity: read.choice('severity', severities) ?? 'refused',
      faults: read.parsed('faults', valueKinds.count.parse) ?? 1,
      everyMilliseconds: read.duration('every', { min: minute, max: 8760 * hour }, 12 * hour),
    },
  ];
}

/** Reads attributes of one element, and reports mistakes with their position. */
export class AttributeReader {
  readonly #element: XmlElement;
  readonly #diagnostics: Diagnostics;

  constructor(element: XmlElement, diagnostics: Diagnostics) {
    this.#element = element;
    this.#diagnostics = diagnostics;
  }

  #located(name: string): Located<string> | undefined {
    return xmlAttribute(this.#element, name);
  }

  text(name: string): string | undefined {
    return this.#located(name)?.value;
  }

  error(name: string, message: string): void {
    this.#diagnostics.error(this.#located(name) ?? this.#element, message);
  }

  parsed<T>(name: string, parse: (text: string) => Result<T, Cause>): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const parsed = parse(text);
    if (parsed.ok) return parsed.value;
    this.error(name, formatCause(parsed.error));
    return undefined;
  }

  choice<const T extends string>(name: string, known: readonly T[]): T | undefined {
    const text = this.text(name);
    const found = known.find((each) => each === text);
    if (text !== undefined && found === undefined) {
      this.error(name, `"${text}" is not one of ${known.join(', ')}${suggestion(text, known)}`);
    }
    return found;
  }

  /** Parses a duration into milliseconds. */
  duration(name: string, { min, max }: { min: number; max: number }, fallback: number): number {
    const value = this.parsed(name, valueKinds.duration.parse);
    if (value === undefined) return fallback;
    if (value >= min && value <= max) return value;
    const range = `from "${formatDuration(min)}" to "${formatDuration(max)}"`;
    this.error(name, `The ${name} "${this.text(name)}" is out of range; it may be ${range}`);
    return fallback;
  }

  limits(name: string, words: AlertWords): readonly LimitKey[] {
    const given = (this.text(name) ?? '').split(/[\s,]+/).filter((word) => word !== '');
    return given.flatMap((word) => {
      const attribute = findAttribute(word);
      const found = attribute === undefined ? words.get(word) : [attribute.key];
      if (found !== undefined) return found;
      const known = [...limitNames, ...words.keys()];
      this.error(name, `There is no limit "${word}"${suggestion(word, known)}`);
      return [];
    });
  }
}

/** Parses the address. A name would be resolved, possibly to either of two addresses. */
export function parseListen(text: string): Result<Endpoint, Cause> {
  return valueKinds.endpoint.parse(text.replace(/^localhost:/, '127.0.0.1:'));
}

const isLoopback = (host: string) => host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
