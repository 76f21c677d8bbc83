import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { LineIndex } from '../../../src/policy/diagnostic.ts';
import type { MergedText } from '../../../src/policy/fleet/layers.ts';
import { keyAttributesOf } from '../../../src/policy/fleet/element-key.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { elements } from '../../../src/policy/vocabulary.ts';
import { xmlAttribute, type XmlElement } from '../../../src/policy/xml.ts';
import { anyLayer, noLayer, valuesIn } from './any-layer.ts';
import { layerPolicies } from './layer-policies.ts';

const layersOf = (texts: readonly string[]) =>
  texts.map((text, index) => ({ file: `layer-${index}.xml`, text }));

function merge(...texts: readonly string[]): MergedText {
  const merged = layerPolicies(layersOf(texts));
  assert.ok(merged.ok, JSON.stringify(merged));
  return merged.value;
}

const policy = (inside: string) => `<bulkhead version="1">${inside}</bulkhead>`;
const merged = (...insides: readonly string[]) => merge(...insides.map(policy)).text;

suite('layerPolicies()', () => {
  test('changes attribute by attribute, and keeps what a later layer does not name', () => {
    assert.equal(
      merged(
        '<package name="p"><memory limit="1GiB" soft="900MiB"/><cpu limit="100%"/></package>',
        "<package name='p'><memory limit='2GiB'/></package><tenant user='bob' package='p'/>",
      ),
      `<bulkhead version="1">
  <package name="p">
    <memory limit='2GiB' soft="900MiB"/>
    <cpu limit="100%"/>
  </package>
  <tenant user='bob' package='p'/>
</bulkhead>
`.replace('<package name="p">', "<package name='p'>"),
    );
  });

  test('has each value from the last layer that has it', () => {
    fc.assert(
      fc.property(fc.array(anyLayer, { minLength: 1, maxLength: 4 }), (texts) => {
        const expected = new Map<string, string>();
        for (const text of texts)
          for (const [path, value] of valuesIn(text)) expected.set(path, value);
        assert.deepEqual([...valuesIn(merge(...texts).text)].toSorted(), [...expected].toSorted());
      }),
      { numRuns: 300 },
    );
  });

  test('is idempotent, and the same in any grouping', () => {
    fc.assert(
      fc.property(anyLayer, anyLayer, anyLayer, (a, b, c) => {
        const once = merge(a, b, c).text;
        assert.equal(merge(once).text, once);
        assert.equal(merge(once, once).text, once);
        assert.equal(merge(a, b, c, c).text, once);
        assert.equal(merge(merge(a, b).text, c).text, once);
        assert.deepEqual(valuesIn(merge(a, merge(b, c).text).text), valuesIn(once));
      }),
    );
  });

  test('is a policy if and only if each layer is one', () => {
    const layer = fc.oneof(
      { weight: 4, arbitrary: anyLayer.map((text) => ({ text, isGood: true })) },
      { weight: 1, arbitrary: noLayer.map((text) => ({ text, isGood: false })) },
    );
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 3 }), (layers) => {
        const result = layerPolicies(layersOf(layers.map(({ text }) => text)));
        assert.equal(
          result.ok,
          layers.every(({ isGood }) => isGood),
        );
        if (result.ok) assert.equal(parsePolicy('', result.value.text).diagnostics.failed, false);
        else
          for (const { file } of result.error)
            assert.equal(layers[Number(/\d+/.exec(file)?.[0])]?.isGood, false);
      }),
    );
  });

  test('names the place where each value was written', () => {
    fc.assert(
      fc.property(fc.array(anyLayer, { minLength: 1, maxLength: 3 }), (texts) => {
        const { text, sources } = merge(...texts);
        const { document } = parsePolicy('merged.xml', text);
        assert.ok(document);
        const lines = new LineIndex(text, sources);
        const layers = texts.map((each) => ({ text: each, lines: new LineIndex(each) }));
        const check = (offset: number, written: string) => {
          const place = lines.at(offset);
          const layer = layers[Number(/\d+/.exec(place.file ?? `${layers.length - 1}`)?.[0])];
          const line = layer?.text.split('\n')[place.line - 1] ?? '';
          assert.ok(line.slice(place.column - 1).startsWith(written), `${written} at ${line}`);
        };
        const visit = (element: XmlElement) => {
          check(element.start, `<${element.name}`);
          for (const { start, name, value } of element.attributes) {
            check(start, name);
            check(value.start, text.slice(value.start, value.end));
          }
          for (const each of element.children) visit(each);
        };
        visit(document.root);
      }),
    );
  });

  test('leaves a tenant with its reseller, if a later layer has it outside', () => {
    const text = merged(
      '<reseller user="acme"><tenant user="alice" package="p"/></reseller>',
      '<tenant user="alice"><cpu limit="100%"/></tenant>',
    );
    const [reseller, ...rest] = parsePolicy('', text).document?.root.children ?? [];
    assert.deepEqual(rest, []);
    const [alice] = reseller?.children ?? [];
    assert.equal(alice && xmlAttribute(alice, 'package')?.value, 'p');
    assert.equal(alice?.children[0]?.name, 'cpu');
  });

  test('moves a tenant to the reseller that a later layer names', () => {
    const text = merged(
      '<tenant user="alice" package="p"/><reseller user="a"><tenant user="bob"/></reseller>',
      '<reseller user="b"><tenant user="alice"/><tenant user="bob"/></reseller>',
    );
    const { document } = parsePolicy('', text);
    assert.deepEqual(
      document?.resellers.map(({ tenants }) => tenants.length),
      [0, 2],
    );
    assert.equal(document?.resellers[1]?.tenants[0]?.package?.value, 'p');
    assert.deepEqual(document?.tenants, []);
  });

  test('names no host, so that the result is not merged again', () => {
    assert.equal(
      merged(
        '<fleet name="example" local="tenants"/><defaults><cpu limit="100%"/></defaults>',
        '<fleet name="example" host="web-1" accept="limits" from="https://fleet.example"/>',
      ),
      merged('<fleet name="example" local="tenants"/><defaults><cpu limit="100%"/></defaults>'),
    );
  });

  test('matches the n-th of several elements with one key', () => {
    const rules = (first: string, second: string) =>
      `<agent><alerts><mail to="tenant" severity="${first}"/><mail to="tenant" severity="${second}"/></alerts></agent>`;
    assert.equal(
      merged(rules('killed', 'refused'), rules('refused', 'killed')),
      merged(rules('refused', 'killed')),
    );
  });

  test('tells names apart that differ only in their spaces, and lists not', () => {
    const text = merged(
      '<package name="a b"/><panel source="auto"><plan name="x, y" package="a b"/></panel>',
      '<package name="a  b"/><panel source="auto"><plan name="x y" package="a  b"/></panel>',
      '<tenants uids="2000-3000, 5000-6000"/>',
      '<tenants uids="2000-3000 5000-6000" package="a b"/>',
    );
    assert.equal(text.match(/<package /g)?.length, 2);
    assert.equal(text.match(/<plan /g)?.length, 2);
    assert.equal(text.match(/<tenants /g)?.length, 1);
  });

  test('knows the key of each element that can be there several times', () => {
    for (const [name, spec] of Object.entries(elements))
      for (const attribute of keyAttributesOf(name))
        assert.ok(attribute in spec.attributes, `${name} ${attribute}`);
  });
});
