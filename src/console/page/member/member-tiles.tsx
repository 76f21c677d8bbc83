/** A member's use of its limits, live. */
import { metrics, type MetricKey } from '../../../usage/metrics.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';
import type { LiveMember } from '../state/live.ts';
import { measureMetric, metricText } from '../state/measures.ts';
import { UseBar } from '../parts/meter.tsx';
import { Tile, Tiles } from '../parts/tile.tsx';

const always = ['cpu', 'anonymous', 'read', 'write', 'threads'] as const;
const ifLimited = [
  'total',
  'reads',
  'writes',
  'operations',
  'databaseCpu',
  'databaseConnections',
  'sent',
  'received',
  'connectionsOut',
] as const;
type TileKey = (typeof always)[number] | (typeof ifLimited)[number];

interface MemberTilesProps {
  readonly member: LiveMember;
  /** The sum of a reseller's tenants, if it is shown first. */
  readonly sum?: LiveMember | undefined;
}

export function MemberTiles({ member, sum }: MemberTilesProps) {
  const { limits } = member.who;
  const isLimited = (metric: MetricKey) => {
    const key = metrics[metric].limit;
    return key !== undefined && limits[key] !== undefined;
  };
  const { tenant } = words.value;
  return (
    <Tiles>
      {sum !== undefined && <UseTile member={sum} metric="cpu" title={tenant.ownSum} />}
      {[...always, ...ifLimited.filter(isLimited)].map((metric) => (
        <UseTile key={metric} member={member} metric={metric} title={tenant.metrics[metric]} />
      ))}
    </Tiles>
  );
}

interface UseTileProps {
  readonly member: LiveMember;
  readonly metric: TileKey;
  readonly title: string;
}

function UseTile({ member, metric, title }: UseTileProps) {
  const { tenant, unlimited, ofLimit } = words.value;
  const { used, limit, limitKey, share } = measureMetric(member, metric);
  const isAtLimit = limitKey !== undefined && member.limitsHit.includes(limitKey);
  const cache = metric === 'anonymous' ? member.usage('cache') : 0;
  return (
    <Tile
      title={title}
      value={metricText(metric, used)}
      limit={limit === undefined ? unlimited : ofLimit(metricText(metric, limit))}
      note={
        isAtLimit ? (
          <span class="at-limit">{tenant.atLimit}</span>
        ) : (
          metric === 'anonymous' && tenant.cacheToo(numbers.value.bytes(cache))
        )
      }
    >
      <UseBar share={share} isAtLimit={isAtLimit} />
    </Tile>
  );
}
