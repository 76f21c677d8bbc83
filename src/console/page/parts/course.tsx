/** The course of a number over the last ticks, without words: the cell next to it has the number. */

const width = 108;
const height = 24;

interface CourseProps {
  /** The values; null if one is unknown, which is a gap. */
  readonly values: readonly (number | null)[];
  /** The number of values that fill the width. */
  readonly length?: number;
  /** The value at the top; the highest one if there is none. */
  readonly top?: number | undefined;
}

export function Course({ values, length = 36, top }: CourseProps) {
  const highest = Math.max(top ?? 0, ...values.map((each) => each ?? 0)) || 1;
  const step = width / (length - 1);
  const pointAt = (value: number, at: number) => {
    const x = width - (values.length - 1 - at) * step;
    return `${x.toFixed(1)},${(height - 1 - (value / highest) * (height - 2)).toFixed(1)}`;
  };
  return (
    <svg
      class="course"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {piecesOf(values, pointAt).map((points) => (
        <polyline key={points} points={points} />
      ))}
    </svg>
  );
}

/** Returns the points of each piece without gaps. */
function piecesOf(
  values: readonly (number | null)[],
  pointAt: (value: number, at: number) => string,
): readonly string[] {
  const pieces: string[][] = [[]];
  for (const [at, value] of values.entries()) {
    if (value === null) pieces.push([]);
    else pieces.at(-1)?.push(pointAt(value, at));
  }
  return pieces.filter(({ length }) => length > 1).map((points) => points.join(' '));
}
