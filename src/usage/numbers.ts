/** Numbers for sentences: `twice`, `37 times`, `1.5 GiB`. */

export const wholeNumber = (count: number) => (Number.isFinite(count) ? Math.round(count) : 0);

export function times(count: number): string {
  const whole = wholeNumber(count);
  if (whole === 1) return 'once';
  return whole === 2 ? 'twice' : `${whole} times`;
}

export const rough = (value: number) =>
  value >= 10 ? String(Math.round(value)) : value.toFixed(1);

export function roughBytes(value: number): string {
  for (const [unit, scale] of byteUnits)
    if (value >= scale) return `${rough(value / scale)} ${unit}`;
  return `${wholeNumber(value)} B`;
}
const byteUnits = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;
