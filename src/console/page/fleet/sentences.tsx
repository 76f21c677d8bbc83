/** Sentences of agents and controllers, which are English in every language. Whatever is in them is text. */
import { printable } from '../../../../packages/base/printable.ts';
import { English } from '../parts/english.tsx';

interface SentencesProps {
  /** The name for those who do not see what they belong to. */
  readonly title?: string;
  readonly sentences: readonly string[];
  readonly isWarning?: boolean;
}

export const Sentences = ({ title, sentences, isWarning }: SentencesProps) =>
  sentences.length === 0 ? null : (
    <ul class={isWarning === true ? 'warning' : undefined} aria-label={title}>
      {sentences.map((each, at) => (
        <li key={at}>
          <English>{printable(each)}</English>
        </li>
      ))}
    </ul>
  );
