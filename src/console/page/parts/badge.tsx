/** How badly a limit hit: a word, and a color and a sign that are only an addition. */
import type { Severity } from '../../../usage/fault.ts';
import { words } from '../state/language.ts';

const signs: Readonly<Record<Severity, string>> = {
  observed: '○',
  throttled: '◐',
  refused: '◆',
  killed: '✕',
};

export const SeverityBadge = ({ severity }: { readonly severity: Severity }) => (
  <Badge kind={severity} sign={signs[severity]} text={words.value.severities[severity]} />
);

interface BadgeProps {
  readonly kind: Severity | 'good' | 'plain';
  readonly sign?: string;
  readonly text: string;
}

export const Badge = ({ kind, sign, text }: BadgeProps) => (
  <span class="badge" data-kind={kind}>
    {sign !== undefined && <span aria-hidden="true">{sign} </span>}
    {text}
  </span>
);
