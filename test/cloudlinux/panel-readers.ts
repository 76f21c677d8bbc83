/**
 * Readers as panels and exporters have them, written after their public sources: which fields they take, what they do
 * with one that is missing, and what they count as a failure. Tests pass the commands' output through them.
 */

type Json = Readonly<Record<string, unknown>>;

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => (inner as Json | undefined)?.[name], value);

/** Numbers as the panel shows them: a missing field counts as 0. */
export function readStatistics(text: string, uid: number): unknown {
  const { users } = JSON.parse(text) as { readonly users: readonly Json[] };
  const user = users.find((each) => each['id'] === uid);
  const number = (section: string, key: string) => {
    const value = at(user, section, key, 'lve');
    return typeof value === 'number' ? value : 0;
  };
  const rounded = (value: number) => Math.round(value * 10) / 10;
  const usage = (key: string) => rounded(number('usage', key));
  const fault = (key: string) => number('faults', key);
  return {
    usage: {
      cpu: usage('cpu'),
      pmem: rounded(number('usage', 'pmem') / 2 ** 20),
      ep: usage('ep'),
      nproc: usage('nproc'),
      io: rounded(number('usage', 'io') / 1024),
      iops: usage('iops'),
    },
    faults: Object.fromEntries(
      ['cpu', 'pmem', 'ep', 'nproc', 'io', 'iops'].map((key) => [key, fault(key)]),
    ),
  };
}

export interface ReadUser {
  readonly name: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly own: readonly string[];
}

/** Reads users' limits; undefined for anything but a success. LVEs without an account are left out. */
export function readLimits(text: string): readonly ReadUser[] | undefined {
  const answer = JSON.parse(text) as { readonly result: string; readonly users: readonly Json[] };
  if (answer.result !== 'success') return undefined;
  return answer.users
    .filter(({ username }) => username !== '-')
    .map((user) => {
      const limits = Object.entries(user['limits'] as Json).map(([key, value]) => {
        const word = typeof value === 'string' ? value : (at(value, 'all') as string);
        return [key, word] as const;
      });
      return {
        name: user['username'] as string,
        limits: Object.fromEntries(
          limits.map(([key, word]) => [key, Number(word.replace('*', ''))]),
        ),
        own: limits.flatMap(([key, word]) => (word.startsWith('*') ? [key] : [])),
      };
    });
}

/** Whether a change succeeded: the JSON says so, not the exit status. */
export function changeResult(text: string): 'ok' | 'not found' | 'failed' {
  const { result } = JSON.parse(text) as { readonly result: string };
  if (result === 'success') return 'ok';
  return result.startsWith('No such user') ? 'not found' : 'failed';
}

export interface ReadChart {
  readonly title: string;
  /** The ends of lines, by the name that the legend gives their color. */
  readonly series: ReadonlyMap<
    string,
    readonly { readonly time: string; readonly value: string }[]
  >;
  readonly faults: number;
}

/** Reads numbers back out of a chart, by the expressions of a client of CloudLinux's charts. */
export function readChart(svg: string): readonly ReadChart[] {
  const blocks = [...svg.matchAll(/<svg[^>]*id="(svg-\d+)"[^>]*>([\s\S]*?)<\/svg>/g)];
  return blocks.map(([, id = '', content = '']) => {
    const legend = new Map(
      [...content.matchAll(/<rect[^>]*fill="([^"]+)"[^>]*\/>\s*<text[^>]*>([^<]+)<\/text>/g)].map(
        ([, color = '', name = '']) => [color, name],
      ),
    );
    const drawn = [
      ...svg.matchAll(
        /<line[^>]*onmousemove="show_tip\(evt,\s*'(svg-\d+)',\s*[\d.]+,\s*[\d.]+,\s*[\d.]+,\s*[\d.]+,\s*'([^']+)',\s*'([^']+)',\s*'([^']+)',\s*'([^']+)'\)"[^>]*stroke="([^"]+)"[^>]*\/>/g,
      ),
    ].filter(([, chart]) => chart === id);
    const series = new Map<string, { time: string; value: string }[]>();
    for (const [, , t1 = '', v1 = '', t2 = '', v2 = '', color = ''] of drawn) {
      const name = legend.get(color) ?? color;
      const ends = [
        { time: t1, value: v1 },
        { time: t2, value: v2 },
      ];
      series.set(name, [...(series.get(name) ?? []), ...ends]);
    }
    return {
      title: /<text[^>]*x="55"[^>]*y="10"[^>]*>([^<]+)<\/text>/.exec(content)?.[1] ?? '',
      series,
      faults: [...content.matchAll(/<line[^>]*stroke="aquamarine"[^>]*x1="[\d.]+"[^>]*\/>/g)]
        .length,
    };
  });
}
