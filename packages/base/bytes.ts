/** Bytes for people, to three digits: `1.25GiB`. `formatBytes` of quantity.ts prints exact values. */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function shortBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '0B';
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${units[unit]}`;
}
