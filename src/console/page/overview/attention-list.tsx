/** A list of what needs attention, with the reasons of each. */
import { Disclosure } from '../parts/dialog.tsx';
import { words } from './words.ts';

export interface AttentionItem {
  readonly title: string;
  readonly details: readonly string[];
}

/** Longer lists open on demand. */
const openMax = 3;

export const AttentionList = ({ items }: { readonly items: readonly AttentionItem[] }) => (
  <ul class="list">
    {items.map(({ title, details }) => (
      <li key={title}>
        <b>{title}</b>
        <Details lines={details} />
      </li>
    ))}
  </ul>
);

function Details({ lines }: { readonly lines: readonly string[] }) {
  const list = lines.map((each) => (
    <span class="quiet line" key={each}>
      {each}
    </span>
  ));
  if (lines.length <= openMax) return <>{list}</>;
  return <Disclosure summary={words.value.overview.reasons(lines.length)}>{list}</Disclosure>;
}
