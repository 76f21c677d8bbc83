/** A progress line, on a terminal only, and only if the work takes longer than a moment. */
const patience = 500;

export function showProgress(what: string) {
  const started = performance.now();
  const live = process.stderr.isTTY === true;
  let shown = 0;
  return {
    /** Shows the progress; `total` if it is known. */
    update(done: number, total?: number): void {
      const now = performance.now();
      if (!live || now - started < patience || now - shown < 100) return;
      shown = now;
      const whole = total === undefined ? '' : ` of ${total}`;
      process.stderr.write(`\r${what}: ${done}${whole}`);
    },
    done(): void {
      if (shown > 0) process.stderr.write('\r\u001b[K');
    },
  };
}
