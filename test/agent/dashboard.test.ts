/** The Grafana dashboards: valid by Grafana's own types, made of families that exist, and without panels that overlap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv, type AnySchema } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import {
  dashboard,
  expressionsOf,
  familiesIn,
  historyDashboards,
  type Dashboard,
} from './dashboard-queries.ts';
import { everything, pageOf, parse } from './exposition-samples.ts';

const all = [dashboard, ...historyDashboards];

test("is valid by the types of Grafana's own package", () => {
  const path = new URL('../../node_modules/@grafana/schema', import.meta.url).pathname;
  const schema = createGenerator({
    path: `${path}/dist/types/raw/dashboard/x/types.gen.d.ts`,
    type: 'Dashboard',
    skipTypeCheck: true,
    additionalProperties: false,
  }).createSchema('Dashboard') as AnySchema;
  const isValid = new Ajv({ strict: false, allErrors: true }).compile(schema);
  for (const each of all)
    assert.ok(isValid(each), `${each.uid}: ${JSON.stringify(isValid.errors)}`);
  assert.equal(new Set(all.map(({ uid }) => uid)).size, all.length);
  assert.ok(!isValid({ ...dashboard, panels: [{ title: 'a panel without a type' }] }));
});

test('uses only families of exposition()', () => {
  const families = parse(pageOf(everything));
  const used = familiesIn(expressionsOf(dashboard).join('\n'));
  assert.ok(used.size > 25, [...used].join(' '));
  for (const name of used) assert.ok(families.has(name), name);
});

test('explains each panel, and places none above another', () => {
  for (const each of all) placesPanels(each);
});

function placesPanels(each: Dashboard): void {
  const taken = new Map<string, string>();
  for (const { title, type, description, gridPos } of each.panels) {
    assert.ok(type === 'row' || (description ?? '') !== '', `${title} has a description`);
    const { x, y, w, h } = gridPos;
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++)
      for (let line = y; line < y + h; line++) {
        const key = `${column} ${line}`;
        assert.equal(taken.get(key), undefined, `${title} is placed over ${taken.get(key)}`);
        taken.set(key, title);
      }
  }
}
