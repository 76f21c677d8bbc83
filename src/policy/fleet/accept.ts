/**
 * The rules for what a fleet's policy may say on a host: each element and attribute of the language has a word, which root writes into
 * `accept` of the host's own policy.
 *
 * Whatever has no word here is refused. So something that is added to the language is refused until somebody has decided
 * what it is. What leads a host elsewhere (addresses, URLs, paths), what runs programs and what lowers protection has a
 * word of its own.
 */
import { LineIndex } from '../diagnostic.ts';
import { limitNames } from '../vocabulary.ts';
import { parseXml, type XmlElement } from '../xml.ts';
import { Diagnostics } from '../diagnostic.ts';
import type { AcceptWord } from './fleet-words.ts';

/** The word for something; `always`: no host refuses it; `never`: only root may say it. */
type Word = AcceptWord | 'always' | 'never';

/** The words of elements, and of attributes that have another one than their element: `element.attribute`. */
const words: Readonly<Record<string, Word>> = {
  bulkhead: 'always',
  fleet: 'always',
  'fleet.host': 'never',
  'fleet.from': 'never',
  'fleet.accept': 'never',
  host: 'driver',
  'host.limits': 'observe',
  agent: 'agent',
  history: 'history',
  'history.push': 'history-push',
  alerts: 'alerts',
  mail: 'alerts',
  webhook: 'alerts',
  digest: 'alerts',
  console: 'console',
  panel: 'panel',
  plan: 'panel',
  tenants: 'tenants',
  reseller: 'tenants',
  'reseller.may': 'rights',
  tenant: 'tenants',
  defaults: 'limits',
  package: 'packages',
  'package.for': 'rights',
  site: 'sites',
  sites: 'sites',
  jail: 'jail',
  'jail.home': 'paths',
  path: 'paths',
  reach: 'network',
  refuse: 'network',
  allow: 'network',
  listen: 'network',
  app: 'apps',
  env: 'apps',
  apps: 'apps',
  databases: 'databases',
  server: 'databases',
  account: 'databases',
  'database.instance': 'databases',
  placement: 'placement',
  symlinks: 'symlinks',
  modules: 'modules',
  deny: 'modules',
  hosts: 'never',
  group: 'never',
  waves: 'never',
  wave: 'never',
  on: 'never',
};

/** A name of XML can be one of every object, such as `constructor`. */
const wordOf: ReadonlyMap<string, Word> = new Map(Object.entries(words));

/** Something that a host does not accept. */
export interface RefusedByAccept {
  /** The element, and the attribute if it is about that: `agent`, `jail profile="none"`. */
  readonly element: string;
  /** The line of the release's policy, from 1. */
  readonly line: number;
  /** The word of `accept` that would allow it; absent if nothing does. */
  readonly word?: AcceptWord;
}

/** Returns what a release's policy says and a host does not accept, in its order; everything if it is not XML. */
export function refusedByAccept(
  text: string,
  accepted: readonly AcceptWord[],
): readonly RefusedByAccept[] {
  const root = parseXml(text, new Diagnostics('', text));
  if (root === undefined) return [{ element: 'bulkhead', line: 1 }];
  const lines = new LineIndex(text);
  const allowed = new Set<Word>(['always', ...accepted]);
  const refused: RefusedByAccept[] = [];
  const check = (element: string, word: Word, offset: number) => {
    if (allowed.has(word)) return;
    const { line } = lines.at(offset);
    refused.push({ element, line, ...(isAcceptWord(word) && { word }) });
  };
  const visit = (element: XmlElement): void => {
    const { name } = element;
    const own = wordOf.get(name) ?? (limitNames.has(name) ? 'limits' : 'never');
    check(name, own, element.start);
    for (const attribute of element.attributes) {
      const word = attributeWord(name, attribute.name, attribute.value.value);
      const shown = `${name} ${attribute.name}="${attribute.value.value}"`;
      if (word !== undefined) check(shown, word, attribute.start);
    }
    for (const child of element.children) visit(child);
  };
  visit(root);
  return refused;
}

const isAcceptWord = (word: Word): word is AcceptWord => word !== 'always' && word !== 'never';

/** Returns the word of an attribute that has one of its own. */
function attributeWord(element: string, attribute: string, value: string): Word | undefined {
  if (element === 'jail' && attribute === 'profile' && value === 'none') return 'no-jail';
  return wordOf.get(`${element}.${attribute}`);
}
