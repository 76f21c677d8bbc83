/** The format of the metrics page: text format 0.0.4, or OpenMetrics 1.0 if the client prefers it. */
export type ExpositionFormat = 'text' | 'openmetrics';

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Chooses OpenMetrics only if the client prefers it, as Prometheus does. */
export function formatFor(accept: string | undefined): ExpositionFormat {
  const first = accept?.slice(0, 1024).split(',').map(parseRange).sort(byPreference)[0];
  return first?.type === 'application/openmetrics-text' ? 'openmetrics' : 'text';
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((each) => each.startsWith('q='))?.slice(2);
  return { type, quality: quality === undefined ? 1 : Number(quality) || 0 };
}

const byPreference = (a: MediaRange, b: MediaRange) => b.quality - a.quality;
