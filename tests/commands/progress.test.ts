import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { createProgress, logAbove } from '../../src/commands/progress.js';

function terminal(isTTY: boolean) {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  let nowMs = 0;
  const context = { stderr: Object.assign(stream, { isTTY }), clock: { now: () => (nowMs += 5_000) } };
  return { context, text: () => text };
}

/** What stands on the terminal, line by line: a cleared line holds only what was written after. */
const linesOf = (text: string): string[] => text.split('\n').map((line) => line.split('\r\u001b[2K').at(-1) ?? '');

it('writes log lines on lines of their own, and shows the progress again below', () => {
  const { context, text } = terminal(true);
  const progress = createProgress(context, 0);
  const log = logAbove(context, progress);
  log?.write('{"msg":"started"}\n');
  progress.show(1, '6,000 records sent');
  log?.write('{"msg":"a snapshot was taken"}\n');
  log?.write('{"msg":"another"}\n');
  progress.show(2, '7,000 records sent');
  expect(linesOf(text())).toEqual([
    '{"msg":"started"}',
    '{"msg":"a snapshot was taken"}',
    '{"msg":"another"}',
    '7,000 records sent',
  ]);
});

it('leaves the log alone where there is no terminal', () => {
  const { context, text } = terminal(false);
  const progress = createProgress(context, 0);
  progress.show(1, '6,000 records sent');
  expect(logAbove(context, progress)).toBeUndefined();
  expect(text()).toBe('');
});
