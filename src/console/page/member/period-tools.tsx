/** The choice of a period, which is in the address. */
import { useState } from 'preact/hooks';
import { words } from './words.ts';
import { periodKeys, queryForMoments, queryForPeriod, type Period } from '../state/period.ts';
import { href, route, setQuery } from '../state/route.ts';

export function PeriodTools({ period }: { readonly period: Period }) {
  const { charts } = words.value.tenant;
  return (
    <div class="tools">
      <div class="chips" role="group" aria-label={charts.period}>
        {periodKeys.map((key) => (
          <button
            type="button"
            key={key}
            aria-pressed={key === period.key}
            onClick={() => setQuery(queryForPeriod(key))}
          >
            {charts.periods[key]}
          </button>
        ))}
      </div>
      <Moments key={`${period.key} ${period.from} ${period.to}`} period={period} />
    </div>
  );
}

/** Two moments in the time zone of the browser. */
function Moments({ period }: { readonly period: Period }) {
  const { charts } = words.value.tenant;
  const [from, setFrom] = useState(() => localText(period.from));
  const [to, setTo] = useState(() => localText(period.to));
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const show = (event: Event) => {
    event.preventDefault();
    const { path, query } = route.peek();
    location.hash = href(path, { ...Object.fromEntries(query), ...queryForMoments(start, end) });
  };
  return (
    <form class="moments" onSubmit={show}>
      <label>
        <span class="quiet">{charts.from}</span>{' '}
        <input
          type="datetime-local"
          value={from}
          required
          onInput={(event) => setFrom(event.currentTarget.value)}
        />
      </label>
      <label>
        <span class="quiet">{charts.to}</span>{' '}
        <input
          type="datetime-local"
          value={to}
          required
          onInput={(event) => setTo(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={!(end - start >= 60_000)}>
        {charts.show}
      </button>
    </form>
  );
}

const localText = (at: number) =>
  new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
