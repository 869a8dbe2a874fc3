/** Counts what the kernel sends, on a socket of the tests' own that loses nothing. */
import { FLOW_GROUPS, MessageType } from '../support/ctnetlink';
import type { TestNamespace } from '../support/netns';
import { testing, type NetlinkCapture } from '../support/testing';

const TURN_MS = 1;

export class Witness implements Disposable {
  readonly #capture: NetlinkCapture;
  #sent = 0;

  constructor(namespace: TestNamespace) {
    this.#capture = namespace.run(() => new testing.NetlinkCapture(FLOW_GROUPS));
  }

  /** Events sent until now. */
  count(): number {
    for (;;) {
      const messages = this.#capture.drain(TURN_MS);
      if (messages.length === 0) break;
      this.#sent += messages.length;
    }
    if (this.#capture.drops() > 0) throw new Error('the witness itself lost events');
    return this.#sent;
  }

  /** The table's original messages, for the library's parser. */
  static table(namespace: TestNamespace): Buffer[] {
    const capture = namespace.run(() => new testing.NetlinkCapture([]));
    try {
      return capture.dump(MessageType.ctGet);
    } finally {
      capture.close();
    }
  }

  [Symbol.dispose](): void {
    this.#capture.close();
  }
}
