/** The course of a number over the last ticks, without words: the cell next to it has the number. */

const width = 108;
const height = 24;

interface CourseProps {
  readonly values: readonly number[];
  /** The number of values that fill the width. */
  readonly length?: number;
  /** The value at the top; the highest one if there is none. */
  readonly top?: number | undefined;
}

export function Course({ values, length = 36, top }: CourseProps) {
  const highest = Math.max(top ?? 0, ...values) || 1;
  const step = width / (length - 1);
  const points = values.map((value, at) => {
    const x = width - (values.length - 1 - at) * step;
    return `${x.toFixed(1)},${(height - 1 - (value / highest) * (height - 2)).toFixed(1)}`;
  });
  return (
    <svg
      class="course"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <polyline points={points.join(' ')} />
    </svg>
  );
}
