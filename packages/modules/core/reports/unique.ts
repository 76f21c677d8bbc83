/** Identifiers within one document: readable, of a bounded length, and never given twice. */
const charactersMax = 64;

/**
 * Returns a function that gives unique identifiers: `give('kvm intel')` is `kvm-intel`, then
 * `kvm-intel-2`. They have only letters, digits, `.` and `-`.
 */
export function identifiers(): (text: string) => string {
  const given = new Set<string>();
  const next = new Map<string, number>();
  return (text) => {
    const base = slug(text);
    let number = next.get(base) ?? 1;
    let id = number === 1 ? base : `${base}-${number}`;
    while (given.has(id)) id = `${base}-${++number}`;
    given.add(id);
    next.set(base, number + 1);
    return id;
  };
}

function slug(text: string): string {
  const plain = text
    .slice(0, 4 * charactersMax)
    .replace(/[^A-Za-z0-9.-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, charactersMax)
    .replace(/-+$/, '');
  return plain === '' ? 'x' : plain;
}
