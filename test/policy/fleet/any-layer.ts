/** Layers of policies as fast-check makes them, and what each says as a flat list of values. */
import fc from 'fast-check';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { elementKey } from '../../../src/policy/fleet/element-key.ts';
import { xmlAttribute, type XmlElement } from '../../../src/policy/xml.ts';

const limit = fc.constantFrom(
  '<memory limit="1GiB"/>',
  "<memory limit='2GiB' soft='1GiB'/>",
  '<memory soft="512MiB"/>',
  '<cpu limit="150%"/>',
  '<cpu weight="300"/>',
  '<io read="5MiB/s"/>',
  '<io write="6MiB/s" read="7MiB/s"/>',
  '<processes limit="&#49;00"/>',
);
const nameOf = (text: string) => /^<(\w+)/.exec(text)?.[1];
const block = fc.uniqueArray(limit, { maxLength: 3, selector: nameOf }).map((all) => all.join(''));
const optional = (text: fc.Arbitrary<string>) => fc.oneof(fc.constant(''), text);

const packages = fc
  .uniqueArray(fc.record({ name: fc.constantFrom('p1', 'p 2', 'p&amp;3'), block }), {
    selector: ({ name }) => name,
    maxLength: 3,
  })
  .map((all) => all.map((each) => `<package name="${each.name}">${each.block}</package>`).join(''));

const site = fc
  .record({ name: fc.constantFrom('A.example', 'a.example', 'b.example'), block })
  .map((each) => `<site name="${each.name}">${each.block}</site>`);

const tenant = fc
  .record({
    name: fc.constantFrom('user="t1"', 'user="t2"', 'uid="1003"', "user='t4'"),
    package: optional(fc.constantFrom(' package="p1"', ' package="p 2"')),
    block,
    jail: optional(
      fc.constantFrom(
        '<jail profile="web"/>',
        '<jail profile="shell" commands="sendmail"><path at="/srv"/></jail>',
        '<jail profile="web"><path at="/srv" access="write"/><path at="/data/x"/></jail>',
      ),
    ),
    site: optional(site),
    parent: fc.constantFrom('', '', 'r1', 'r2'),
  })
  .map((each) => ({
    ...each,
    text: `<tenant ${each.name}${each.package}>${each.block}${each.site}${each.jail}</tenant>`,
  }));

/** Tenants, each once, outside resellers and in them. */
const tenants = fc
  .uniqueArray(tenant, { selector: ({ name }) => name, maxLength: 4 })
  .chain((all) =>
    fc.record({ r1: block, r2: block }).map((limits) => {
      const inParent = (wanted: string) =>
        all.flatMap(({ parent, text }) => (parent === wanted ? [text] : [])).join('');
      const reseller = (name: 'r1' | 'r2') => {
        const inside = limits[name] + inParent(name);
        return inside === '' ? '' : `<reseller user="${name}">${inside}</reseller>`;
      };
      return reseller('r1') + inParent('') + reseller('r2');
    }),
  );

const alerts = fc
  .uniqueArray(
    fc.constantFrom(
      '<mail to="administrator" address="a@x.example" every="1h"/>',
      '<mail to="administrator" address="a@x.example" every="2h" severity="killed"/>',
      '<mail to="tenant" limits="memory"/>',
      '<webhook to="administrator" url="https://x.example/?a&amp;b"/>',
    ),
    { maxLength: 3 },
  )
  .map((all) => `<agent interval="5s"><alerts>${all.join('')}</alerts></agent>`);

/** Any layer that is a policy by itself. */
export const anyLayer = fc
  .record({
    defaults: optional(block.map((all) => `<defaults>${all}</defaults>`)),
    packages,
    tenants,
    alerts: optional(alerts),
    gap: fc.constantFrom('', '\n  ', '<!-- <tenant> -->\r\n'),
  })
  .map(
    ({ gap, ...parts }) =>
      `<bulkhead version="1">${Object.values(parts).join(gap)}${gap}</bulkhead>`,
  );

/** Layers that are none: not well-formed, an unknown element, a value that is none. */
export const noLayer = fc.constantFrom(
  '<bulkhead version="1">',
  '<bulkhead version="1"><tenent user="a"/></bulkhead>',
  '<bulkhead version="1"><defaults><cpu limit="much"/></defaults></bulkhead>',
  '<bulkhead version="1"><hosts fleet="a" hosts="b"/></bulkhead>',
);

/**
 * Returns what a policy says: each value by the keys of the elements around it. Tenants are without their resellers, which
 * are values of their own.
 */
export function valuesIn(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const root = parsePolicy('p.xml', text).document?.root;
  if (root === undefined) throw new Error(`It is not a policy: ${text}`);
  visit(root, '', values);
  return values;
}

function visit(element: XmlElement, above: string, values: Map<string, string>): void {
  for (const { name, value } of element.attributes) values.set(`${above}@${name}`, value.value);
  const seen = new Map<string, number>();
  for (const child of element.children) {
    const own = elementKey(child.name, (name) => xmlAttribute(child, name)?.value);
    const times = seen.get(own) ?? 0;
    seen.set(own, times + 1);
    const isMember = child.name === 'tenant';
    const path = `${isMember ? '' : above}/${own}#${times}`;
    if (isMember && above !== '') values.set(`${path}@parent`, above);
    visit(child, path, values);
  }
}
