/** The things that were refused in an incident: requests with their site, page and client, or links and files. */
import type { Snapshot } from '../../../usage/incident.ts';
import { words } from './words.ts';

type Item = Readonly<Record<string, unknown>>;

const shownMax = 20;

export function Refusals({ snapshots }: { readonly snapshots: readonly Snapshot[] }) {
  const { incident: texts } = words.value;
  const counted = countedLines(snapshots);
  if (counted.length === 0) return null;
  return (
    <>
      <h2>{texts.turnedAway}</h2>
      <ul class="list">
        {counted.slice(0, shownMax).map(([line, count]) => (
          <li key={line}>
            <code>{line}</code> <span class="quiet">{texts.seen(count)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Returns what was refused, the most frequent first. */
function countedLines(snapshots: readonly Snapshot[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { evidence } of snapshots)
    for (const item of evidence?.items ?? []) {
      const line = lineOf(item as Item);
      if (line !== '') counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** A request reads `GET shop.example/cart ← 192.0.2.7`; of other items all texts are shown. */
function lineOf(item: Item): string {
  const text = (name: string) => {
    const value = item[name];
    return typeof value === 'string' ? value : '';
  };
  if ('url' in item) {
    // The query differs from request to request.
    const url = text('url').replace(/\?.*$/s, '');
    const request = `${text('method')} ${text('site')}${url}`.trim();
    return text('client') === '' ? request : `${request} ← ${text('client')}`;
  }
  return Object.values(item)
    .filter((value) => typeof value === 'string' && value !== '')
    .join(' · ');
}
