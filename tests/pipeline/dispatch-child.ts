import { openEmbedded } from '../support/embedded.js';
import { loopbackWebhook, startDispatch } from './dispatch-support.js';

/** Dispatch in a process of its own that may be killed at any moment. Argument: directory. Ends when nothing is left to deliver. */
const [directory = ''] = process.argv.slice(2);
const parts = openEmbedded(directory);
const channel = loopbackWebhook();
const dispatch = await startDispatch(parts, { channels: [channel], settings: { perEndpointMax: 2 } });
process.stdout.write('running\n');
const timer = setInterval(() => {
  void (async () => {
    if (dispatch.pending() > 0 || (await dispatch.lag()) > 0) return;
    clearInterval(timer);
    await dispatch.leave();
    channel.close();
    await parts.close();
    process.stdout.write('finished\n');
  })();
}, 20);
