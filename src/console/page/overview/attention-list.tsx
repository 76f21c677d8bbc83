/** A list of what needs attention, with the reasons of each. */
import type { ComponentChildren } from 'preact';
import { Disclosure } from '../parts/dialog.tsx';
import { attentionWords } from './attention-words.ts';

export interface AttentionItem {
  readonly title: string;
  readonly details: readonly ComponentChildren[];
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

function Details({ lines }: { readonly lines: AttentionItem['details'] }) {
  const list = lines.map((each, at) => (
    <span class="quiet line" key={at}>
      {each}
    </span>
  ));
  if (lines.length <= openMax) return <>{list}</>;
  return <Disclosure summary={attentionWords.value.reasons(lines.length)}>{list}</Disclosure>;
}
