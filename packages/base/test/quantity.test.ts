import { formatCause } from '../problem.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatQuantity, quantityKinds, type Quantity, type QuantityKind } from '../quantity.ts';

const good: readonly (readonly [QuantityKind, string, number])[] = [
  ['cpu', '150%', 1.5],
  ['cpu', '12.5 %', 0.125],
  ['cpu', '2 cores', 2],
  ['cpu', '1 core', 1],
  ['bytes', '1GiB', 2 ** 30],
  ['bytes', '1.5 MiB', 1.5 * 2 ** 20],
  ['bytes', '10kB', 10_000],
  ['bytes', '2TB', 2e12],
  ['bytesPerSecond', '10MiB/s', 10 * 2 ** 20],
  ['perSecond', '1000/s', 1000],
  ['count', '100', 100],
  ['weight', '10000', 10_000],
];

test('quantityKinds.parse() reads numbers with units, with or without a blank', () => {
  for (const [kind, text, value] of good) {
    assert.deepEqual(quantityKinds[kind].parse(text), { ok: true, value }, `${kind} ${text}`);
  }
});

const bad: readonly (readonly [QuantityKind, string, RegExp])[] = [
  ['cpu', '150', /write "150%" or "150 cores"/],
  ['cpu', '', /not a share of a core/],
  ['cpu', '1e3%', /not a share of a core/],
  ['cpu', '99999999999%', /larger than any host/],
  ['bytes', '262144', /no unit; write for example "262144MiB"/],
  ['bytes', '1Gib', /unknown unit "Gib"; write "1GiB"/],
  ['bytes', '512M', /unknown unit "M"; write "512MiB"/],
  ['bytes', '5 parsecs', /unknown unit "parsecs"; units are KiB/],
  ['bytes', '99999999999999999999TiB', /larger than any host/],
  ['bytes', '1constructor', /unknown unit/],
  ['bytesPerSecond', '10MiB', /not a rate; write "\/s"/],
  ['perSecond', '1.5/s', /not a whole number/],
  ['count', '١٢', /not a whole number/],
  ['weight', '10001', /weights are 1 to 10000/],
];

test('quantityKinds.parse() rejects bad quantities with the reason', () => {
  for (const [kind, text, message] of bad) {
    const parsed = quantityKinds[kind].parse(text);
    assert.ok(!parsed.ok, `${kind} ${text} was accepted`);
    assert.match(formatCause(parsed.error), message);
  }
});

test('quantityKinds.parse() reads back what formatQuantity() writes', () => {
  const whole = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const values: Readonly<Record<QuantityKind, fc.Arbitrary<number>>> = {
    bytes: whole,
    bytesPerSecond: whole,
    count: whole,
    perSecond: whole,
    weight: fc.integer({ min: 1, max: 10_000 }),
    duration: fc.integer({ min: 0, max: 36_500 * 86_400_000 }),
    cpu: fc.integer({ min: 1, max: 1_000_000 }).map((percent) => percent / 100),
  };
  for (const [kind, arbitrary] of Object.entries(values) as [
    QuantityKind,
    fc.Arbitrary<number>,
  ][]) {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const parsed = quantityKinds[kind].parse(formatQuantity(kind, value as Quantity));
        assert.ok(parsed.ok && Math.abs(parsed.value - value) < 1e-9, `${kind} ${value}`);
      }),
    );
  }
});

test('quantityKinds.parse() never throws', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...(Object.keys(quantityKinds) as QuantityKind[])),
      fc.string(),
      (kind, text) => {
        quantityKinds[kind].parse(text);
      },
    ),
  );
});
