/** `<reach>` and `<listen>` → elements, with every mistake reported. */
import { count } from '../../../packages/base/list.ts';
import { samePrefix } from '../../../packages/base/ip-address.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import { LocatedValues, span, words } from '../elements/located-values.ts';
import { xmlAttribute, type XmlElement } from '../xml.ts';
import { parsePortRange } from './network-kinds.ts';
import {
  formatPorts,
  formatPrefix,
  ruleActions,
  type AddressPrefix,
  type ListenElement,
  type MailReach,
  type NetworkMode,
  type PortRange,
  type ReachElement,
  type RuleAction,
  type RuleProtocol,
  type WrittenRule,
} from './reach.ts';

/** The maximum number of rules in a `<reach>`. */
export const rulesMax = 256;
/**
 * The maximum number of rules that hold for one address, as the kernel asks them one by one; each range of ports counts. It
 * asks 32, of which some are for metadata services and name servers.
 */
export const rulesOfAddressMax = 28;
/** The maximum number of ports that are kept for a tenant. */
export const keptPortsMax = 4096;

export class ReachReader {
  readonly #diagnostics: Diagnostics;
  readonly #values: LocatedValues;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
    this.#values = new LocatedValues(diagnostics);
  }

  reach(element: XmlElement): ReachElement {
    const rules = this.#rules(element);
    const others = this.#choice<RuleAction>(element, 'others', 'allow');
    if (others.value === 'refuse' && rules.every(({ action }) => action === 'refuse'))
      this.#diagnostics.warn(
        others,
        'Without an <allow> no other host is reached; write for example <allow address="192.0.2.1" ports="443"/>',
      );
    return {
      ...span(element),
      mail: this.#choice<MailReach>(element, 'mail', 'submission'),
      tenants: this.#isYes(element, 'tenants'),
      metadata: this.#isYes(element, 'metadata'),
      rules,
      others,
      mode: this.#choice<NetworkMode>(element, 'mode', 'refuse'),
    };
  }

  listen(element: XmlElement): ListenElement {
    return {
      ...span(element),
      ports: this.#keptPorts(element),
      public: this.#isYes(element, 'public'),
      mode: this.#choice<NetworkMode>(element, 'mode', 'refuse'),
    };
  }

  #choice<T extends string>(element: XmlElement, attribute: string, fallback: T): Located<T> {
    const written = this.#values.choice<T>(element, attribute, element.name);
    return written ?? { ...span(element), value: fallback };
  }

  #isYes(element: XmlElement, attribute: string): Located<boolean> {
    const { value, ...at } = this.#choice<'yes' | 'no'>(element, attribute, 'no');
    return { ...span(at), value: value === 'yes' };
  }

  #rules(element: XmlElement): readonly WrittenRule[] {
    const children = element.children.filter(({ name }) => isAction(name));
    if (children.length > rulesMax) {
      this.#diagnostics.error(
        element,
        `<reach> has ${children.length} rules; ${rulesMax} are the most`,
      );
      return [];
    }
    const rules = children.flatMap((each) => this.#rule(each) ?? []);
    this.#refuseTwice(rules);
    this.#refuseDeep(rules);
    return rules;
  }

  #rule(element: XmlElement): WrittenRule | undefined {
    const to = this.#values.value(element, 'address', 'address');
    const protocol = this.#values.choice<RuleProtocol>(element, 'protocol', element.name);
    const reason = this.#values.value(element, 'reason', 'line');
    const ports = this.#ports(element).map(({ value }) => value);
    if (to === undefined || !isAction(element.name)) return undefined;
    return {
      ...span(element),
      action: element.name,
      ...to.value,
      ports,
      protocol: protocol?.value,
      ...(reason && { reason: reason.value }),
    };
  }

  #ports(element: XmlElement): readonly Located<PortRange>[] {
    const written = xmlAttribute(element, 'ports');
    if (written === undefined) return [];
    const list = words(written);
    if (list.length === 0) this.#values.value(element, 'ports', 'ports');
    return list.flatMap((each) => {
      const parsed = parsePortRange(each.value);
      if (parsed.ok) return [{ ...span(each), value: parsed.value }];
      this.#diagnostics.error(each, formatCause(parsed.error));
      return [];
    });
  }

  #keptPorts(element: XmlElement): readonly Located<PortRange>[] {
    const written = xmlAttribute(element, 'ports');
    if (written === undefined) return [];
    if (element.parent?.name !== 'tenant') {
      this.#diagnostics.error(
        written,
        'A port is kept for one tenant; write "ports" into the <listen> of its <tenant>',
      );
      return [];
    }
    const ports = this.#ports(element);
    if (xmlAttribute(element, 'public') === undefined)
      this.#diagnostics.warn(
        written,
        'Without "public", no other host can connect to what the tenant opens; write public="yes" if they should, otherwise public="no"',
      );
    for (const range of ports.filter(({ value }) => isEphemeral(value)))
      this.#diagnostics.warn(
        range,
        `Connections of the whole host use the ports ${ephemeral.first} to ${ephemeral.last}; keep other ones`,
      );
    const kept = ports.reduce((sum, { value }) => sum + value.last - value.first + 1, 0);
    if (kept <= keptPortsMax) return ports;
    this.#diagnostics.error(written, `These are ${kept} ports; ${keptPortsMax} are the most`);
    return [];
  }

  #refuseTwice(rules: readonly WrittenRule[]): void {
    const known = new Map<string, WrittenRule>();
    for (const rule of rules) {
      const { protocol = 'all', ports } = rule;
      const key = `${formatPrefix(rule)} ${protocol} ${formatPorts(ports)}`;
      const earlier = known.get(key);
      known.set(key, earlier ?? rule);
      if (earlier === undefined) continue;
      const line = this.#diagnostics.lineOf(earlier);
      this.#diagnostics.error(
        rule,
        `The rule in line ${line} is for the same address, ports and protocol; remove one of them`,
      );
    }
  }

  /** Refuses more rules for one address than the kernel asks. */
  #refuseDeep(rules: readonly WrittenRule[]): void {
    const sizeOf = ({ ports }: WrittenRule) => Math.max(1, ports.length);
    for (const rule of rules) {
      const asked = rules.filter((outer) => isIn(rule, outer)).map(sizeOf);
      const all = asked.reduce((sum, each) => sum + each, 0);
      if (all <= rulesOfAddressMax) continue;
      this.#diagnostics.error(
        rule,
        `For ${formatPrefix(rule)} there are ${count(all, 'rule')}, if each range of ports and each prefix around it counts; ${rulesOfAddressMax} are the most`,
      );
      return;
    }
  }
}

/** The ports that Linux gives to connections unless it is told otherwise. Source: ip-sysctl.rst, ip_local_port_range. */
const ephemeral: PortRange = { first: 32_768, last: 60_999 };
const isEphemeral = ({ first, last }: PortRange) =>
  first <= ephemeral.last && last >= ephemeral.first;

const isAction = (name: string): name is RuleAction => ruleActions.some((each) => each === name);

/** Whether all addresses of the first are of the second. */
const isIn = (inner: AddressPrefix, outer: AddressPrefix): boolean =>
  outer.prefix <= inner.prefix && samePrefix(inner.address, outer.address, outer.prefix);

/** Reports ports that are kept twice. */
export function refuseSharedPorts(
  elements: readonly ListenElement[],
  diagnostics: Diagnostics,
): void {
  const ranges = elements.flatMap(({ ports }) => ports);
  let widest: Located<PortRange> | undefined;
  for (const range of ranges.toSorted((a, b) => a.value.first - b.value.first)) {
    if (widest !== undefined && range.value.first <= widest.value.last) {
      const [one, other] = range.start < widest.start ? [range, widest] : [widest, range];
      const line = diagnostics.lineOf(one);
      diagnostics.error(
        other,
        `"${formatPorts([other.value])}" overlaps with the ports "${formatPorts([one.value])}" in line ${line}; a port is kept for one tenant, once`,
      );
    }
    if (widest === undefined || range.value.last > widest.value.last) widest = range;
  }
}
