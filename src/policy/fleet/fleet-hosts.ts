/** The hosts and groups of `<hosts>`, with every mistake reported at its word. */
import { formatCause } from '../../../packages/base/problem.ts';
import { count } from '../../../packages/base/list.ts';
import type { Diagnostics, Located, Span } from '../diagnostic.ts';
import { LocatedValues, words } from '../elements/located-values.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import { fleetHostsMax, hostsOf } from './host-set.ts';

export interface FleetGroup {
  readonly name: string;
  readonly hosts: readonly string[];
}

/** The hosts of a fleet, in the order of its policy, and its groups. */
export class FleetHosts {
  readonly groups = new Map<string, FleetGroup>();
  /** All hosts. */
  readonly names = new Set<string>();
  readonly #diagnostics: Diagnostics;

  constructor(element: XmlElement, diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
    this.#add(this.listed(element, 'hosts'));
    for (const each of childrenOf(element, 'group')) this.#readGroup(each);
    const all = this.names.size;
    if (all > fleetHostsMax)
      diagnostics.error(
        element,
        `The fleet has ${count(all, 'host')}; ${fleetHostsMax} are the most`,
      );
    if (all === 0 && !diagnostics.failed)
      diagnostics.error(
        element,
        'The fleet has no hosts; write for example <group name="shared" hosts="web-001..web-300"/>',
      );
  }

  #add(hosts: readonly string[]): void {
    for (const each of hosts) this.names.add(each);
  }

  #readGroup(element: XmlElement): void {
    const name = new LocatedValues(this.#diagnostics).value(element, 'name', 'fleetName');
    const hosts = this.listed(element, 'hosts');
    this.#add(hosts);
    if (name === undefined) return;
    if (this.groups.has(name.value))
      this.#diagnostics.error(name, `The group "${name.value}" is defined twice`);
    else this.groups.set(name.value, { name: name.value, hosts });
  }

  /** Returns the hosts that an attribute lists. Each mistake is reported, and a host that is listed twice. */
  listed(element: XmlElement, attribute: string): readonly string[] {
    const written = xmlAttribute(element, attribute);
    if (written === undefined) return [];
    const each = words(written);
    if (each.length === 0)
      this.#diagnostics.error(written, `${attribute} names no host; write at least one`);
    const seen = new Map<string, Span>();
    for (const word of each) this.#addWord(word, seen);
    return [...seen.keys()];
  }

  #addWord(word: Located<string>, seen: Map<string, Span>): void {
    const hosts = hostsOf(word.value);
    if (!hosts.ok) {
      this.#diagnostics.error(word, formatCause(hosts.error));
      return;
    }
    const again = hosts.value.filter((host) => seen.has(host));
    if (again.length > 0) {
      const more = again.length > 1 ? ` and ${count(again.length - 1, 'more host')}` : '';
      this.#diagnostics.error(
        word,
        `The host "${again[0]}"${more} is listed twice; remove one of them`,
      );
    }
    for (const host of hosts.value) if (!seen.has(host)) seen.set(host, word);
  }

  /** Returns the hosts that an attribute lists, which the fleet must have. */
  known(element: XmlElement, attribute: string): readonly string[] {
    const written = xmlAttribute(element, attribute);
    for (const word of words(written)) {
      const hosts = hostsOf(word.value);
      const unknown = hosts.ok ? hosts.value.filter((each) => !this.names.has(each)) : [];
      if (unknown.length === 0) continue;
      const hint = this.#diagnostics.hint(unknown[0] ?? '', this.names);
      this.#diagnostics.error(
        word,
        `The fleet has no host "${unknown[0]}"${hint || '; add it to "hosts" of <hosts>, or to a group'}`,
      );
    }
    return this.listed(element, attribute).filter((each) => this.names.has(each));
  }

  /** Returns the hosts of the groups that an attribute lists. */
  ofGroups(element: XmlElement, attribute: string): readonly string[] {
    const written = xmlAttribute(element, attribute);
    if (written !== undefined && words(written).length === 0)
      this.#diagnostics.error(written, `${attribute} names no group; write at least one`);
    const hosts = words(written).flatMap((word) => {
      const group = this.groups.get(word.value);
      if (group === undefined) {
        const hint = this.#diagnostics.hint(word.value, this.groups.keys());
        this.#diagnostics.error(word, `There is no group "${word.value}"${hint}`);
      }
      return group?.hosts ?? [];
    });
    return [...new Set(hosts)];
  }
}
