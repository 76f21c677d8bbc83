/** Used of a limit: the text first, the bar only for the eye. */
import { words } from '../state/language.ts';

interface MeterProps {
  /** The amount in use, as text. */
  readonly used: string;
  /** The limit as text; absent if there is none. */
  readonly limit?: string | undefined;
  /** Used divided by the limit; absent if there is none. */
  readonly share?: number | undefined;
  readonly isAtLimit?: boolean;
}

export function Meter({ used, limit, share, isAtLimit = false }: MeterProps) {
  return (
    <div class="meter">
      <b class="meter-line">{used}</b>
      <UseBar share={share} isAtLimit={isAtLimit} />
      <span class="meter-line quiet">{limit !== undefined && words.value.ofLimit(limit)}</span>
    </div>
  );
}

const nearShare = 0.9;

export function UseBar({
  share,
  isAtLimit,
}: {
  readonly share: number | undefined;
  readonly isAtLimit: boolean;
}) {
  const level = isAtLimit ? 'full' : share !== undefined && share >= nearShare ? 'near' : 'some';
  const width = `${(Math.min(Math.max(share ?? 0, 0), 1) * 100).toFixed(1)}%`;
  return (
    <span class="bar" data-level={level} aria-hidden="true">
      {share !== undefined && <span style={{ inlineSize: width }} />}
    </span>
  );
}
