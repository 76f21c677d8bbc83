/** Codes that the agent and commands give in place of sentences: each has a text in German, and no two share a code. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layerTexts } from '../../../../packages/base/layer-texts.ts';
import { attacks as german } from '../../../../src/console/page/words/de/attacks.ts';
import { layers } from '../../../../src/console/page/words/de/layers.ts';
import { protection } from '../../../../src/console/page/words/en/protection.ts';
import { helpTexts, weaknessTexts } from '../../../../src/limits/support.ts';
import { limits } from '../../../../src/limits/limits.ts';
import { attacks } from '../../../../src/prove/attacks/attacks.ts';

test('each attack has a German text, and nothing else has one', () => {
  assert.deepEqual(Object.keys(german).toSorted(), attacks.map(({ name }) => name).toSorted());
});

test('the parts of a layer have codes of their own', () => {
  const codes = [layerTexts, weaknessTexts, helpTexts].flatMap((each) => Object.keys(each));
  assert.equal(new Set(codes).size, codes.length);
  assert.deepEqual(Object.keys(layers).toSorted(), codes.toSorted());
  // A table with such a code would be taken for a promise.
  assert.ok(!codes.includes('then'));
});

test('German texts name the values that English ones name', () => {
  type Text = (...all: unknown[]) => unknown;
  const english = { ...layerTexts, ...weaknessTexts, ...helpTexts };
  for (const code of Object.keys(english)) {
    const [here, there] = [english, layers].map(
      (texts) => texts[code as keyof typeof texts] as Text,
    );
    // Those that list any number of names have no parameter that counts.
    const values = here?.length === 0 ? ['seven', 'nine'] : [7, 9].slice(0, here?.length);
    const named = (text: Text | undefined) =>
      values.filter((each) => String(text?.(...values)).includes(`${each}`));
    assert.deepEqual(named(there), named(here), code);
  }
});

test('each limit has a name as a layer', () => {
  for (const { name } of limits)
    assert.ok(Object.hasOwn(protection.layerNames, `limit ${name}`), name);
});

test('the German texts of layers have the right number, and no English states', () => {
  assert.equal(layers['rights in servers'](1), 'Bulkhead hat seine Rechte in 1 Server');
  assert.equal(layers['rights in servers'](3), 'Bulkhead hat seine Rechte in 3 Servern');
  for (const state of ['refused', 'failed', 'absent'])
    assert.ok(!layers['policy state'](state).includes(state), state);
});
