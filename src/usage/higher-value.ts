/** A higher limit, as advice proposes it. */
import { quantityKinds, type QuantityKind } from '../../packages/base/quantity.ts';

/** Returns one and a half times the limit, rounded up to a value that a person would write. */
export function higherValue(kind: QuantityKind, text: string): string | undefined {
  const parsed = quantityKinds[kind].parse(text);
  if (!parsed.ok || parsed.value <= 0) return undefined;
  const wanted = parsed.value * 1.5;
  const step = stepOf(kind, wanted);
  const higher = Math.ceil(wanted / step - 1e-9) * step;
  return quantityKinds[kind].format(kind === 'cpu' ? Number(higher.toFixed(6)) : higher);
}

function stepOf(kind: QuantityKind, value: number): number {
  if (kind === 'cpu') return value > 1 ? 0.1 : 0.01;
  if (kind === 'duration') return value > 120_000 ? 60_000 : 1000;
  if (kind !== 'bytes' && kind !== 'bytesPerSecond') return value > 100 ? 10 : 1;
  return [2 ** 30, 2 ** 28, 2 ** 20, 2 ** 10].find((step) => value >= 8 * step) ?? 1;
}
