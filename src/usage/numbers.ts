/** Formats numbers for sentences: `twice`, `37 times`, `2.5`. */

export const wholeNumber = (count: number) => (Number.isFinite(count) ? Math.round(count) : 0);

export function times(count: number): string {
  const whole = wholeNumber(count);
  if (whole === 1) return 'once';
  return whole === 2 ? 'twice' : `${whole} times`;
}

export const rough = (value: number) =>
  value >= 10 ? String(Math.round(value)) : value.toFixed(1);
